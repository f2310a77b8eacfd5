package server

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"gesta/http/web"
)

// What pages of other origins may send to every surface, and read of its answers.
const (
	sendable = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Min-Position, X-Request-Id, traceparent, tracestate"
	readable = "X-Event-Position, X-Read-Model, ETag, Link, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, " +
		"X-Total-Count, X-Request-Id, X-Client-Request-Id, Idempotency-Replayed, WWW-Authenticate"
	preflightAge = "7200" // seconds; no browser keeps what it was told for longer
)

// cors tells browsers which pages may read an answer, refusals included. It keeps nobody out: who is no
// browser is served as ever, and whoever asks in the name of a page that may not, too, but can't read it.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		owner, _ := web.Owner(s.Surfaces, c.Request().URL.Path)
		if len(owner.CORS.Origins) > 0 {
			share(c, owner.CORS)
		}
		return next(c)
	}
}

func share(c echo.Context, cors web.CORS) {
	h, r := c.Response().Header(), c.Request()
	h.Add("Vary", "Origin")
	origin := cors.Allowed(r.Header.Get("Origin"))
	if origin == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if cors.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if methods := methodsOf(c); methods != "" && isPreflight(r) {
		h.Set("Access-Control-Allow-Methods", strings.TrimPrefix(methods, http.MethodOptions+", "))
		h.Set("Access-Control-Allow-Headers", strings.Join(append([]string{sendable}, cors.Headers...), ", "))
		h.Set("Access-Control-Max-Age", preflightAge)
		return
	}
	h.Set("Access-Control-Expose-Headers", readable)
}

// isPreflight tells that a browser asks whether it may ask. The router answers, as it does to every OPTIONS.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// methodsOf are those that the path has, where the request's own is none of its rows'; "" else.
func methodsOf(c echo.Context) string {
	methods, _ := c.Get(echo.ContextKeyHeaderAllow).(string)
	if isLonger(echo.GetPath(c.Request()), c.Path()) {
		return ""
	}
	return methods
}

// isLonger finds paths that are longer than their row: the router gives all that is left to the last
// parameter.
func isLonger(path, row string) bool {
	return !strings.Contains(row, "*") && strings.Count(path, "/") > strings.Count(row, "/")
}

// refuseLonger knows no methods of paths that no row has.
func refuseLonger(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Get(echo.ContextKeyHeaderAllow) != nil && methodsOf(c) == "" {
			return echo.ErrNotFound
		}
		return next(c)
	}
}
