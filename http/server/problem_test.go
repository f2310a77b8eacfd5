package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gesta/domain"
	"gesta/http/server"
	"gesta/http/web"
)

// Each refusal is in the surface's own words, byte for byte, or a problem with the same status and headers.
func TestWhoAsksForProblemsGetsThem(t *testing.T) {
	brew := &domain.Fault{Kind: domain.Conflict, Code: "teapot", Text: "no coffee"}
	s := serverOf(io.Discard,
		get("/things", things),
		get("/things/panic", func(*web.Request) (any, error) { panic("a secret of the program") }),
		get("/things/broken", func(*web.Request) (any, error) { return nil, fmt.Errorf("a secret: %w", io.ErrUnexpectedEOF) }),
		get("/things/away", func(*web.Request) (any, error) { return nil, domain.ErrUnavailable }),
		get("/things/tea", func(*web.Request) (any, error) { return nil, brew }),
		get("/things/often", things),
		web.Get("/things/pages", web.Anyone, web.Handle(web.Lists(1, 2), nil, showNothing)),
		web.Get("/things/mine", web.SignedIn, does(things)),
		post(readBody))
	own := s.Surfaces[0].Dialect.Fault
	s.Surfaces[0].Dialect.Fault = func(f *domain.Fault) web.Body {
		b := own(f)
		if f == brew {
			b.Status = 418
		}
		return b
	}
	s.Host.Limits.Limits = map[string]web.Limit{"things GET /things/often": {Requests: 1, Per: time.Hour}}
	h := s.Handler()
	ask(h, "GET", "/things/often")
	for _, c := range []struct {
		method, path string
		status       int
		code, says   string
		own          string
	}{
		{"GET", "/things/panic", 500, "internal", "internal server error", "thing: internal server error"},
		{"GET", "/things/broken", 500, "internal", "internal server error", "thing: internal server error"},
		{"GET", "/things/away", 503, "unavailable", domain.ErrUnavailable.Text, "thing: " + domain.ErrUnavailable.Text},
		{"GET", "/things/tea", 418, "teapot", "no coffee", "thing: no coffee"},
		{"GET", "/things/often", 429, "rate_limit_exceeded", "too many requests", "thing: too many requests"},
		{"GET", "/things/mine", 401, "invalid_token", "", "thing: "},
		{"GET", "/things/no/such", 404, "not_found", "not found", "thing: not found"},
		{"PUT", "/things", 405, "method_not_allowed", "method not allowed", "thing: method not allowed"},
		{"GET", "/things?x=%zz", 400, "invalid_url", "invalid path or query", "thing: invalid path or query"},
		{"GET", "/things/pages?page=0&page_size=3", 400, "invalid_query", "invalid query", "thing: invalid query: page must be a number from 1 to 2147483647"},
	} {
		plain := ask(h, c.method, c.path, "Accept", "application/problem+json;q=0, application/*, */*")
		if plain.Code != c.status || !strings.HasPrefix(plain.Body.String(), c.own) || plain.Header().Get("Content-Type") != "text/plain" || !varies(plain.Header(), "Accept") {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, plain.Code, plain.Header(), plain.Body)
		}
		w := ask(h, c.method, c.path, "Accept", "text/html, application/problem+json;q=0.1")
		p := problemOf(t, w)
		if w.Code != c.status || p.Status != c.status || p.Code != c.code || !strings.HasPrefix(p.Detail, c.says) || !varies(w.Header(), "Accept") {
			t.Errorf("%s %s: %d %v %+v", c.method, c.path, w.Code, w.Header(), p)
		}
		for _, name := range []string{"Retry-After", "Allow", "WWW-Authenticate"} {
			if w.Header().Get(name) != plain.Header().Get(name) {
				t.Errorf("%s %s: %s: %q", c.method, c.path, name, w.Header().Get(name))
			}
		}
	}
	if p := problemOf(t, ask(h, "GET", "/things/pages?page=0&page_size=3", "Accept", web.ProblemJSON)); len(p.Errors) != 2 || p.Errors[1].Parameter != "page_size" {
		t.Errorf("%+v", p)
	}
	if w := ask(h, "GET", "/things", "Accept", web.ProblemJSON); w.Code != 200 || w.Header().Get("Content-Type") != web.JSON || varies(w.Header(), "Accept") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := ask(h, "GET", "/nobody/owns/this"); w.Code != 404 || problemOf(t, w).Code != "not_found" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func showNothing(any) any { return nil }

// problemOf reads a problem, which must name its request, and no secret.
func problemOf(t *testing.T, w *httptest.ResponseRecorder) (p web.Problem) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != web.ProblemJSON {
		t.Fatalf("%v %v %s", err, w.Header(), w.Body)
	}
	if p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") || p.Type != "urn:gesta:problem:"+p.Code || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%s %v", w.Body, w.Header())
	}
	return p
}

// What is too large, and what there is no place for, is a problem as well.
func TestTheEdgesRefusalsAreProblems(t *testing.T) {
	t.Parallel()
	const head, accept = " HTTP/1.1\r\nHost: h\r\n", "Accept: application/problem+json\r\n"
	r := run(t, func(s *server.Server) { s.Limits.Bodies = 3 << 20 }, get("/things", things), post(readBody))
	large := strings.Repeat("x", 1<<20)
	r.dial().say("POST /things"+head+accept+fmt.Sprintf("Content-Length: %d\r\n\r\n{%s", len(large)+1, large)).hear(413, `"code":"too_large"`)
	full := run(t, func(s *server.Server) { s.Limits.Bodies = 1 }, get("/things", things), post(readBody))
	full.dial().say("POST /things"+head+accept+"Content-Length: 2\r\n\r\n{}").hear(503, `"code":"overloaded"`)
	full.dial().say("POST /things"+head+"Content-Length: 2\r\n\r\n{}").hear(503, "thing: overloaded")
}
