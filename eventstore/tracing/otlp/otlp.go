// Package otlp sends the spans of a process to a collector of OpenTelemetry, by OTLP over HTTP. It is told where and how
// by the environment variables that OpenTelemetry documents (OTEL_…), and does nothing unless they name an endpoint.
//
// Whatever becomes of the collector, nobody else notices: spans wait in a queue that is bounded, and those that find no
// place or can't be sent are counted and forgotten.
package otlp

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options are what the environment does not say. All are needed.
type Options struct {
	Version string
	Log     *slog.Logger
	Metrics *prometheus.Registry
}

// Traces are the spans of a process on their way to the collector.
type Traces struct {
	Tracer trace.Tracer // nil where nothing is traced

	provider *sdktrace.TracerProvider
	sender   *sender
}

// Farewell is how long a process that ends waits for the collector to take the last spans, at most.
const Farewell = 3 * time.Second

// Open begins to trace, if the environment asks for it. What is wrong with the environment is logged, and is no reason
// for anybody else not to work.
func Open(ctx context.Context, o Options) *Traces {
	on, err := asked()
	if err != nil {
		o.Log.Error("nothing is traced", "error", err)
	}
	if !on || err != nil {
		return &Traces{}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		o.Log.Error("nothing is traced", "error", err)
		return &Traces{}
	}
	s := &sender{SpanExporter: exporter, log: o.Log, spans: metrics(o.Metrics)}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(s.complain)) // The SDK knows no other way to say what is wrong.
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(resourceOf(ctx, o.Version)), sdktrace.WithSpanProcessor(newQueue(s)))
	return &Traces{Tracer: provider.Tracer("gesta"), provider: provider, sender: s}
}

// Close sends what has not been sent yet, and waits for it for as long as Farewell. Nothing is traced afterwards.
func (t *Traces) Close() {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), Farewell)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.sender.log.Warn("the last spans were not sent")
		_ = t.sender.Shutdown(ctx) // It breaks off what hangs; there is nothing more to say.
	}
}

func metrics(r *prometheus.Registry) *prometheus.CounterVec {
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gesta_traces_spans_total", Help: "Spans that were recorded, by what became of them: sent, failed, or dropped since too many waited.",
	}, []string{"outcome"})
	r.MustRegister(spans)
	for _, outcome := range []string{sent, failed, dropped} {
		spans.WithLabelValues(outcome)
	}
	return spans
}

// resourceOf names this process. Of the machine and of how it was started nothing is told; OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES may say more, or better.
func resourceOf(ctx context.Context, version string) *resource.Resource {
	r, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "gesta"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		otel.Handle(err) // What could be read is there all the same.
	}
	return r
}

// newQueue has its size from where the SDK has that of its own, so that nothing is dropped there unseen.
func newQueue(s *sender) *queue {
	size, err := strconv.Atoi(os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE"))
	if err != nil || size < 1 {
		size = sdktrace.DefaultMaxQueueSize
	}
	return &queue{SpanProcessor: sdktrace.NewBatchSpanProcessor(s, sdktrace.WithMaxQueueSize(size)), sender: s, size: int64(size)}
}
