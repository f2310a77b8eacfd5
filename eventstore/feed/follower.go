package feed

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
)

// follower is one call of Follow. All but seen and live belongs to its own goroutine.
type follower struct {
	feed   *Feed
	limit  int
	handle Handle
	last   eventstore.Mark // the last event handled
	pages  Pages

	messages chan eventstore.Recorded // from the stream; one without id stands for one that is unreadable
	commits  <-chan eventstore.Commit // of this process
	hints    *envelope.Hints
	lost     chan struct{} // the stream has ceased to come

	seen atomic.Int64 // the last position that is dealt with, so that the stream's messages up to it need no decoding
	live atomic.Bool  // whether the stream comes at all

	handed  eventstore.Commit    // the newest that went on from what was there when it came
	ahead   *eventstore.Recorded // a message taken from messages and not yet used
	heard   int64                // the greatest position that was announced
	due     bool                 // the store is to be read
	resting bool                 // the store has failed, and is left alone until the next poll
	failing bool                 // the last question to the store has failed
	silence *time.Timer
	armed   bool // silence runs
}

func newFollower(f *Feed, from eventstore.Mark, limit int, handle Handle) *follower {
	t := &follower{
		feed: f, limit: limit, handle: handle, last: from, pages: Pages{Read: Published(f.Store)},
		messages: make(chan eventstore.Recorded, room), lost: make(chan struct{}, 1),
		// The store is read first: it must have what was followed, and may have more.
		due: true, silence: time.NewTimer(silence), armed: true,
	}
	t.seen.Store(from.Position)
	return t
}

func (t *follower) run(ctx context.Context) error {
	defer t.silence.Stop()
	poll := time.NewTicker(t.feed.poll())
	defer poll.Stop()
	for {
		events, err := t.next(ctx)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			if err := t.wait(ctx, poll.C); err != nil {
				return err
			}
			continue
		}
		last := events[len(events)-1].Mark()
		t.seen.Store(last.Position)
		if err := t.handle(ctx, events); err != nil {
			return err
		}
		t.moved(last)
	}
}

// moved also begins to listen for silence anew.
func (t *follower) moved(to eventstore.Mark) {
	t.last = to
	t.armed = false
	t.hear(to.Position)
}

// next answers what is there: handed over in this process, or from the stream if it goes on without a gap, else
// from the store. Who is behind reads the store alone: its pages are full and read ahead, while the stream's share
// of them comes in smaller batches that are dearer to decode (following both, read models caught up at two thirds
// of the speed).
func (t *follower) next(ctx context.Context) ([]eventstore.Recorded, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !t.due || t.resting {
		if events := t.take(); len(events) > 0 {
			return events, nil
		}
		if events := t.gather(); len(events) > 0 {
			return events, nil
		}
	}
	if t.resting || !t.due && t.ahead == nil {
		return nil, nil
	}
	return t.ask(ctx)
}

// take takes what this process has committed, as far as it goes on from the last event. (Brought by the stream, what
// a command did was seen after 0.68 ms instead of 0.61.)
func (t *follower) take() (events []eventstore.Recorded) {
	for end := t.last; ; {
		some, _ := t.handed.Since(end)
		for _, r := range some[:min(len(some), t.limit-len(events))] {
			events, end = append(events, envelope.Published(r)), r.Mark()
		}
		if len(events) == t.limit || !t.takeNext(end) {
			return events
		}
	}
}

func (t *follower) takeNext(end eventstore.Mark) bool {
	for {
		select {
		case c := <-t.commits:
			if t.committed(c, end) {
				return true
			}
		default:
			return false
		}
	}
}

// gather takes what the stream has brought, up to the first gap.
func (t *follower) gather() (events []eventstore.Recorded) {
	next := t.last.Position + 1
	for len(events) < t.limit && t.peek() {
		switch r := *t.ahead; {
		case r.Position < next:
			t.ahead = nil
		case r.Position > next, r.ID.IsZero():
			return events
		default:
			events, t.ahead = append(events, r), nil
			next++
		}
	}
	return events
}

func (t *follower) peek() bool {
	if t.ahead != nil {
		return true
	}
	select {
	case r := <-t.messages:
		t.ahead = &r
		return true
	default:
		return false
	}
}

// ask reads the store: a gap in the stream, or whatever is there.
func (t *follower) ask(ctx context.Context) ([]eventstore.Recorded, error) {
	events, err := t.read(ctx)
	if err != nil {
		return nil, t.rest(ctx, err)
	}
	t.failing = false
	if t.due = t.due && len(events) == t.limit; len(events) == 0 {
		t.ahead = nil             // The stream has what the store has not: it is none of ours.
		t.heard = t.last.Position // So is what was announced.
	}
	return events, nil
}

// read reads a page of what is there, or no more than fills a gap.
func (t *follower) read(ctx context.Context) ([]eventstore.Recorded, error) {
	if t.due {
		return t.pages.After(ctx, t.last, t.limit)
	}
	gap := max(1, t.ahead.Position-t.last.Position-1)
	return Read(ctx, t.feed.Store, t.last, int(min(int64(t.limit), gap)))
}

// rest lets some time pass after a failure, unless it is the end.
func (t *follower) rest(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if forked := (*checkpoint.Forked)(nil); errors.As(err, &forked) {
		return forked
	}
	if !t.failing {
		t.feed.log().Warn("feed: the store does not answer", "error", err)
	}
	t.resting, t.failing = true, true
	return nil
}
