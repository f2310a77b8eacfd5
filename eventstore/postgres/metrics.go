package postgres

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gesta/eventstore"
)

// Metrics counts what the appender does. The nil Metrics counts nothing.
type Metrics struct {
	appends       *prometheus.CounterVec
	contradictory prometheus.Counter
	size          prometheus.Histogram
	queued        prometheus.Gauge
	commit        prometheus.Histogram
}

// NewMetrics registers its collectors with r and panics when they are there already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		appends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gesta_appends_total",
			Help: "Appends by outcome: committed, conflict, refused, unavailable or failed.",
		}, []string{"outcome"}),
		contradictory: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gesta_append_contradictory_batches_total",
			Help: "Batches that were rolled back and judged append by append.",
		}),
		size: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gesta_append_batch_size", Help: "Appends in a batch.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gesta_append_queue_length", Help: "Appends that wait for the next batch.",
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gesta_append_commit_seconds", Help: "From a batch taken up to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
	}
	r.MustRegister(m.appends, m.contradictory, m.size, m.queued, m.commit)
	return m
}

func (m *Metrics) took(appends, waiting int) {
	if m != nil {
		m.size.Observe(float64(appends))
		m.queued.Set(float64(waiting))
	}
}

func (m *Metrics) committed(in time.Duration) {
	if m != nil {
		m.commit.Observe(in.Seconds())
	}
}

func (m *Metrics) contradicted() {
	if m != nil {
		m.contradictory.Inc()
	}
}

func (m *Metrics) judged(jobs []*job) {
	if m == nil {
		return
	}
	for _, j := range jobs {
		m.appends.WithLabelValues(outcome(j.err)).Inc()
	}
}

func outcome(err error) string {
	var conflict *eventstore.Conflict
	var taken *eventstore.ClaimTaken
	var exists *eventstore.KeyExists
	var repeated *eventstore.Repeated
	switch {
	case err == nil:
		return "committed"
	case errors.As(err, &conflict):
		return "conflict"
	case errors.As(err, &taken), errors.As(err, &exists), errors.As(err, &repeated):
		return "refused"
	case errors.Is(err, eventstore.ErrUnavailable):
		return "unavailable"
	default:
		return "failed"
	}
}
