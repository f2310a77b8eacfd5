package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/http/web"
)

// errStreams refuses one stream too many.
var errStreams = &domain.Fault{
	Kind: domain.Unavailable, Code: "overloaded", Text: "too many streams are open, try again shortly", Retry: errOverloaded.Retry,
}

// errOwnStreams refuses one too many of a session.
func errOwnStreams(most int) error {
	return &domain.Fault{
		Kind: domain.TooMany, Code: "too_many_streams", Retry: errOverloaded.Retry,
		Text: fmt.Sprintf("a session has %d streams at most: end one of them first", most),
	}
}

// places are those for streams. No session has more than a few of them, so that none keeps others out.
type places struct {
	all, each int

	mu    sync.Mutex
	taken int
	own   map[identity.SessionID]int
}

// take answers what gives the place back.
func (p *places) take(by identity.Caller) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch session := by.Session; {
	case by != identity.Caller{} && p.own[session] >= p.each:
		return nil, errOwnStreams(p.each)
	case p.taken >= p.all:
		return nil, errStreams
	}
	p.add(by, 1)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.add(by, -1)
	}, nil
}

func (p *places) add(by identity.Caller, n int) {
	p.taken += n
	if p.own[by.Session] += n; p.own[by.Session] == 0 {
		delete(p.own, by.Session)
	}
}

func (p *places) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// streaming writes what a row leaves to be written, outside of the places for requests and for as long as it takes. It
// ends with the client, and when the server does. What can't be written to its end is broken off, so that nobody takes it
// for whole.
func (s *Server) streaming(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		client := c.Request().Context()
		if err := next(c); err != nil {
			return err
		}
		stream := web.StreamOf(c)
		switch {
		case stream == nil:
			return nil
		case c.Request().Method == http.MethodHead:
			stream.Begin(c.Response())
			return nil
		}
		leave, err := s.places.take(stream.Caller())
		if err != nil {
			return err
		}
		defer leave()
		if err = stream.Send(c.Response(), s.Times.Write, client, s.life); err == nil {
			return nil
		}
		if !errors.Is(err, context.Canceled) {
			s.Log.WarnContext(stream.Context(), "a stream was broken off", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}
