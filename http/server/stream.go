package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"gesta/domain"
	"gesta/http/web"
)

// errStreams refuses one stream too many.
var errStreams = &domain.Fault{
	Kind: domain.Unavailable, Code: "overloaded", Text: "too many streams are open, try again shortly", Retry: errOverloaded.Retry,
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
		if stream == nil || c.Request().Method == http.MethodHead {
			return nil
		}
		select {
		case s.streams <- struct{}{}:
			defer func() { <-s.streams }()
		default:
			return errStreams
		}
		err := stream.Send(c.Response(), s.Times.Write, client, s.life)
		if err != nil && !errors.Is(err, context.Canceled) {
			s.Log.WarnContext(stream.Context(), "a stream was broken off", "error", err)
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
}
