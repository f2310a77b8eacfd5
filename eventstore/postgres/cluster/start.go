package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// starter holds what each step of a start needs.
type starter struct {
	home     *home
	binaries Binaries
	durable  bool
	extra    []string // settings
	identity identity
	version  int // of the binaries
	password string
}

// former bounds the wait for a server whose parent was killed, which is writing a last checkpoint, and
// for children of a server that was killed itself, which finish what they are computing.
const former = 60 * time.Second

func (s *starter) run(ctx context.Context, candidates []identity) (_ *Cluster, err error) {
	if err = s.awaitFormer(ctx); err != nil {
		return nil, err
	}
	if s.password, err = s.home.secret(); err != nil {
		return nil, err
	}
	if s.identity, s.version, err = choose(ctx, candidates, s.binaries, s.home.dir); err != nil {
		return nil, err
	}
	if err = s.initialise(ctx); err != nil {
		return nil, err
	}
	return s.launch(ctx)
}

// awaitFormer waits until no server uses the data. One that is still there has lost its parent, since
// we hold the lock: where the kernel did not ask it to end, we do. A pid file that names a process
// which is no server of this folder is removed: Postgres would take that process for one and refuse
// to start.
func (s *starter) awaitFormer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, former)
	defer cancel()
	if pid, running := s.home.postmaster(); running {
		_ = syscall.Kill(pid, syscall.SIGINT) // gone in the meantime is as good
	}
	err := until(ctx, 20*time.Millisecond, func() (bool, error) {
		_, running := s.home.postmaster()
		return !running, nil
	})
	if err != nil {
		return fmt.Errorf("cluster: the former server in %s has not ended: %w", s.home.dir, err)
	}
	return s.home.forgetPostmaster()
}

// initialise makes the data directory where there is none. It is made beside its place and renamed
// into it, so that a kill in the middle leaves nothing that looks whole.
func (s *starter) initialise(ctx context.Context) error {
	if s.home.initialised() {
		return s.fits()
	}
	s.home.clearUnfinished()
	unfinished, err := s.home.unfinished()
	if err != nil {
		return err
	}
	if err := s.identity.own(s.home.dir); err != nil {
		return err
	}
	if err := s.initdb(ctx, unfinished); err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	return os.Rename(unfinished, s.home.data())
}

// fits refuses data that another version wrote, before the server does so in words of its own.
func (s *starter) fits() error {
	text, err := os.ReadFile(filepath.Join(s.home.data(), "PG_VERSION"))
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if wrote := major(string(text)); wrote != s.version {
		return fmt.Errorf("cluster: %s was written by Postgres %d, and %s holds Postgres %d: name the folder of Postgres %[2]d in PG_BIN",
			s.home.data(), wrote, s.binaries.Dir, s.version)
	}
	return nil
}

func (s *starter) initdb(ctx context.Context, dir string) error {
	args := []string{
		"--pgdata=" + dir, "--username=" + superuser, "--pwfile=" + s.home.passwordFile(),
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
	}
	if s.durable {
		args = append(args, "--data-checksums")
	} else {
		args = append(args, "--no-sync")
	}
	var said strings.Builder
	cmd := s.command("initdb", args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := run(ctx, cmd); err != nil {
		return fmt.Errorf("cluster: initdb: %w:\n%s", err, lastLines(said.String()))
	}
	return nil
}

// command runs from the home, for Postgres insists on a working directory it may enter.
func (s *starter) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.binaries.Dir, program), args...)
	cmd.Dir = s.home.dir
	cmd.Env = environment()
	cmd.SysProcAttr = s.identity.attributes()
	return cmd
}

// launch starts the server, again and again while what stops it is about to pass.
func (s *starter) launch(ctx context.Context) (c *Cluster, err error) {
	began := time.Now()
	waited := until(ctx, 100*time.Millisecond, func() (bool, error) {
		c, err = s.attempt(ctx)
		return !passing(err) || time.Since(began) > former, nil
	})
	return c, errors.Join(err, waited)
}

// passing tells what another try may find gone: a port that was lost between our choice and the
// server's start, and children of a server that was killed, which notice within moments.
func passing(err error) bool {
	var d *deathError
	return errors.As(err, &d) &&
		(strings.Contains(d.said, "Address already in use") || strings.Contains(d.said, "is still in use"))
}

func (s *starter) attempt(ctx context.Context) (*Cluster, error) {
	port, err := s.home.choosePort()
	if err != nil {
		return nil, err
	}
	said, err := s.home.openLog()
	if err != nil {
		return nil, err
	}
	server, err := s.spawn(port, said)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		address: Address{port: port, password: s.password},
		home:    s.home, server: server, log: said, done: make(chan struct{}),
	}
	if err := c.awaitReady(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// spawn starts the server; the log is the child's from then on.
func (s *starter) spawn(port int, said *log) (*process, error) {
	defer said.file.Close()
	cmd := s.command("postgres", s.settings(port)...)
	cmd.Stdout, cmd.Stderr = said.file, said.file
	server, err := spawn(cmd)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return server, nil
}

var (
	everyServer = []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=128MB",
		"timezone=UTC", "log_timezone=UTC", "log_checkpoints=off",
		"log_error_verbosity=terse", // Its details name the values of a row that is refused.
	}
	durableServer   = []string{"max_connections=100"}
	throwAwayServer = []string{
		"max_connections=300", "fsync=off", "synchronous_commit=off", "full_page_writes=off",
		"wal_level=minimal", "max_wal_senders=0", "max_wal_size=256MB",
	}
)

// settings come on the command line, where no file in the data directory overrules them.
func (s *starter) settings(port int) []string {
	own := throwAwayServer
	if s.durable {
		own = durableServer
	}
	args := []string{"-D", s.home.data(), "-c", "port=" + strconv.Itoa(port)}
	for _, setting := range slices.Concat(everyServer, own, s.extra) {
		args = append(args, "-c", setting)
	}
	return args
}

// awaitReady returns when the server takes connections; it ends the server when it never will.
func (c *Cluster) awaitReady(ctx context.Context) error {
	err := until(ctx, 10*time.Millisecond, func() (bool, error) {
		answer := ping(ctx, c.URL("postgres"))
		if c.server.ended() {
			return false, c.server.death(c.log)
		}
		return answer == nil, hopeless(answer)
	})
	if err != nil {
		c.server.quit()
	}
	return err
}

func ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// hopeless keeps the errors that waiting does not mend: a refused login. A server that is starting or
// recovering refuses connections in other ways.
func hopeless(err error) error {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) && strings.HasPrefix(refusal.Code, "28") {
		return fmt.Errorf("cluster: the server refuses its own superuser: %w", err)
	}
	return nil
}
