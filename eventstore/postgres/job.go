package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gesta/domain/id"
	"gesta/eventstore"
)

// job is one append on its way, and the verdict on it.
type job struct {
	ctx     context.Context // the caller's: it tells whether anybody still waits
	append  eventstore.Append
	size    int
	events  int
	after   eventstore.Mark // what its events follow
	receipt eventstore.Receipt
	err     error
	done    chan struct{}
}

func newJob(ctx context.Context, a eventstore.Append) *job {
	j := &job{ctx: ctx, append: a, size: a.Size(), done: make(chan struct{})}
	for _, w := range a.Writes {
		j.events += len(w.Events)
	}
	return j
}

// wait answers the verdict, or that none came in time.
func (j *job) wait(ctx context.Context) (eventstore.Receipt, error) {
	select {
	case <-j.done:
		return j.receipt, j.err
	case <-ctx.Done():
		return eventstore.Receipt{}, late(ctx)
	}
}

// gone reports whether the caller has stopped waiting.
func (j *job) gone() bool { return j.ctx.Err() != nil }

// refuse is the bad verdict.
func (j *job) refuse(err error) { j.receipt, j.err = eventstore.Receipt{}, err }

// settle is the good verdict: the events of j stand after at. It answers where the next job's stand.
func (j *job) settle(at place) place {
	j.receipt, j.err = eventstore.Receipt{}, nil
	if j.events == 0 {
		return at
	}
	j.after = at.last
	first := at.last.Position + 1
	at.last = eventstore.Mark{Position: at.last.Position + int64(j.events), Event: j.lastEvent()}
	j.receipt = eventstore.Receipt{First: first, Last: at.last.Position, RecordedAt: at.recordedAt}
	return at
}

// lastEvent is the id of its last event; it has one.
func (j *job) lastEvent() (last id.Event) {
	for _, w := range slices.Backward(j.append.Writes) {
		if n := len(w.Events); n > 0 {
			return w.Events[n-1].ID
		}
	}
	return last
}

// recorded adds the events of j, as they stand, to those before.
func (j *job) recorded(before []eventstore.Recorded) []eventstore.Recorded {
	position := j.receipt.First
	for _, w := range j.append.Writes {
		for i, e := range w.Events {
			e.OccurredAt = e.OccurredAt.UTC().Truncate(time.Microsecond)
			before = append(before, eventstore.Recorded{
				NewEvent: e, Position: position, Stream: w.Stream,
				Version: w.Expect + int64(i) + 1, RecordedAt: j.receipt.RecordedAt,
			})
			position++
		}
	}
	return before
}

func late(ctx context.Context) error {
	return fmt.Errorf("%w: append: %w", eventstore.ErrUnavailable, ctx.Err())
}
