// Package natsembed runs a NATS server with JetStream inside this process, for `gesta dev` and for
// tests.
package natsembed

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// readyIn is how long a start may take: a folder with millions of messages is read first.
const readyIn = 30 * time.Second

// Options say where a server keeps its streams and whom it listens to.
type Options struct {
	Dir        string       // the folder of the streams; it is made when it isn't there
	Listen     string       // host:port, with port 0 for any free one; "" for this process alone
	MaxPayload int          // bytes in one message; 0 for 1 MiB
	Guarded    bool         // whoever comes through Listen may read the stream and subscribe to events, and not publish
	Log        *slog.Logger // warnings and errors; nil for slog.Default()
}

// Server is a running NATS server. It hands out connections itself (nats.InProcessServer), without a
// socket.
type Server struct {
	ns    *server.Server
	guard *guard // nil when everybody may do everything
}

// Start runs a server and answers when it takes connections.
func Start(o Options) (*Server, error) {
	opts, err := o.server()
	if err != nil {
		return nil, err
	}
	var guarding *guard
	if o.Guarded {
		guarding = newGuard(opts)
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("natsembed: %w", err)
	}
	log := newLogger(o.Log)
	ns.SetLoggerV2(log, false, false, false)
	ns.Start()
	s := &Server{ns: ns, guard: guarding}
	if err := s.ready(log); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// ready asks the log first: the server reports there what it can't start without, and would have the
// process exit.
func (s *Server) ready(log *logger) error {
	if fatal := log.fatal(); fatal != "" {
		return fmt.Errorf("natsembed: %s", fatal)
	}
	if !s.ns.ReadyForConnections(readyIn) {
		return fmt.Errorf("natsembed: not ready within %s", readyIn)
	}
	return nil
}

// Stop ends the server and waits until its files are closed.
func (s *Server) Stop() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// URL is where other processes connect, or "" when the server doesn't listen.
func (s *Server) URL() string {
	if addr := s.ns.Addr(); addr != nil {
		return "nats://" + addr.String()
	}
	return ""
}

// ID tells this server from any other that was ever started.
func (s *Server) ID() string { return s.ns.ID() }

// InProcessConn makes Server a nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) { return s.ns.InProcessConn() }

// Connect answers a connection inside the process.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	opts = append([]nats.Option{nats.InProcessServer(s)}, opts...)
	if s.guard != nil {
		opts = append(opts, nats.UserInfo(insider, s.guard.password))
	}
	return nats.Connect("", opts...)
}

func (o Options) server() (*server.Options, error) {
	if o.Dir == "" {
		return nil, errors.New("natsembed: no folder to keep streams in")
	}
	opts := &server.Options{
		JetStream: true, StoreDir: o.Dir,
		NoSigs: true, DontListen: o.Listen == "",
		MaxPayload: int32(o.MaxPayload),
	}
	if o.Listen == "" {
		return opts, nil
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("natsembed: listen on %q: %w", o.Listen, err)
	}
	if opts.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("natsembed: listen on %q: port %q is no number", o.Listen, port)
	}
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	opts.Host = host
	return opts, nil
}
