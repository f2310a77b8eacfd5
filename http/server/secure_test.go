package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/http/web"

	"github.com/prometheus/client_golang/prometheus"
)

func TestEveryAnswerIsGuarded(t *testing.T) {
	h := serverOf(io.Discard,
		get("/things", things),
		web.Delete("/things", web.Anyone, web.Do(web.Reads(things), nothing)),
		get("/things/panic", func(*web.Request) (any, error) { panic("x") }),
	).Handler()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/things", 200},
		{"HEAD", "/things", 200},
		{"DELETE", "/things", 204},
		{"OPTIONS", "/things", 204},
		{"PUT", "/things", 405},
		{"GET", "/things/panic", 500},
		{"GET", "/things/none", 404},
		{"GET", "/things?%zz", 400},
		{"GET", "/", 404},
		{"GET", "/healthz", 200},
		{"GET", "/metrics", 200},
		{"GET", "/readyz", 503},
	} {
		w := ask(h, c.method, c.path, "X-Forwarded-Proto", "https")
		if w.Code != c.status {
			t.Errorf("%s %s: %d", c.method, c.path, w.Code)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options":       "nosniff",
			"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
			"Referrer-Policy":              "no-referrer",
			"X-Frame-Options":              "DENY",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
			"Strict-Transport-Security":    "", // It came by nothing but a header that anybody can write.
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s: %q", c.method, c.path, name, got)
			}
		}
	}
}

func TestWhoCameByTLSComesByNothingElse(t *testing.T) {
	w := httptest.NewRecorder()
	serverOf(io.Discard, get("/things", things)).Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "https://h/things", nil))
	if w.Header().Get("Strict-Transport-Security") != "max-age=31536000" {
		t.Errorf("%v", w.Header())
	}
}

func TestOnlyWhatEverybodySeesIsKept(t *testing.T) {
	refuse := func(*web.Request) (any, error) { return nil, domain.ErrUnavailable }
	h := serverOf(io.Discard,
		get("/things", things).Cacheable(time.Hour),
		get("/things/away", refuse).Cacheable(time.Hour),
		get("/things/mine", things),
		web.Get("/things/signed", web.SignedIn, does(things)).Cacheable(time.Hour),
		web.Post("/things", web.Anyone, does(things)).Cacheable(time.Hour),
	).Handler()
	const kept, not = "public, max-age=3600", "no-store"
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/things", 200, kept},
		{"HEAD", "/things", 200, kept},
		{"GET", "/things/away", 503, not},
		{"GET", "/things?x=%zz", 400, not},
		{"GET", "/things/mine", 200, not},
		{"GET", "/things/signed", 401, not},
		{"POST", "/things", 201, not},
		{"PUT", "/things", 405, not},
	} {
		w := ask(h, c.method, c.path)
		if got := w.Header().Get("Cache-Control"); w.Code != c.status || got != c.want {
			t.Errorf("%s %s: %d %q", c.method, c.path, w.Code, got)
		}
	}
}

// What is shown to who says who that is may be another thing; and a cache holds nothing of one request alone.
func TestACacheHoldsNothingOfAnybody(t *testing.T) {
	s := serverOf(io.Discard, get("/things", things).Cacheable(time.Hour))
	s.Host.Limits.Limits = web.Limits{"things GET /things": {Requests: 100, Per: time.Hour}}
	h := s.Handler()
	w := ask(h, "GET", "/things", "X-Request-Id", "mine")
	for _, name := range []string{"X-Client-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		if w.Header().Get(name) != "" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	if tag := w.Header().Get("ETag"); !strings.HasPrefix(tag, `W/"`) || ask(h, "GET", "/things", "If-None-Match", tag).Code != 304 {
		t.Errorf("%v", w.Header())
	}
	if !slices.Contains(w.Header().Values("Vary"), "Authorization") || w.Header().Get("Cache-Control") != "public, max-age=3600" {
		t.Errorf("%v", w.Header())
	}
	if w := ask(h, "GET", "/things", "If-Match", `"x"`); w.Code != 412 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	s.Surfaces[0].Authenticate = web.Bearer(func(context.Context, string) (identity.Caller, error) { return identity.Caller{Realm: "r"}, nil })
	s.Metrics = prometheus.NewRegistry()
	mine := ask(s.Handler(), "GET", "/things", "Authorization", "Bearer x", "X-Request-Id", "mine")
	if mine.Header().Get("Cache-Control") != "no-store" || mine.Header().Get("X-Client-Request-Id") != "mine" {
		t.Errorf("%v", mine.Header())
	}
}

// What a HEAD is told is what a GET is told, and a slash at the end tells nothing.
func TestHEADIsAGETWithoutItsBody(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, get("/things/:size", func(r *web.Request) (any, error) { return sized(r), nil }), get("/things", things))
	for _, path := range []string{
		"/things", "/things/", "/things///", "/things/3", "/things/3/?x=/", "/things/30000", "/things/30000/", "/things/300000",
		"/things/a%2Fb", "/things/a%2F/", "/things/1/2", "/things//1", "/none", "/healthz", "/healthz/", "/readyz", "/things?x=%zz",
	} {
		for _, accept := range []string{"", "Accept-Encoding: gzip\r\n", "Accept: application/problem+json\r\n"} {
			var told [2]http.Header
			for i, method := range []string{"GET", "HEAD"} {
				l := r.dial().say(method + " " + path + " HTTP/1.1\r\nHost: h\r\n" + accept + "\r\n")
				told[i] = headerOf(t, l, method)
			}
			if diff := differ(told[0], told[1]); diff != "" {
				t.Errorf("%s %s%s", path, accept, diff)
			}
		}
	}
}

func TestASlashAtTheEndIsNothing(t *testing.T) {
	h := serverOf(io.Discard, get("/things", things), get("/things/:id", func(r *web.Request) (any, error) {
		return r.Param("id") + "?" + r.Query("q"), nil
	})).Handler()
	for path, want := range map[string]string{
		"/things/": "\"done\"\n", "/things///": "\"done\"\n", "/things/?q=/": "\"done\"\n",
		"/things/1/": "\"1?\"\n", "/things/1/?q=a/": "\"1?a/\"\n", "/things/a%2F": "\"a/?\"\n", "/things/a%2F//": "\"a/?\"\n",
		"/things/%2F": "\"/?\"\n", "/things/%2F/": "\"/?\"\n", "/things/%C3%A9/": "\"é?\"\n", "/things/a%20b%2Fc/": "\"a b/c?\"\n",
		"/things//1": "thing: not found", "/things/1//2/": "thing: not found", "/things/1/2": "thing: not found",
	} {
		if w := ask(h, "GET", path); w.Body.String() != want {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"//things", "/", "//", "/%2F", "//evil.example/"} {
		if w := ask(h, "GET", "http://h"+path); w.Code != 404 || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}
