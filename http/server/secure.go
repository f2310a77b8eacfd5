package server

import (
	"maps"
	"net/http"

	"github.com/labstack/echo/v4"
)

// guards stand on every answer: no browser may guess at what it is, run it, frame it, load it into a page of
// another origin or keep it. A page sets its own instead. The values are shared by all answers.
var guards = http.Header{
	"X-Content-Type-Options":       {"nosniff"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Frame-Options":              {"DENY"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Cache-Control":                {"no-store"},
}

// A browser that has come by TLS comes by nothing else for a year. Other names below ours are not ours to bind.
var onlyTLS = []string{"max-age=31536000"}

func guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		maps.Copy(h, guards)
		if isTLS(c) {
			h["Strict-Transport-Security"] = onlyTLS
		}
		return next(c)
	}
}

// isTLS tells whether the request came by TLS, to us or to a proxy that is believed.
func isTLS(c echo.Context) bool { return c.Scheme() == "https" }
