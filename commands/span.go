package commands

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/tracing"
)

// beginSpan begins the span of an append, which the events will name as what they come from: so it begins before their
// metadata is written.
func (w *Work) beginSpan() (span trace.Span) {
	w.ctx, span = tracing.Start(w.ctx, w.x.Tracer, "append", trace.SpanKindInternal)
	return span
}

// endSpan says what became of an append. That the store refuses one is no failure.
func (w *Work) endSpan(span trace.Span, receipt eventstore.Receipt, err error) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	events, kinds := 0, []string{}
	for _, t := range w.tracks {
		if len(t.events) > 0 {
			events, kinds = events+len(t.events), append(kinds, t.stream.Kind)
		}
	}
	span.SetAttributes(attribute.Int("gesta.append.events", events), attribute.StringSlice("gesta.append.kinds", kinds))
	switch {
	case err == nil:
		span.SetAttributes(tracing.Position.Int64(receipt.Last))
	case errors.Is(unavailable(err), domain.ErrUnavailable):
		tracing.Fail(span, err)
	default:
		span.SetAttributes(tracing.Outcome.String("refused"))
	}
}

// describe says what came of a reaction.
func describe(span trace.Span, r eventstore.Recorded, outcome string) {
	if span.IsRecording() {
		span.SetAttributes(tracing.Position.Int64(r.Position), tracing.EventType.String(r.Type), tracing.Outcome.String(outcome))
	}
}
