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
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: s.Times.Header, ReadTimeout: s.Times.Read,
		WriteTimeout: s.Times.Write, IdleTimeout: s.Times.Idle, MaxHeaderBytes: maxHeader,
		ConnState: newConnections(s.Limits.Connections, s.Metrics).changed,
		ErrorLog:  slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		group.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		return s.drain(context.WithoutCancel(ctx), server)
	})
	return group.Wait()
}

// drain says for a while that the server is going, while it still takes whoever has not heard it; then
// it closes the listeners and lets open requests finish. Those that do not are cut: no answer of ours
// takes that long, so it is their clients who do not read.
func (s *Server) drain(ctx context.Context, server *http.Server) error {
	s.draining.Store(true)
	s.Log.InfoContext(ctx, "draining", "grace", s.Times.Grace.String())
	<-time.After(s.Times.Grace)
	ctx, cancel := context.WithTimeout(ctx, s.Times.Drain)
	defer cancel()
	err := server.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	s.Log.WarnContext(ctx, "connections were cut that did not end in time")
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
