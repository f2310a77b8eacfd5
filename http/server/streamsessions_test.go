package server_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore/wait"
	"gesta/http/server"
)

// sessions has callers whose session their proof names, for as long as it is open.
func sessions(open *sync.Map) func(*server.Server) {
	return func(s *server.Server) {
		s.Surfaces[0].Authenticate = func(r *http.Request) (c identity.Caller, err error) {
			name := r.Header.Get("Authorization")
			if _, is := open.Load(name); !is {
				return c, &domain.Fault{Kind: domain.Unauthenticated, Code: "unauthenticated", Text: "who is it?"}
			}
			c.Session.ID = id.Named(name)
			return c, nil
		}
	}
}

// No session keeps others out, and its places are free when its streams end.
func TestASessionHasAFewStreams(t *testing.T) {
	t.Parallel()
	var open sync.Map
	open.Store("ann", true)
	open.Store("bob", true)
	r := run(t, sessions(&open), streaming(ticking))
	var anns []*http.Response
	for range 4 {
		anns = append(anns, r.ask(lines, "Authorization", "ann"))
	}
	a := r.ask(lines, "Authorization", "ann")
	text, _ := io.ReadAll(a.Body)
	if a.StatusCode != 429 || a.Header.Get("Retry-After") == "" || !strings.Contains(string(text), "a session has 4 streams at most") {
		t.Error(a.StatusCode, string(text))
	}
	if b := r.ask(lines, "Authorization", "bob"); b.StatusCode != 200 || r.metric("gesta_http_streams") != 5 {
		t.Error(b.StatusCode, r.metric("gesta_http_streams"))
	}
	_ = anns[0].Body.Close()
	wait.Until(t, "there is a place", func() bool { return r.ask(lines, "Authorization", "ann").StatusCode == 200 })
}

// A stream is broken off when its session is over.
func TestAStreamDoesNotOutliveItsSession(t *testing.T) {
	t.Parallel()
	var open sync.Map
	open.Store("ann", true)
	r := run(t, sessions(&open), streaming(ticking))
	a := r.ask(lines, "Authorization", "ann")
	open.Delete("ann")
	if text, err := io.ReadAll(a.Body); err == nil || !strings.HasPrefix(string(text), "tick\n") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
