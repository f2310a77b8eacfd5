package server

import (
	"context"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/value"
	"gesta/eventstore/tracing"
	"gesta/http/web"
)

// The headers that carry ids: ours always, the client's given back as it came.
const (
	requestID       = "X-Request-Id"
	clientRequestID = "X-Client-Request-Id"
)

// traceparent is the header of a client's trace as Go spells it. A tracestate is not taken: nobody here reads it, and
// it could say anything.
const traceparent = "Traceparent"

var clientID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// identifyRequest gives a request its id and its trace, and notes them for every event and
// every line of the log that it leads to. Spans are of what a surface answers: probes and strayed requests are noise.
func (s *Server) identifyRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		meta := domain.Meta{Request: id.New(time.Now()).String()}
		meta.Correlation = meta.Request
		if client := r.Header.Get(requestID); clientID.MatchString(client) {
			meta.ClientRequest = client
			c.Response().Header().Set(clientRequestID, client)
		}
		owner, found := web.Owner(s.Surfaces, r.URL.Path)
		meta.Surface, meta.Realm = owner.Name, owner.Realm
		c.Response().Header().Set(requestID, meta.Request)
		tracer := s.Tracer
		if !found {
			tracer = nil
		}
		c.SetRequest(r.WithContext(tracing.Receive(r.Context(), tracer, r.Header[traceparent], meta, methodOf(c))))
		return next(c)
	}
}

// errPath refuses paths and queries that hold what no text may hold.
var errPath = &domain.Fault{Kind: domain.Invalid, Code: "invalid_url", Text: "invalid path or query"}

func refuseBadText(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil || !value.IsText(u.Path) || hasBadText(query) {
			return errPath
		}
		return next(c)
	}
}

func hasBadText(query url.Values) bool {
	for name, values := range query {
		if !value.IsText(name) || slices.ContainsFunc(values, func(v string) bool { return !value.IsText(v) }) {
			return true
		}
	}
	return false
}

// LogHandler adds the ids of the request to every line that is logged under its context.
type LogHandler struct{ slog.Handler }

// Handle adds request_id and trace_id.
func (h LogHandler) Handle(ctx context.Context, r slog.Record) error {
	meta := domain.MetaOf(ctx)
	if meta.Request != "" {
		r.AddAttrs(slog.String("request_id", meta.Request))
	}
	if c := tracing.Parse(meta.Traceparent); c.IsValid() {
		r.AddAttrs(slog.String("trace_id", c.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the ids on loggers made from this one.
func (h LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return LogHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the ids on loggers made from this one.
func (h LogHandler) WithGroup(name string) slog.Handler { return LogHandler{h.Handler.WithGroup(name)} }
