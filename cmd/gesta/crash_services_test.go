package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gesta/eventstore/postgres/cluster"
	"gesta/eventstore/relay/relaytest"
)

// victim is a running server that can be killed.
type victim interface {
	kill()
	done() <-chan struct{}
}

// service is a server that is started again whenever it has ended, as an init system would.
type service struct {
	name  string
	start func(context.Context) (victim, error)
	rng   *rand.Rand // decides how long it stays away

	mu      sync.Mutex
	running victim
	up      chan struct{} // closed while it runs
	kills   int
	exits   []string // ends that nobody asked for
	failed  int      // starts that came to nothing
}

func newService(name string, rng *rand.Rand, start func(context.Context) (victim, error)) *service {
	return &service{name: name, rng: rng, start: start, up: make(chan struct{})}
}

// run keeps it running until ctx ends.
func (s *service) run(ctx context.Context) {
	for ctx.Err() == nil {
		v, err := s.start(ctx)
		if err != nil {
			s.note(func() { s.failed++ })
		} else {
			s.watch(ctx, v)
		}
		rest(ctx, 20*time.Millisecond+time.Duration(s.rng.IntN(400))*time.Millisecond)
	}
}

func (s *service) watch(ctx context.Context, v victim) {
	kills := 0
	s.note(func() { s.running, kills = v, s.kills; close(s.up) })
	select {
	case <-v.done():
	case <-ctx.Done():
		v.kill()
		<-v.done()
	}
	s.note(func() {
		if s.kills == kills && ctx.Err() == nil {
			s.exits = append(s.exits, fmt.Sprint(v))
		}
		s.running, s.up = nil, make(chan struct{})
	})
}

func (s *service) note(what func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what()
}

// await waits until it runs.
func (s *service) await(ctx context.Context) victim {
	for {
		var up chan struct{}
		var v victim
		s.note(func() { up, v = s.up, s.running })
		if v != nil || ctx.Err() != nil {
			return v
		}
		select {
		case <-up:
		case <-ctx.Done():
		}
	}
}

// kill kills it, as soon as it runs, without any warning.
func (s *service) kill(ctx context.Context) {
	if v := s.await(ctx); v != nil {
		s.note(func() { s.kills++ })
		v.kill()
		<-v.done()
	}
}

// rest waits for a while or for the end of ctx.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// child is a process of this test's own binary.
type child struct {
	cmd  *exec.Cmd
	said tail
	end  chan struct{}
}

// launch starts a child and answers when it is ready; one that ends before is an error, and so is one that
// is not ready when ctx ends.
func launch(ctx context.Context, cmd *exec.Cmd, ready func() bool) (victim, error) {
	c := &child{cmd: cmd, end: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &c.said, &c.said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = cmd.Wait(); close(c.end) }()
	for !ready() {
		select {
		case <-c.end:
			return nil, errors.New(c.String())
		case <-ctx.Done():
			c.kill()
			<-c.end
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return c, nil
}

func (c *child) kill()                 { _ = c.cmd.Process.Kill() }
func (c *child) done() <-chan struct{} { return c.end }
func (c *child) String() string        { return c.cmd.ProcessState.String() + ": " + c.said.String() }

// tail keeps the last of what a process says.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len() > 1<<16 {
		t.text.Next(t.text.Len() - 1<<15)
	}
	return t.text.Write(b)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// launchGesta starts a replica with all roles.
func launchGesta(ctx context.Context, env []string, listen string) (victim, error) {
	cmd := exec.Command(os.Args[0], "serve", "--listen", listen)
	cmd.Env = append(append(os.Environ(), asGesta+"=1", "BCRYPT_COST=4"), env...)
	return launch(ctx, cmd, func() bool {
		response, err := http.Get("http://" + listen + "/healthz")
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
}

// postgresServer is a durable cluster whose postmaster can be killed.
type postgresServer struct {
	*cluster.Cluster
	pidFile string
}

// launchPostgres starts the cluster of a folder on its port. The start waits for what a killed server left
// behind: its backends end by themselves when they notice that the postmaster has gone. One that was
// just being made may still listen, and the cluster would take another port, where nobody looks for it.
func launchPostgres(ctx context.Context, dir, port string) (victim, error) {
	for !relaytest.IsVacant(port) && ctx.Err() == nil {
		rest(ctx, 10*time.Millisecond)
	}
	if err := os.WriteFile(filepath.Join(dir, "port"), []byte(port), 0o600); err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, Durable: true})
	if err != nil {
		return nil, err
	}
	if !strings.Contains(c.URL("postgres"), ":"+port+"/") {
		return nil, errors.Join(errors.New("postgres took another port"), c.Stop(ctx))
	}
	return postgresServer{c, filepath.Join(dir, "data", "postmaster.pid")}, nil
}

func (p postgresServer) kill() {
	text, err := os.ReadFile(p.pidFile)
	if err != nil {
		return // It is down.
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (p postgresServer) done() <-chan struct{} { return p.Done() }
func (p postgresServer) String() string        { return fmt.Sprint(p.Err()) }
