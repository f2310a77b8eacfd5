package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/value"
	"gesta/http/web"
)

// The headers that carry ids: ours always, the client's given back as it came.
const (
	requestID       = "X-Request-Id"
	clientRequestID = "X-Client-Request-Id"
)

var (
	clientID    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$`)
)

// identifyRequest gives a request its id and its trace, and notes them for every event and
// every line of the log that it leads to.
func (s *Server) identifyRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		meta := domain.Meta{Request: id.New(time.Now()).String(), Traceparent: trace(r.Header.Get("traceparent"))}
		meta.Correlation = meta.Request
		if client := r.Header.Get(requestID); clientID.MatchString(client) {
			meta.ClientRequest = client
			c.Response().Header().Set(clientRequestID, client)
		}
		owner, _ := web.Owner(s.Surfaces, r.URL.Path)
		meta.Surface, meta.Realm = owner.Name, owner.Realm
		c.Response().Header().Set(requestID, meta.Request)
		c.SetRequest(r.WithContext(domain.WithMeta(r.Context(), meta)))
		return next(c)
	}
}

// trace goes on with the client's W3C trace under a span of our own, or begins one.
func trace(client string) string {
	var fresh [24]byte
	_, _ = rand.Read(fresh[:]) // It never fails.
	id, flags := hex.EncodeToString(fresh[:16]), "01"
	if m := traceparent.FindStringSubmatch(client); m != nil && strings.Trim(m[1], "0") != "" {
		id, flags = m[1], m[3]
	}
	return "00-" + id + "-" + hex.EncodeToString(fresh[16:]) + "-" + flags
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
	if m := traceparent.FindStringSubmatch(meta.Traceparent); m != nil {
		r.AddAttrs(slog.String("trace_id", m[1]))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the ids on loggers made from this one.
func (h LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return LogHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the ids on loggers made from this one.
func (h LogHandler) WithGroup(name string) slog.Handler { return LogHandler{h.Handler.WithGroup(name)} }
