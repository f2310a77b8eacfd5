package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gesta/eventstore/tracing"
	"gesta/eventstore/tracing/otlp"
	"gesta/eventstore/wait"
	"gesta/http/server"
)

// traced is an installation whose one process runs within the test, and whose spans are recorded.
type traced struct {
	installation
	client
	*tracetest.SpanRecorder
}

func serveTraced(t *testing.T) traced {
	t.Helper()
	i, spans := install(t), tracetest.NewSpanRecorder()
	var flags []string
	for _, e := range append(i.env, "BCRYPT_COST=4") {
		name, value, _ := strings.Cut(e, "=")
		flags = append(flags, "--"+strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "GESTA_"), "_", "-"))+"="+value)
	}
	s, log := parse(t, flags...), slog.New(slog.DiscardHandler)
	sys, err := s.system(t.Context())
	if err == nil {
		err = sys.ready(t.Context(), log)
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.openFor(t.Context(), sys, log, allRoles)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	a.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	return traced{i, client{t, runNode(t, a, s.NATSURL)}, spans}
}

// runNode runs all roles until the test ends, and answers where.
func runNode(t *testing.T, a *app, natsURL string) (base string) {
	t.Helper()
	nc, err := nats.Connect(natsURL, natsOptions(a.log)...)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(a, nc, plan{roles: allRoles, started: func(context.Context, *node) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if n.listeners, err = server.Listen(t.Context(), []string{"127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		nc.Close()
	})
	return "http://" + n.addresses()[0]
}

// isAtWork waits until the first events are dealt with by everybody: the read models are made with those that are there,
// and policies begin after them.
func (c traced) isAtWork() {
	c.t.Helper()
	wait.Until(c.t, "everybody is at work", func() bool {
		if c.do(http.MethodGet, "/readyz", "", nil).status != http.StatusOK {
			return false
		}
		projector, policies := c.role("projector"), c.role("policies")
		return projector["lag"] == float64(0) && policies["lag"] == float64(0) && projector["position"] == c.detail()["head"]
	})
}

// with makes a call under a traceparent.
func (c traced) with(traceparent string, status int, path string, body any) answer {
	c.t.Helper()
	r := c.request(http.MethodPost, path, "", body)
	r.Header.Set("traceparent", traceparent)
	a := c.send(r)
	if a.status != status {
		c.t.Fatalf("%s: %d %s", path, a.status, a.text)
	}
	return a
}

// lines of a trace are its spans, each with those above it, in alphabetical order.
func (c traced) lines(traceID string) (lines []string) {
	all := c.Ended()
	for _, s := range all {
		if s.SpanContext().TraceID().String() == traceID {
			lines = append(lines, lineOf(all, s))
		}
	}
	slices.Sort(lines)
	return lines
}

func lineOf(all []sdktrace.ReadOnlySpan, s sdktrace.ReadOnlySpan) string {
	i := slices.IndexFunc(all, func(above sdktrace.ReadOnlySpan) bool {
		return above.SpanContext().Equal(s.Parent().WithRemote(false))
	})
	if i >= 0 {
		return lineOf(all, all[i]) + " > " + s.Name()
	}
	return s.Parent().SpanID().String() + " > " + s.Name()
}

// awaitLines waits until a trace is whole.
func (c traced) awaitLines(traceID string, want ...string) {
	c.t.Helper()
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("the trace:\n%s", strings.Join(c.lines(traceID), "\n"))
		}
	})
	wait.Until(c.t, "the trace is whole", func() bool { return slices.Equal(c.lines(traceID), want) })
}

const (
	clientTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan  = "00f067aa0ba902b7"
	guessTrace  = "0af7651916cd43dd8448eb211c80319c"
)

