// Package tracing makes one trace of a request and of all that it leads to. Each event carries the context of the span
// that appended it, as a W3C traceparent in its metadata, which is published with it; what is done about the event
// later, in whichever process, is a child of that span.
//
// A tracer that is nil stands for none: nothing is recorded, and a client's trace is handed on all the same.
package tracing

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"gesta/domain"
	"gesta/eventstore"
)

// The attributes of spans that are ours. None may hold what is personal, nor what a client can choose freely.
const (
	Position  = attribute.Key("gesta.position")
	EventType = attribute.Key("gesta.event.type")
	Outcome   = attribute.Key("gesta.outcome")
	errorType = attribute.Key("error.type")
)

var none trace.Span = noop.Span{}

// Receive begins the span of a request that brings these traceparent headers, and answers a context in which
// everything is caused by it, as m says.
func Receive(ctx context.Context, t trace.Tracer, headers []string, m domain.Meta, name string) context.Context {
	client := client(headers)
	if t == nil {
		m.Traceparent = Format(next(client))
		return domain.WithMeta(ctx, m)
	}
	ctx, span := t.Start(trace.ContextWithRemoteSpanContext(ctx, client), name, trace.WithSpanKind(trace.SpanKindServer))
	m.Traceparent = Format(span.SpanContext())
	return domain.WithMeta(ctx, m)
}

// Start begins a span under that of ctx, or else under the one that its metadata tells, and answers a context in which
// everything is caused by it.
func Start(ctx context.Context, t trace.Tracer, name string, kind trace.SpanKind) (context.Context, trace.Span) {
	if t == nil {
		return ctx, none
	}
	m := domain.MetaOf(ctx)
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, Parse(m.Traceparent))
	}
	ctx, span := t.Start(ctx, name, trace.WithSpanKind(kind))
	m.Traceparent = Format(span.SpanContext())
	return domain.WithMeta(ctx, m), span
}

// Fail says of a span by what kind of error it failed. What the error says stays out: nobody knows what it holds.
func Fail(span trace.Span, err error) {
	span.SetStatus(codes.Error, "")
	span.SetAttributes(errorType.String(fmt.Sprintf("%T", err)))
}

// Step is what is done about one event, together with others: it becomes a span only when it is done.
type Step struct {
	tracer   trace.Tracer
	under    trace.SpanContext
	position int64
	typ      string
	began    time.Time
}

// Begin answers a step where the event's trace is recorded, which costs next to nothing where it is not.
func Begin(t trace.Tracer, r eventstore.Recorded, began time.Time) (s Step, is bool) {
	if t == nil {
		return s, false
	}
	under := contextOf(r.Meta)
	return Step{t, under, r.Position, r.Type, began}, under.IsSampled()
}

// contextOf finds the traceparent in metadata as it is stored. To decode it all would take ten times as long, for each
// event; and nothing else in it can look like that, since quotes within strings are escaped.
func contextOf(meta []byte) trace.SpanContext {
	_, rest, _ := bytes.Cut(meta, []byte(`"traceparent":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return Parse(string(text))
}

// Position is that of the event.
func (s Step) Position() int64 { return s.position }

// End makes a span of a step that is done.
func (s Step) End(name string, kind trace.SpanKind, more ...attribute.KeyValue) {
	_, span := s.tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), s.under), name,
		trace.WithSpanKind(kind), trace.WithTimestamp(s.began))
	span.SetAttributes(Position.Int64(s.position), EventType.String(s.typ))
	span.SetAttributes(more...)
	span.End()
}
