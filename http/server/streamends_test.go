package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gesta/eventstore/wait"
	"gesta/http/server"
	"gesta/http/web"
)

// journal is a log that is looked at while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// request is the line of the first request; nil before it is there.
func (j *journal) request() (line map[string]any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for text := range strings.Lines(j.text.String()) {
		if err := json.Unmarshal([]byte(text), &line); err == nil && line["msg"] == "request" {
			return line
		}
	}
	return nil
}

// Metrics, log and span tell of what was broken off, whoever did so.
func TestWhatIsBrokenOffIsSeen(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*running, *http.Response){
		"by a failure":   func(_ *running, a *http.Response) { _, _ = io.Copy(io.Discard, a.Body) },
		"by its client":  func(_ *running, a *http.Response) { _ = a.Body.Close() },
		"by the server":  func(r *running, _ *http.Response) { _ = r.stop() },
		"by a slow hand": func(*running, *http.Response) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, spans := &journal{}, tracetest.NewSpanRecorder()
			r := run(t, func(s *server.Server) {
				s.Log = slog.New(server.LogHandler{Handler: slog.NewJSONHandler(log, nil)})
				s.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
				if name == "by a slow hand" {
					s.Times.Write = 500 * time.Millisecond // What comes first is to be taken in it.
				}
			}, streaming(func(ctx context.Context, w *web.Writer) error {
				_, err := io.WriteString(w, "half\n")
				if err = errors.Join(err, w.Flush()); err != nil || name == "by a failure" {
					return errors.Join(err, errors.New("the store is away"))
				}
				for name == "by a slow hand" && err == nil {
					_, err = w.Write(make([]byte, 1<<20))
				}
				<-ctx.Done()
				return ctx.Err()
			}))
			end(r, r.ask(lines))
			wait.Until(t, "it is logged", func() bool { return log.request() != nil && len(spans.Ended()) == 1 })
			line, span := log.request(), spans.Ended()[0]
			if bytes, _ := line["bytes"].(float64); line["broken_off"] != true || bytes < 5 || line["status"] != 200.0 || line["route"] != "/things" {
				t.Error(line)
			}
			if span.Status().Code != codes.Error || attributes(span)["http.response.status_code"] != "200" {
				t.Error(span.Status(), attributes(span))
			}
			if n := r.metric("gesta_http_broken_off_total"); n != 1 || r.metric("gesta_http_request_seconds") < 0 {
				t.Error(n)
			}
		})
	}
}

func TestWhatIsWholeIsNotTakenForBrokenOff(t *testing.T) {
	t.Parallel()
	log := &journal{}
	r := run(t, func(s *server.Server) { s.Log = slog.New(slog.NewJSONHandler(log, nil)) }, streaming(func(_ context.Context, w *web.Writer) error {
		_, err := io.WriteString(w, "all\n")
		return err
	}))
	r.ask(lines)
	wait.Until(t, "it is logged", func() bool { return log.request() != nil })
	if line := log.request(); line["broken_off"] != nil || line["bytes"] != 4.0 || r.metric("gesta_http_broken_off_total") != -1 {
		t.Error(line)
	}
}
