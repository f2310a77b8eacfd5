package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gesta/domain"
	"gesta/eventstore/wait"
	"gesta/http/server"
	"gesta/http/web"
)

func TestMain(m *testing.M) {
	m.Run()
	wait.NoLeaks()
}

// thing is a surface with rows that do what tests need.
func thing(rows ...web.Route) web.Surface {
	return web.Surface{
		Name: "things", Realm: "realm", Prefixes: []string{"/things"}, Routes: rows,
		Dialect: web.Dialect{Fault: func(f *domain.Fault) web.Body { return web.Body{Type: "text/plain", Value: "thing: " + f.Error()} }},
	}
}

func get(path string, f func(*web.Request) (any, error)) web.Route {
	return web.Get(path, web.Anyone, does(f))
}

func does(f func(*web.Request) (any, error)) web.Handler {
	return web.Handle(web.Reads(f), func(_ context.Context, v any) (any, error) { return v, nil }, func(v any) any { return v })
}

func serverOf(log io.Writer, rows ...web.Route) *server.Server {
	return &server.Server{
		Surfaces: []web.Surface{thing(rows...)}, Metrics: prometheus.NewRegistry(),
		Host:  web.Host{Limits: &web.Limiter{Counter: &web.Counts{Now: time.Now}, Now: time.Now}},
		Log:   slog.New(server.LogHandler{Handler: slog.NewJSONHandler(log, nil)}),
		Ready: func(context.Context) server.Readiness { return server.Readiness{} },
	}
}

func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestARefusalIsInTheWordsOfWhoOwnsThePath(t *testing.T) {
	var log bytes.Buffer
	h := serverOf(&log,
		get("/things/panic", func(*web.Request) (any, error) { panic("a secret of the program") }),
		get("/things/away", func(*web.Request) (any, error) {
			return nil, fmt.Errorf("%w (a batch was given up: %w)", domain.ErrUnavailable, context.Canceled)
		}),
		get("/things/broken", func(*web.Request) (any, error) { return nil, io.ErrUnexpectedEOF }),
		get("/things/:id", func(r *web.Request) (any, error) { return r.Param("id"), nil }),
	).Handler()
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/things/panic", 500, "thing: internal server error"},
		{"GET", "/things/broken", 500, "thing: internal server error"},
		{"GET", "/things/away", 503, "thing: " + domain.ErrUnavailable.Text},
		{"GET", "/things/no/such", 404, "thing: not found"},
		{"GET", "/things", 404, "thing: not found"},
		{"PUT", "/things/1", 405, "thing: method not allowed"},
		{"GET", "/things/%ff", 400, "thing: invalid path or query"},
		{"GET", "/things/1?x=%00", 400, "thing: invalid path or query"},
		{"GET", "/things/1?x=1;y=2", 400, "thing: invalid path or query"},
		{"GET", "/things/1?x=%zz", 400, "thing: invalid path or query"},
		{"GET", "/thingsandmore", 404, `"title":"Not Found"`},
		{"GET", "/", 404, `"title":"Not Found"`},
		{"GET", "/things/1/", 200, `"1"`},
		{"GET", "/things/a%2Fb", 200, `"a/b"`},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 503, `"ready":false`},
	} {
		if w := ask(h, c.method, c.path); w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
	if strings.Contains(log.String(), "/things/1") {
		t.Error("a path is logged: paths can hold what is personal")
	}
	if !strings.Contains(log.String(), "a secret of the program") {
		t.Error("a panic is not logged")
	}
}

func TestIdsOfARequest(t *testing.T) {
	var log bytes.Buffer
	var meta domain.Meta
	h := serverOf(&log, get("/things", func(r *web.Request) (any, error) {
		meta = domain.MetaOf(r.Context())
		return 1, nil
	})).Handler()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	w := ask(h, "GET", "/things", "X-Request-Id", "mine-1", "traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	if w.Header().Get("X-Client-Request-Id") != "mine-1" || w.Header().Get("X-Request-Id") != meta.Request {
		t.Errorf("%v", w.Header())
	}
	if meta.ClientRequest != "mine-1" || meta.Realm != "realm" || meta.Surface != "things" || !strings.Contains(meta.Traceparent, trace) {
		t.Errorf("%+v", meta)
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line["request_id"] != meta.Request || line["trace_id"] != trace {
		t.Errorf("%v %v", err, line)
	}
	w = ask(h, "GET", "/things", "X-Request-Id", "not an id\n", "traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")
	if w.Header().Get("X-Client-Request-Id") != "" || strings.Contains(meta.Traceparent, "-00000000000000000000000000000000-") {
		t.Errorf("%v %+v", w.Header(), meta)
	}
}

// When the server stops, requests that have begun are answered.
func TestServeLetsRequestsFinish(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	s := serverOf(io.Discard, get("/things", func(*web.Request) (any, error) {
		close(began)
		<-finish
		return "done", nil
	}))
	listeners, err := server.Listen(t.Context(), []string{"localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listeners) }()
	answered := make(chan string, 1)
	go func() { answered <- fetch("http://" + listeners[0].Addr().String() + "/things") }()
	<-began
	stop()
	for refused := false; !refused; { // The listener closes at once.
		c, err := net.Dial("tcp", listeners[0].Addr().String())
		if refused = err != nil; !refused {
			_ = c.Close()
		}
	}
	close(finish)
	if got := <-answered; !strings.Contains(got, "done") {
		t.Errorf("answered %q", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func fetch(url string) string {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestListenRefusesWhatIsTaken(t *testing.T) {
	first, err := server.Listen(t.Context(), []string{"127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer first[0].Close()
	if _, err := server.Listen(t.Context(), []string{"localhost:0", first[0].Addr().String()}); err == nil {
		t.Error("a port is taken twice")
	}
	if _, err := server.Listen(t.Context(), []string{"no port"}); err == nil {
		t.Error("no port is listened on")
	}
}
