// Package cluster runs a private Postgres server as a child process: the database of `gesta dev`, and
// of tests.
//
// A cluster lives in a home folder:
//
//	data/         the data directory
//	password      of the superuser, readable by the owner alone
//	port          the server listened on last; tried again first
//	postgres.log  what the server said; postgres.log.old holds what was said before 16 MiB
//	lock          held by the process whose child the server is
//
// The server listens on 127.0.0.1 alone and has no Unix socket: a socket's path may be at most 107
// bytes long, and a project may lie deeper. On Linux the server is told to shut down when its parent
// ends, however it ends; elsewhere a killed parent leaves its server behind until the next Start.
package cluster

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Options say where a cluster lives and how much it may lose. The zero Options ask for a throw-away
// cluster.
type Options struct {
	// Dir is the home folder, made when it is not there. When empty, the home is a new folder in memory
	// or among the temporary ones, and goes when the server has ended.
	Dir string
	// Durable clusters keep what was committed through a loss of power and notice damaged pages, and
	// take 100 connections. Others are faster, take 300, and may be lost with the machine.
	Durable bool
	// Settings of the server, such as max_connections=400, that win over what it would have.
	Settings []string
	// Binaries to run; when zero, Find looks for them.
	Binaries Binaries
}

// Cluster is a running server and the only owner of its home.
type Cluster struct {
	address  Address
	home     *home
	server   *process
	log      *log
	stopping atomic.Bool
	done     chan struct{}
}

// Address is how a running server is reached.
type Address struct {
	port     int
	password string
}

const superuser = "postgres"

// URL names a database of the server, with the superuser's name and password in it.
func (a Address) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, a.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(a.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Start starts the cluster of a home, making it first where there is none, and returns once it takes
// connections. A server that a killed parent left behind is waited for, at most 60 seconds; the whole
// start is bounded by ctx, which plays no part afterwards.
//
// It refuses with ErrRunning when another process has the cluster running, with ErrNoPostgres when
// there is nothing to run, and with the last lines of the log when the server ends while starting.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	return start(ctx, o, identities())
}

func start(ctx context.Context, o Options, candidates []identity) (*Cluster, error) {
	binaries, err := o.binaries(ctx)
	if err != nil {
		return nil, err
	}
	h, err := enter(o)
	if err != nil {
		return nil, err
	}
	s := starter{home: h, binaries: binaries, durable: o.Durable, extra: o.Settings}
	c, err := s.run(ctx, candidates)
	if err != nil {
		h.leave()
		return nil, err
	}
	go c.settle()
	return c, nil
}

func (o Options) binaries(ctx context.Context) (Binaries, error) {
	if o.Binaries != (Binaries{}) {
		return o.Binaries, nil
	}
	return Find(ctx)
}

// settle leaves the home once the server has ended, however it ended.
func (c *Cluster) settle() {
	<-c.server.done
	c.home.leave()
	close(c.done)
}

// URL names a database of the cluster, with the superuser's name and password in it.
func (c *Cluster) URL(database string) string { return c.address.URL(database) }

// Done is closed when the server has ended and its home is free again.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Err is nil while the server runs and after Stop; when the server ended by itself, it says how, with
// the last lines of its log.
func (c *Cluster) Err() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	if c.stopping.Load() {
		return nil
	}
	return c.server.death(c.log)
}

// Stop ends the server, disconnecting everybody, and returns when it has ended and its home is free
// again. When ctx ends first, the server is ended without a checkpoint, which loses nothing that was
// committed but makes the next start recover, and Stop says so in its error. Stopping twice is fine.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stopping.Store(true)
	c.server.signal(syscall.SIGINT)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	c.server.quit()
	<-c.done
	return fmt.Errorf("cluster: ended without a checkpoint: %w", context.Cause(ctx))
}

// environment is ours without what would steer Postgres: its variables, the language of its messages
// (an error is recognised by its words), and the service manager's socket, which it would report to.
func environment() []string {
	env := []string{"LC_ALL=C"}
	for _, variable := range os.Environ() {
		if !steers(variable) {
			env = append(env, variable)
		}
	}
	return env
}

func steers(variable string) bool {
	for _, prefix := range []string{"PG", "LC_", "LANG", "NOTIFY_SOCKET="} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}

// until calls ready every interval until it says so or ctx ends.
func until(ctx context.Context, interval time.Duration, ready func() (bool, error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if ok, err := ready(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