// A request, the events that it leads to and what is done about them are one trace, from the client's on.
func TestARequestAndWhatFollowsAreOneTrace(t *testing.T) {
	t.Parallel()
	c := serveTraced(t)
	c.with("00-"+strings.Repeat("ab", 16)+"-"+clientSpan+"-00", 201, "/users", registration("bob@example.com"))
	c.isAtWork()
	user := c.with("00-"+clientTrace+"-"+clientSpan+"-01", 201, "/users", registration("ann@example.com"))
	post := clientSpan + " > POST /users"
	c.awaitLines(clientTrace, post, post+" > append", post+" > append > projection apply", post+" > append > relay publish")
	if event := mustGesta(t, c.env, "events", "export", "--type", "identity.user.registered"); !strings.Contains(event, c.traceparentOf("append")) {
		t.Errorf("the append is not what is published:\n%s", event)
	}

	for range 5 {
		c.with("00-"+guessTrace+"-"+clientSpan+"-01", 401, "/auth/login", map[string]string{"email": "ann@example.com", "password": "guess-me"})
	}
	var want []string
	login, policy := clientSpan+" > POST /auth/login", " > append > policy suspect_sign_in"
	for range 5 {
		want = append(want, login, login+" > append", login+" > append > projection apply", login+" > append > relay publish", login+policy)
	}
	suspected := login + policy + " > append"
	want = append(want, suspected, suspected+" > projection apply", suspected+" > relay publish")
	slices.Sort(want)
	c.awaitLines(guessTrace, want...)
	for _, s := range c.Ended() {
		if id := s.SpanContext().TraceID().String(); id != clientTrace && id != guessTrace {
			t.Errorf("%s is of another trace: %s", s.Name(), id)
		}
	}
	c.with("00-"+strings.Repeat("cd", 16)+"-"+clientSpan+"-01", 200, "/auth/login", credentials("ann@example.com"))
	c.tellsNobody(user.field("id"))
}

// traceparentOf is what follows a span is told.
func (c traced) traceparentOf(name string) string {
	for _, s := range c.Ended() {
		if s.Name() == name {
			return tracing.Format(s.SpanContext())
		}
	}
	return "no span"
}

// tellsNobody looks for what no span may say.
func (c traced) tellsNobody(known ...string) {
	c.t.Helper()
	for _, s := range c.Ended() {
		all := fmt.Sprintf("%+v", tracetest.SpanStubFromReadOnlySpan(s))
		for _, what := range append(known, "ann@", "bob@", "example.com", "5511999999999", "pass123", "guess-me", "eyJ", "127.0.0.1", "localhost") {
			if strings.Contains(strings.ToLower(all), strings.ToLower(what)) {
				c.t.Errorf("%q stands in %s", what, all)
			}
		}
	}
}

// A process sends its spans when it ends, at the latest.
func TestAProcessSendsItsSpans(t *testing.T) {
	t.Parallel()
	var told atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told.Add(int64(strings.Count(string(body), "POST /users")))
	}))
	defer collector.Close()
	i := install(t)
	i.env = append(i.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_BSP_SCHEDULE_DELAY=3600000")
	p, api := i.serve(t, "api,relay,projector,policies")
	api.expect(201, "POST", "/users", "", registration("ann@example.com"))
	p.stop()
	if told.Load() == 0 {
		t.Error("nothing has reached the collector")
	}
}

// A collector that does not answer, or is not there, changes nothing for anybody, nor does it keep a process from
// ending.
func TestACollectorIsNotNeeded(t *testing.T) {
	t.Parallel()
	finish := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-finish }))
	defer hanging.Close()
	defer close(finish)
	for _, endpoint := range []string{hanging.URL, "http://127.0.0.1:1"} {
		i := install(t)
		i.env = append(i.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_BSP_MAX_QUEUE_SIZE=2")
		p, api := i.serve(t, "api,relay,projector,policies")
		api.settles()
		for n := range 5 {
			if a := api.expect(201, "POST", "/users", "", registration(fmt.Sprintf("user%d@example.com", n))); a.header.Get("X-Read-Model") != "" {
				t.Errorf("%v", a.header)
			}
		}
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > otlp.Farewell+10*time.Second {
			t.Errorf("%s: it takes %s to end", endpoint, took)
		}
	}
}
