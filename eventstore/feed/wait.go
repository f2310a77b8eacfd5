package feed

import (
	"context"
	"time"

	"gesta/eventstore"
)

// wait waits for anything that lets next find more.
func (t *follower) wait(ctx context.Context, poll <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r := <-t.news():
		t.ahead = &r
	case c := <-t.commits:
		t.committed(c, t.last)
	case <-t.hinted():
		t.hear(t.hints.Take())
	case <-t.lost:
		t.due = true
	case <-t.silence.C:
		t.armed, t.due = false, true
	case <-poll:
		t.due, t.resting = true, false
	}
	return nil
}

// news leaves the stream's messages where they are while one has no place yet.
func (t *follower) news() <-chan eventstore.Recorded {
	if t.ahead != nil {
		return nil
	}
	return t.messages
}

// committed keeps what goes on from an event, and takes note of the rest.
func (t *follower) committed(c eventstore.Commit, from eventstore.Mark) (follows bool) {
	if _, follows = c.Since(from); follows {
		t.handed = c
	} else {
		t.hear(c.Last())
	}
	return follows
}

// hinted never has anything without NATS.
func (t *follower) hinted() <-chan struct{} {
	if t.hints == nil {
		return nil
	}
	return t.hints.Wake
}

// hear takes note that the store has events up to a position. The stream gets a moment to bring them,
// if it comes at all.
func (t *follower) hear(position int64) {
	t.heard = max(t.heard, position)
	switch {
	case t.heard <= t.last.Position:
		t.silence.Stop()
	case !t.live.Load():
		t.due = true
	case !t.armed:
		t.armed = true
		t.silence.Reset(silence)
	}
}
