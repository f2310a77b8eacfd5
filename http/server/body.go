package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"gesta/http/web"
)

// readBody reads the body before the request is let in: who sends slowly must not work meanwhile. What
// is wrong with the body, the row is told when it reads it.
func (s *Server) readBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Body == nil || r.Body == http.NoBody {
			return next(c)
		}
		in := &counted{Reader: http.MaxBytesReader(c.Response().Writer, r.Body, web.MaxBody), held: &s.held, most: int64(s.Limits.Bodies)}
		defer in.forget()
		text, err := io.ReadAll(in)
		if errors.Is(err, errOverloaded) {
			return err
		}
		r.Body = io.NopCloser(&said{text: bytes.NewReader(text), err: err})
		return next(c)
	}
}

// counted refuses to read on when too much is held.
type counted struct {
	io.Reader
	held *atomic.Int64 // by all
	most int64
	own  int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.own += int64(n)
	if c.held.Add(int64(n)) > c.most {
		return n, errOverloaded
	}
	return n, err
}

func (c *counted) forget() { c.held.Add(-c.own) }

// said is a body that was read, with the error that ended it.
type said struct {
	text *bytes.Reader
	err  error
}

func (s *said) Read(p []byte) (int, error) {
	n, err := s.text.Read(p)
	if err == io.EOF && s.err != nil {
		err = s.err
	}
	return n, err
}
