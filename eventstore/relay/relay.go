// Package relay publishes the store's history to the JetStream stream GESTA: one message for each
// position, whose sequence in the stream is the position.
//
// Each message says which event it follows, by sequence and by id, so that the stream itself refuses
// gaps, doubles and the events of another history, whoever publishes and however often. What remains
// for the relay is to learn what the stream has and go on from there. NATS being away stops nothing
// but the relay, which catches up from the store.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/leader"
)

// Checkpoint is the relay's anchor: the furthest event known to be in the stream. It tells a fork
// where the stream's last message has expired. checkpoint.Row and checkpoint.Memory are such.
type Checkpoint interface {
	Get(ctx context.Context) (eventstore.Mark, error)
	Move(ctx context.Context, from, to eventstore.Mark) error
}

// Leader lets one relay of several publish. It is for peace only: two that publish at once disturb
// each other, but not the stream.
type Leader interface {
	Lead(ctx context.Context, f func(context.Context) error) error
}

// Relay publishes one store's history. Store, NC and Checkpoint are needed.
type Relay struct {
	Store      eventstore.Store
	NC         *nats.Conn // which should reconnect for ever
	Checkpoint Checkpoint
	Leader     Leader              // nil to lead always
	Handoff    *eventstore.Handoff // nil to learn of appends by hints and polls alone
	Limits     Limits
	Poll       time.Duration // between two looks at store and stream; 0 for 500 ms
	Log        *slog.Logger  // nil for slog.Default()
	Tracer     trace.Tracer  // nil for no spans

	turns  leader.Turns
	status status
}

const (
	defaultPoll = 500 * time.Millisecond
	firstPause  = 20 * time.Millisecond // after a failure, doubled with each further one up to
	lastPause   = 500 * time.Millisecond
	slowly      = 4 // times Poll between two looks at a fork
)

// Run relays until ctx ends, and answers its error, or the one that Leader can't begin with. A relay
// whose NATS is away lets another lead, which may have its own.
func (r *Relay) Run(ctx context.Context) error {
	lead := func(ctx context.Context, f func(context.Context) error) error { return f(ctx) }
	if r.Leader != nil {
		lead = r.Leader.Lead
	}
	for {
		err := r.turns.Take(ctx, lead, r.lead)
		if !errors.Is(err, errNoNATS) {
			return err
		}
		for !r.NC.IsConnected() {
			if !sleep(ctx, r.poll()) {
				return ctx.Err()
			}
		}
	}
}

// errNoNATS ends a leadership that can do nothing.
var errNoNATS = errors.New("relay: NATS is away")

// holdOut is how long a leader waits for NATS to come back.
const holdOut = 2 * time.Second

// lead goes from one session to the next; each begins by asking the stream what it has.
func (r *Relay) lead(ctx context.Context) error {
	defer r.status.forget()
	t := &term{relay: r}
	defer t.close()
	var failure error
	var since time.Time
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		before := r.status.position.Load()
		failure = t.session(ctx, failure)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.turns.Failed(failure) {
			r.log().Warn("relay: paused", "error", failure)
		}
		if r.status.position.Load() != before {
			pause = firstPause
		}
		if r.gone(&since) {
			return errNoNATS
		}
		if !sleep(ctx, r.pauseAfter(failure, pause)) {
			return ctx.Err()
		}
	}
}

// gone tells whether NATS has been away for so long that another should lead. It keeps since when.
func (r *Relay) gone(since *time.Time) bool {
	switch {
	case r.NC.IsConnected():
		*since = time.Time{}
	case since.IsZero():
		*since = time.Now()
	}
	return r.Leader != nil && !since.IsZero() && time.Since(*since) > holdOut
}

func (r *Relay) pauseAfter(err error, pause time.Duration) time.Duration {
	if forked := (*checkpoint.Forked)(nil); errors.As(err, &forked) {
		return slowly * r.poll()
	}
	return pause
}

func (r *Relay) poll() time.Duration {
	if r.Poll > 0 {
		return r.Poll
	}
	return defaultPoll
}

func (r *Relay) log() *slog.Logger {
	if r.Log != nil {
		return r.Log
	}
	return slog.Default()
}

// sleep answers false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
