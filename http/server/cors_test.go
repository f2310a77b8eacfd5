package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gesta/domain"
	"gesta/http/server"
	"gesta/http/web"
)

const page = "https://app.example.com"

// shared is a server whose surface lets pages read it.
func shared(cors web.CORS, rows ...web.Route) *server.Server {
	s := serverOf(io.Discard, rows...)
	s.Surfaces[0].CORS = cors
	s.Surfaces = append(s.Surfaces, web.Surface{
		Name: "others", Prefixes: []string{"/others"}, Dialect: s.Surfaces[0].Dialect, Routes: []web.Route{get("/others", things)},
	})
	return s
}

func TestPreflights(t *testing.T) {
	row := func(r web.Route) web.Route { r.Access = web.SignedIn; return r } // A preflight brings no token.
	rows := []web.Route{row(get("/things/:id", things)), row(web.Put("/things/:id", web.Anyone, does(things))), row(post(readBody))}
	one := web.CORS{Origins: web.Origins{page}}
	const sendable = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Min-Position, X-Request-Id, traceparent, tracestate"
	allowed := map[string]string{
		"Access-Control-Allow-Origin": page, "Access-Control-Allow-Methods": "GET, HEAD, PUT",
		"Access-Control-Allow-Headers": sendable, "Access-Control-Max-Age": "7200", "Vary": "Origin", "Allow": "OPTIONS, GET, HEAD, PUT",
	}
	none := map[string]string{
		"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "", "Access-Control-Allow-Headers": "", "Access-Control-Max-Age": "",
	}
	for name, c := range map[string]struct {
		cors   web.CORS
		path   string
		origin string
		status int
		want   map[string]string
	}{
		"a path with rows":           {one, "/things/1", page, 204, allowed},
		"a slash at the end":         {one, "/things/1/?x=1", page, 204, allowed},
		"an encoded slash":           {one, "/things/a%2Fb", page, 204, allowed},
		"one method":                 {one, "/things", page, 204, map[string]string{"Access-Control-Allow-Methods": "POST"}},
		"another page":               {one, "/things/1", "https://evil.example", 204, none},
		"a page without an origin":   {one, "/things/1", "null", 204, none},
		"a surface that shares none": {one, "/others", page, 204, none},
		"any page":                   {web.CORS{Origins: web.Origins{"*"}}, "/things", page, 204, map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": ""}},
		"with cookies and headers": {
			web.CORS{Origins: web.Origins{page}, Credentials: true, Headers: []string{"X-API-Key"}},
			"/things", page, 204,
			map[string]string{"Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Headers": sendable + ", X-API-Key"},
		},
		"a path without rows":  {one, "/things/1/2", page, 404, map[string]string{"Access-Control-Allow-Origin": page, "Access-Control-Allow-Methods": "", "Allow": ""}},
		"another one":          {one, "/things/1//", page, 204, allowed},
		"two slashes within":   {one, "/things//1", page, 404, map[string]string{"Allow": ""}},
		"a path nobody owns":   {one, "/nothing", page, 404, none},
		"a path with bad text": {one, "/things/%ff", page, 400, map[string]string{"Access-Control-Allow-Origin": page}},
	} {
		w := ask(shared(c.cors, rows...).Handler(), "OPTIONS", c.path, "Origin", c.origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization")
		if w.Code != c.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		for header, want := range c.want {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s: %q, not %q", name, header, got, want)
			}
		}
	}
}

func TestOptionsSaysWhatAPathHas(t *testing.T) {
	h := serverOf(io.Discard, get("/things", things), post(readBody)).Handler()
	w := ask(h, "OPTIONS", "/things")
	if w.Code != 204 || w.Header().Get("Allow") != "OPTIONS, GET, HEAD, POST" || w.Body.Len() > 0 || w.Header().Get("Vary") != "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	w = ask(h, "PATCH", "/things")
	if w.Code != 405 || w.Header().Get("Allow") != "OPTIONS, GET, HEAD, POST" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// A page must be able to read why it was refused; of what is not its business it sees nothing.
func TestEveryAnswerTellsWhoMayReadIt(t *testing.T) {
	s := shared(web.CORS{Origins: web.Origins{page}},
		get("/things", things),
		get("/things/panic", func(*web.Request) (any, error) { panic("x") }),
		get("/things/away", func(*web.Request) (any, error) { return nil, domain.ErrUnavailable }),
		get("/things/often", things),
		web.Get("/things/mine", web.SignedIn, does(things)),
		web.Post("/things", web.Anyone, does(readBody)))
	s.Host.Limits.Limits = map[string]web.Limit{"things GET /things/often": {Requests: 1, Per: time.Hour}}
	h := s.Handler()
	ask(h, "GET", "/things/often")
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/things", 200},
		{"HEAD", "/things", 200},
		{"GET", "/things/panic", 500},
		{"GET", "/things/away", 503},
		{"GET", "/things/often", 429},
		{"GET", "/things/mine", 401},
		{"GET", "/things/none", 404},
		{"PUT", "/things", 405},
		{"GET", "/things?x=%zz", 400},
	} {
		for origin, want := range map[string]string{page: page, "https://evil.example": "", "": ""} {
			w := ask(h, c.method, c.path, "Origin", origin)
			exposed := w.Header().Get("Access-Control-Expose-Headers")
			if w.Code != c.status || w.Header().Get("Access-Control-Allow-Origin") != want || strings.Contains(exposed, "X-Request-Id") != (want != "") {
				t.Errorf("%s %s from %q: %d %v", c.method, c.path, origin, w.Code, w.Header())
			}
			if !varies(w.Header(), "Origin") {
				t.Errorf("%s %s from %q: Vary: %v", c.method, c.path, origin, w.Header()["Vary"])
			}
		}
	}
	if w := ask(h, "GET", "/others", "Origin", page); w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "" || varies(w.Header(), "Origin") {
		t.Errorf("another surface: %d %v", w.Code, w.Header())
	}
}

func varies(h http.Header, by string) bool {
	return strings.Contains(", "+strings.Join(h.Values("Vary"), ", ")+", ", ", "+by+", ")
}

// Preflights are answered when there is no place for anybody else.
func TestPreflightsPassTheGate(t *testing.T) {
	t.Parallel()
	began, finish := make(chan struct{}), make(chan struct{})
	r := run(t, func(s *server.Server) {
		s.Limits.Requests = 1
		s.Surfaces[0].CORS.Origins = web.Origins{page}
	}, get("/things", func(*web.Request) (any, error) { close(began); <-finish; return "done", nil }))
	working := r.dial().say(hello)
	<-began
	a := r.dial().say("OPTIONS /things HTTP/1.1\r\nHost: h\r\nOrigin: "+page+"\r\nAccess-Control-Request-Method: GET\r\n\r\n").hear(204, "")
	if a.Header.Get("Access-Control-Allow-Methods") != "GET, HEAD" {
		t.Errorf("%v", a.Header)
	}
	close(finish)
	working.hear(200, "done")
}
