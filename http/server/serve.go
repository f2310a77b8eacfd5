package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxHeader is the largest header that is read, in bytes.
const maxHeader = 64 << 10

// Serve answers on all listeners until ctx ends; then it drains.
func (s *Server) Serve(ctx context.Context, listeners []net.Listener) error {
	handler := s.closing(s.Handler())
	s.connections = newConnections(s.Limits.Connections, s.Metrics)
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: s.Times.Header, ReadTimeout: s.Times.Read,
		WriteTimeout: s.Times.Write, IdleTimeout: s.Times.Idle, MaxHeaderBytes: maxHeader,
		ConnState: s.connections.changed,
		ErrorLog:  slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	accepting, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		accepting.Go(func() error { return accept(server, l) })
	}
	<-ctx.Done()
	s.sayEnd(ctx)
	s.endStreams()
	var last handed
	for _, l := range listeners {
		last.conns = append(last.conns, closeAfterAll(l)...)
	}
	return errors.Join(accepting.Wait(), accept(server, &last), s.end(ctx, server))
}

// accept takes connections until the listener is closed.
func accept(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// sayEnd says for a while that the server is going, while it still takes whoever has not heard it.
func (s *Server) sayEnd(ctx context.Context) {
	s.draining.Store(true)
	s.Log.InfoContext(ctx, "draining", "grace", s.Times.Grace.String())
	<-time.After(s.Times.Grace)
}

// end lets every connection end. It is not http.Server's Shutdown, which drops requests that it has just
// read.
func (s *Server) end(ctx context.Context, server *http.Server) error {
	if !s.connections.end(s.Times.Drain) {
		s.Log.WarnContext(ctx, "connections were cut that did not end in time")
	}
	return server.Close()
}

// closing asks every client to come back on a new connection once the server drains: that one may lead
// to another server.
func (s *Server) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
