package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gesta/domain"
	"gesta/http/web"
)

// A span tells of a request by its route's template, and nothing that the client has chosen.
func TestSpansOfRequests(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	s := serverOf(io.Discard,
		get("/things/broken", func(*web.Request) (any, error) { return nil, io.ErrUnexpectedEOF }),
		get("/things/panic", func(*web.Request) (any, error) { panic("a secret") }),
		get("/things/:id", func(r *web.Request) (any, error) { return r.Param("id"), nil }))
	s.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	h := s.Handler()
	for _, c := range []struct {
		method, path, name, told string
		status                   int
		outcome                  codes.Code
	}{
		{"GET", "/things/secret?secret=1", "GET /things/:id", "GET /things/:id", 200, codes.Unset},
		{"HEAD", "/things/secret/", "HEAD /things/:id", "HEAD /things/:id", 200, codes.Unset},
		{"GET", "/things/secret/more", "GET /things/:id", "GET /things/:id", 404, codes.Unset},
		{"GET", "/things", "GET", "GET", 404, codes.Unset},
		{"PUT", "/things/secret", "PUT", "PUT", 405, codes.Unset},
		{"SECRET", "/things/secret", "HTTP", "_OTHER", 405, codes.Unset},
		{"GET", "/things/%ff", "GET /things/:id", "GET /things/:id", 400, codes.Unset},
		{"GET", "/things/broken", "GET /things/broken", "GET /things/broken", 500, codes.Error},
		{"GET", "/things/panic", "GET /things/panic", "GET /things/panic", 500, codes.Error},
	} {
		spans.Reset()
		w := ask(h, c.method, c.path, "X-Request-Id", "secret", "tracestate", "secret=1", "User-Agent", "secret")
		if w.Code != c.status || len(spans.Ended()) != 1 {
			t.Fatalf("%s %s: %d, %d spans", c.method, c.path, w.Code, len(spans.Ended()))
		}
		span := spans.Ended()[0]
		method, route, _ := strings.Cut(c.told, " ")
		want := map[string]string{
			"http.request.method": method, "http.route": route, "http.response.status_code": strconv.Itoa(c.status),
			"gesta.surface": "things", "gesta.request_id": w.Header().Get("X-Request-Id"),
		}
		if route == "" {
			delete(want, "http.route")
		}
		if diff := cmp.Diff(want, attributes(span)); diff != "" || span.Name() != c.name || span.Status() != (sdktrace.Status{Code: c.outcome}) {
			t.Errorf("%s %s: %s %v %s", c.method, c.path, span.Name(), span.Status(), diff)
		}
		if all := fmt.Sprintf("%+v", tracetest.SpanStubFromReadOnlySpan(span)); strings.Contains(all, "secret") {
			t.Error(all)
		}
	}
}

func attributes(s sdktrace.ReadOnlySpan) map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes() {
		all[string(a.Key)] = a.Value.String()
	}
	return all
}

// What no surface answers has no span, but a trace that its log tells.
func TestProbesAreNotTraced(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	s := serverOf(io.Discard)
	s.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	h := s.Handler()
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/", "/no/such"} {
		ask(h, http.MethodGet, path)
	}
	if n := len(spans.Started()); n != 0 {
		t.Errorf("%d spans", n)
	}
}

// Of several traceparents nobody knows which one is meant.
func TestSeveralTraceparentsAreNone(t *testing.T) {
	t.Parallel()
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	var meta domain.Meta
	h := serverOf(io.Discard, get("/things", func(r *web.Request) (any, error) {
		meta = domain.MetaOf(r.Context())
		return 1, nil
	})).Handler()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/things", nil)
	for n := range 2 {
		r.Header.Add("traceparent", good)
		h.ServeHTTP(discarding{}, r)
		if is := strings.Contains(meta.Traceparent, good[3:35]); is != (n == 0) || len(meta.Traceparent) != len(good) {
			t.Errorf("%d headers: %s", n+1, meta.Traceparent)
		}
	}
}

// discarding takes an answer that nobody reads.
type discarding struct{}

func (discarding) Header() http.Header         { return http.Header{} }
func (discarding) Write(b []byte) (int, error) { return len(b), nil }
func (discarding) WriteHeader(int)             {}
