package otlp

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// What becomes of spans.
const (
	sent    = "sent"
	failed  = "failed"
	dropped = "dropped"
)

// queue lets no more spans wait than the processor behind it has room for.
type queue struct {
	sdktrace.SpanProcessor
	sender *sender
	size   int64
}

// OnEnd never waits.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if q.sender.waiting.Add(1) > q.size {
		q.sender.waiting.Add(-1)
		q.sender.lost(dropped, 1, errFull)
		return
	}
	q.SpanProcessor.OnEnd(s)
}

var errFull = errors.New("too many spans wait to be sent")

// sender counts what is sent, and says now and then that something is not.
type sender struct {
	sdktrace.SpanExporter
	log     *slog.Logger
	spans   *prometheus.CounterVec
	waiting atomic.Int64 // spans that have ended and are not sent yet
	said    atomic.Int64 // when something was last said; Unix nanoseconds
}

// ExportSpans does not fail: nobody could do anything about it.
func (s *sender) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, spans)
	s.waiting.Add(-int64(len(spans)))
	if err != nil {
		s.lost(failed, len(spans), err)
		return nil
	}
	s.spans.WithLabelValues(sent).Add(float64(len(spans)))
	return nil
}

func (s *sender) lost(outcome string, spans int, err error) {
	s.spans.WithLabelValues(outcome).Add(float64(spans))
	s.complain(err)
}

// sayEvery is the time between two lines of the log about what does not work.
const sayEvery = time.Minute

func (s *sender) complain(err error) {
	now, said := time.Now().UnixNano(), s.said.Load()
	if now-said > int64(sayEvery) && s.said.CompareAndSwap(said, now) {
		s.log.Warn("spans are lost, or not what they should be; gesta_traces_spans_total counts them", "error", toldOf(err))
	}
}

var status = regexp.MustCompile(`\b[3-5]\d\d [A-Z][A-Za-z ]+`)

// toldOf leaves out what a collector answers, and its address, which may hold a password.
func toldOf(err error) string {
	var unreached *url.Error
	if errors.As(err, &unreached) {
		return unreached.Err.Error()
	}
	if refused := status.FindString(err.Error()); refused != "" {
		return "the collector says " + refused
	}
	if errors.Is(err, errFull) {
		return errFull.Error()
	}
	return "the SDK of OpenTelemetry, or the collector, refuses"
}
