package otlp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"gesta/eventstore/tracing/otlp"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) {
	m.Run()
	http.DefaultClient.CloseIdleConnections()
	wait.NoLeaks()
}

// collecting is a collector that notes what it is sent.
type collecting struct {
	mu       sync.Mutex
	paths    []string
	spans    []string
	resource map[string]string
}

func (c *collecting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var in collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.paths, c.resource = append(c.paths, r.URL.Path), map[string]string{}
	for _, of := range in.ResourceSpans {
		for _, a := range of.Resource.Attributes {
			c.resource[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, s.Name)
			}
		}
	}
}

// opened is what traces to an endpoint, with what it logs.
type opened struct {
	*otlp.Traces
	metrics *prometheus.Registry
	log     *bytes.Buffer
}

func open(t *testing.T, env ...string) opened {
	t.Helper()
	for n := 0; n < len(env); n += 2 {
		t.Setenv("OTEL_"+env[n], env[n+1])
	}
	o := opened{metrics: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	o.Traces = otlp.Open(t.Context(), otlp.Options{Version: "v1", Log: slog.New(slog.NewTextHandler(o.log, nil)), Metrics: o.metrics})
	return o
}

func (o opened) trace(names ...string) {
	for _, name := range names {
		_, span := o.Tracer.Start(context.Background(), name)
		span.End()
	}
}

// became counts the spans by what became of them: sent, failed, dropped.
func (o opened) became(t *testing.T) string {
	t.Helper()
	families, err := o.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		by[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	return fmt.Sprint(by["sent"], by["failed"], by["dropped"])
}

func (o opened) closes(t *testing.T, within time.Duration) {
	t.Helper()
	began := time.Now()
	o.Close()
	if took := time.Since(began); took > within {
		t.Errorf("it takes %s to close", took)
	}
}

func TestSpansReachTheCollector(t *testing.T) {
	c := &collecting{}
	s := httptest.NewServer(c)
	defer s.Close()
	o := open(t, "EXPORTER_OTLP_ENDPOINT", s.URL, "RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	o.trace("one", "two")
	o.closes(t, otlp.Farewell)
	if fmt.Sprint(c.spans, c.paths) != "[one two] [/v1/traces]" || o.became(t) != "2 0 0" || o.log.Len() > 0 {
		t.Errorf("%v %v %s %s", c.spans, c.paths, o.became(t), o.log)
	}
	if r := c.resource; r["service.name"] != "gesta" || r["service.version"] != "v1" || r["deployment.environment.name"] != "test" || r["host.name"] != "" {
		t.Errorf("%v", r)
	}
}

func TestTheStandardVariablesAreHeard(t *testing.T) {
	c := &collecting{}
	s := httptest.NewServer(c)
	defer s.Close()
	o := open(t, "EXPORTER_OTLP_TRACES_ENDPOINT", s.URL+"/mine", "SERVICE_NAME", "shop", "BSP_SCHEDULE_DELAY", "1")
	o.trace("one")
	wait.Until(t, "it is sent", func() bool { return o.became(t) == "1 0 0" })
	o.Close()
	if c.resource["service.name"] != "shop" || c.paths[0] != "/mine" {
		t.Errorf("%v %v", c.resource, c.paths)
	}
	never := open(t, "EXPORTER_OTLP_ENDPOINT", s.URL, "TRACES_SAMPLER", "always_off")
	never.trace("none")
	never.Close()
	if len(c.spans) != 1 {
		t.Errorf("%v", c.spans)
	}
}

func TestNothingIsTracedUnlessAskedFor(t *testing.T) {
	const endpoint, at = "EXPORTER_OTLP_ENDPOINT", "http://user:secret@127.0.0.1:1"
	for _, c := range []struct {
		env  []string
		says string
	}{
		{nil, ""},
		{[]string{endpoint, ""}, ""},
		{[]string{endpoint, at, "SDK_DISABLED", "True"}, ""},
		{[]string{endpoint, at, "TRACES_EXPORTER", "none"}, ""},
		{[]string{endpoint, at, "EXPORTER_OTLP_PROTOCOL", "grpc"}, "gRPC is not spoken"},
		{[]string{endpoint, "user:secret@host:4318"}, "is no URL"},
		{[]string{endpoint, "grpc://user:secret@host:4317"}, "is no URL"},
	} {
		t.Run(fmt.Sprint(c.env), func(t *testing.T) {
			o := open(t, c.env...)
			o.Close()
			if o.Tracer != nil || !strings.Contains(o.log.String(), c.says) || c.says == "" && o.log.Len() > 0 || strings.Contains(o.log.String(), "secret") {
				t.Errorf("%v %s", o.Tracer, o.log)
			}
		})
	}
}

// A collector that is not there, or refuses, is spoken of once, and without what it has said.
func TestSpansThatCantBeSentAreCounted(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "a secret", http.StatusUnauthorized)
	}))
	defer refusing.Close()
	for endpoint, says := range map[string]string{"http://user:secret@127.0.0.1:1": "connection refused", refusing.URL: "401 Unauthorized"} {
		o := open(t, "EXPORTER_OTLP_ENDPOINT", endpoint, "BSP_MAX_EXPORT_BATCH_SIZE", "1")
		o.trace("one", "two", "three")
		o.closes(t, otlp.Farewell)
		if log := o.log.String(); o.became(t) != "0 3 0" || strings.Count(log, "\n") != 1 || !strings.Contains(log, says) || strings.Contains(log, "secret") {
			t.Errorf("%s %s", o.became(t), log)
		}
	}
}

// A collector that does not answer keeps nobody waiting: not who is traced, nor who ends.
func TestACollectorThatHangsHoldsNobodyUp(t *testing.T) {
	hung, end := make(chan struct{}, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hung <- struct{}{}; <-end }))
	defer s.Close()
	defer close(end)
	o := open(t, "EXPORTER_OTLP_ENDPOINT", s.URL, "BSP_MAX_QUEUE_SIZE", "4", "BSP_MAX_EXPORT_BATCH_SIZE", "1")
	o.trace("hangs")
	<-hung
	o.trace("1", "2", "3", "4", "5")
	if o.became(t) != "0 0 2" || !strings.Contains(o.log.String(), "too many spans wait") {
		t.Errorf("%s %s", o.became(t), o.log)
	}
	o.closes(t, otlp.Farewell+2*time.Second)
	wait.Until(t, "what hangs is broken off", func() bool { return o.became(t) == "0 4 2" })
}
