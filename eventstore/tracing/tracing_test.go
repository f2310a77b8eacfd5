package tracing_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/tracing"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	good    = "00-" + traceID + "-" + spanID + "-01"
)

func TestATraceparentIsReadAsW3CSays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		good:                      good,
		good[:53] + "00":          good[:53] + "00",
		good[:53] + "03":          good[:53] + "03",
		good[:53] + "fd":          good[:53] + "01", // Flags that nobody knows are not handed on.
		"01" + good[2:]:           good,
		"cc" + good[2:] + "-more": good,
		"cc" + good[2:] + "more":  "",
		"ff" + good[2:]:           "",
		"0g" + good[2:]:           "",
		"CC" + good[2:]:           "",
		good + "-more":            "",
		good + " ":                "",
		good[:54]:                 "",
		good[:53] + "0G":          "",
		good[:53] + "0A":          "",
		strings.ToUpper(good):     "",
		strings.Replace(good, traceID, strings.Repeat("0", 32), 1):  "",
		strings.Replace(good, spanID, strings.Repeat("0", 16), 1):   "",
		strings.Replace(good, traceID, strings.ToUpper(traceID), 1): "",
		strings.Replace(good, "-"+spanID, "_"+spanID, 1):            "",
		strings.Replace(good, traceID+"-", traceID+"0", 1):          "",
		strings.Replace(good, spanID+"-", spanID+"0", 1):            "",
		strings.Replace(good, "00-4", "00_4", 1):                    "",
		strings.Replace(good, traceID, "é"+traceID[2:], 1):          "",
		"": "",
	} {
		if got := tracing.Format(tracing.Parse(text)); got != want {
			t.Errorf("%q is read as %q, not %q", text, got, want)
		}
	}
}

// received is what a request's events are told, with these headers.
func received(tracer trace.Tracer, headers ...string) string {
	ctx := tracing.Receive(context.Background(), tracer, headers, domain.Meta{Request: "r"}, "GET")
	return domain.MetaOf(ctx).Traceparent
}

// Where nothing is traced a client's trace goes on all the same, and flags stay; any other request has a new one.
func TestAClientsTraceGoesOnWithoutATracer(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"00", "01"} {
		if got := received(nil, good[:53]+flags); !strings.HasPrefix(got, "00-"+traceID+"-") || got[53:] != flags || got[36:52] == spanID {
			t.Errorf("%s is told", got)
		}
	}
	seen := map[string]bool{}
	for _, headers := range [][]string{nil, {""}, {"none"}, {good, good}, {strings.ToUpper(good)}} {
		got := received(nil, headers...)
		if c := tracing.Parse(got); !c.IsSampled() || c.TraceID().String() == traceID || seen[c.TraceID().String()] {
			t.Errorf("%q becomes %s", headers, got)
		}
		seen[got[3:35]] = true
	}
}

// recorder records what the default sampler lets through.
func recorder() (trace.Tracer, *tracetest.SpanRecorder) {
	r := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)).Tracer("test"), r
}

// What is told is a span of ours, and whether it is recorded the client has decided.
func TestARequestsSpanFollowsTheClients(t *testing.T) {
	t.Parallel()
	tracer, r := recorder()
	got := tracing.Parse(received(tracer, good))
	if got.TraceID().String() != traceID || !got.IsSampled() {
		t.Errorf("%+v", got)
	}
	if s := r.Started(); len(s) != 1 || s[0].SpanContext().SpanID() != got.SpanID() || s[0].Parent().SpanID().String() != spanID ||
		s[0].SpanKind() != trace.SpanKindServer {
		t.Fatalf("%+v", s)
	}
	if got := received(tracer, good[:53]+"00"); !strings.HasPrefix(got, "00-"+traceID) || got[53:] != "00" {
		t.Errorf("%s is told", got)
	}
	if got := received(tracer, "none"); !tracing.Parse(got).IsSampled() || strings.Contains(got, traceID) {
		t.Errorf("%s is told", got)
	}
	if s := r.Started(); len(s) != 2 || s[1].Parent().IsValid() {
		t.Errorf("%+v", s)
	}
}

// A span follows the one around it, or the one that its cause's metadata names.
func TestASpanFollowsItsCause(t *testing.T) {
	t.Parallel()
	tracer, r := recorder()
	ctx, outer := tracing.Start(domain.WithMeta(t.Context(), domain.Meta{Actor: "a", Traceparent: good}), tracer, "outer", trace.SpanKindConsumer)
	ctx, inner := tracing.Start(ctx, tracer, "inner", trace.SpanKindInternal)
	want := domain.Meta{Actor: "a", Traceparent: tracing.Format(inner.SpanContext())}
	if diff := cmp.Diff(want, domain.MetaOf(ctx)); diff != "" {
		t.Error(diff)
	}
	tracing.Fail(inner, &eventstore.Conflict{})
	inner.End()
	outer.End()
	ended := r.Ended()
	if p := ended[1].Parent(); p.SpanID().String() != spanID || !p.IsRemote() {
		t.Errorf("%+v", p)
	}
	if ended[0].Parent().SpanID() != outer.SpanContext().SpanID() || ended[0].Attributes()[0].Value.AsString() != "*eventstore.Conflict" {
		t.Errorf("%+v", ended[0])
	}
}

func recorded(t *testing.T, traceparent string) eventstore.Recorded {
	t.Helper()
	meta, err := json.Marshal(domain.Meta{Actor: `"traceparent":"` + good + `"`, Traceparent: traceparent})
	if err != nil {
		t.Fatal(err)
	}
	return eventstore.Recorded{NewEvent: eventstore.NewEvent{Type: "test.thing.done", Meta: meta}, Position: 7}
}

func TestAStepFollowsItsEvent(t *testing.T) {
	t.Parallel()
	tracer, r := recorder()
	began := time.Now().Add(-time.Minute)
	step, is := tracing.Begin(tracer, recorded(t, good), began)
	if !is || step.Position() != 7 {
		t.Fatal("a step is not traced")
	}
	step.End("step", trace.SpanKindConsumer)
	s := r.Ended()[0]
	if s.Parent().SpanID().String() != spanID || s.SpanContext().TraceID().String() != traceID || !s.StartTime().Equal(began) ||
		s.Attributes()[0] != tracing.Position.Int64(7) || s.Attributes()[1] != tracing.EventType.String("test.thing.done") {
		t.Errorf("%+v", s)
	}
}

// Events that nobody traces cost next to nothing: one copy of what they are told, and nothing where nobody traces.
func TestWhatIsNotTracedCostsNothing(t *testing.T) {
	tracer, r := recorder()
	for _, c := range []struct {
		tracer      trace.Tracer
		traceparent string
		most        float64
	}{{nil, good, 0}, {tracer, good[:53] + "00", 1}, {tracer, "", 0}} {
		event := recorded(t, c.traceparent)
		if n := testing.AllocsPerRun(100, func() {
			if _, is := tracing.Begin(c.tracer, event, time.Time{}); is {
				t.Error("a step is traced")
			}
		}); n > c.most {
			t.Errorf("%q: %v allocations", c.traceparent, n)
		}
	}
	ctx := domain.WithMeta(t.Context(), domain.Meta{Traceparent: good})
	if n := testing.AllocsPerRun(100, func() {
		same, span := tracing.Start(ctx, nil, "none", trace.SpanKindInternal)
		if span.End(); same != ctx || span.IsRecording() {
			t.Error("a span is begun")
		}
	}); n > 0 || len(r.Started()) > 0 {
		t.Errorf("%v allocations, %d spans", n, len(r.Started()))
	}
}
