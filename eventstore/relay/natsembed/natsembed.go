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
	Guarded    bool         // the users of deploy/nats.conf; who comes through Listen without credentials is a consumer
	Log        *slog.Logger // warnings and errors; nil for slog.Default()
}

// Server is a running NATS server. It hands out connections itself (nats.InProcessServer), without a
// socket.
type Server struct {
	ns       *server.Server
	password string // the insider's; "" when everybody may do everything
}

// Start runs a server and answers when it takes connections.
func Start(o Options) (*Server, error) {
	opts, password, err := o.server()
	if err != nil {
		return nil, err
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("natsembed: %w", err)
	}
	log := newLogger(o.Log)
	ns.SetLoggerV2(log, false, false, false)
	ns.Start()
	s := &Server{ns: ns, password: password}
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
	if s.password != "" {
		opts = append(opts, nats.UserInfo(insider, s.password))
	}
	return nats.Connect("", opts...)
}

func (o Options) server() (opts *server.Options, password string, err error) {
	if o.Dir == "" {
		return nil, "", errors.New("natsembed: no folder to keep streams in")
	}
	opts = &server.Options{}
	if o.Guarded {
		if opts, password, err = guarded(); err != nil {
			return nil, "", err
		}
	}
	opts.JetStream, opts.StoreDir = true, o.Dir
	opts.NoSigs, opts.MaxPayload = true, int32(o.MaxPayload)
	if opts.DontListen = o.Listen == ""; opts.DontListen {
		return opts, password, nil
	}
	opts.Host, opts.Port, err = split(o.Listen)
	return opts, password, err
}

// split answers where to listen, as the server spells it.
func split(listen string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("natsembed: listen on %q: %w", listen, err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		return "", 0, fmt.Errorf("natsembed: listen on %q: port %q is no number", listen, text)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}
