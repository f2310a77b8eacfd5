// Package memory keeps a history in memory, for tests of what stands on a store. It forgets all of it
// with the process, and sits the same exam as the store in Postgres.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// Store is an eventstore.Store in memory. The zero Store is empty and ready; it is safe for concurrent
// use, and must not be copied once in use.
type Store struct {
	Handoff *eventstore.Handoff // is offered what is committed; nil for nobody
	Now     func() time.Time    // nil for time.Now

	mu      sync.RWMutex
	facts   eventstore.Facts
	events  []eventstore.Recorded
	streams map[domain.Stream][]eventstore.Recorded
	keys    map[id.ID][]byte // wrapped; empty for who was forgotten
	house   map[string][]byte

	answered map[eventstore.AnswerKey]time.Time
}

var _ eventstore.Store = (*Store)(nil)

// Append judges a under a lock, so that appends are admitted one after the other.
func (s *Store) Append(ctx context.Context, a eventstore.Append) (eventstore.Receipt, error) {
	if err := a.Check(); err != nil {
		return eventstore.Receipt{}, err
	}
	if err := awaited(ctx, "append"); err != nil {
		return eventstore.Receipt{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	if err := s.facts.Judge(a); err != nil {
		return eventstore.Receipt{}, err
	}
	a = clone(a)
	s.facts.Admit(a)
	for _, k := range a.Keys {
		s.keys[k.Subject] = bytes.Clone(k.Wrapped)
	}
	for _, g := range a.Forget {
		s.keys[g.Subject] = nil
	}
	if i := a.Idempotency; i != nil {
		s.answered[eventstore.AnswerKey{Scope: i.Scope, Key: i.Key}] = s.clock()
	}
	return s.record(a), nil
}

func (s *Store) begin() {
	if s.streams == nil {
		s.facts = *eventstore.NewFacts()
		s.streams = map[domain.Stream][]eventstore.Recorded{}
		s.keys, s.house = map[id.ID][]byte{}, map[string][]byte{}
		s.answered = map[eventstore.AnswerKey]time.Time{}
	}
}

// record gives the events their places and offers them while the lock is held, and thus in order.
func (s *Store) record(a eventstore.Append) eventstore.Receipt {
	last, at := len(s.events), s.clock()
	var before eventstore.Mark
	if last > 0 {
		before = s.events[last-1].Mark()
	}
	for _, w := range a.Writes {
		for i, e := range w.Events {
			r := eventstore.Recorded{
				NewEvent: e, Position: int64(len(s.events)) + 1,
				Stream: w.Stream, Version: w.Expect + int64(i) + 1, RecordedAt: at,
			}
			s.events = append(s.events, r)
			s.streams[w.Stream] = append(s.streams[w.Stream], r)
		}
	}
	recorded := s.events[last:len(s.events):len(s.events)]
	if len(recorded) == 0 {
		return eventstore.Receipt{}
	}
	if s.Handoff != nil {
		s.Handoff.Offer(eventstore.Commit{After: before, Events: recorded})
	}
	return eventstore.Receipt{First: int64(last) + 1, Last: int64(len(s.events)), RecordedAt: at}
}

// clock never goes back.
func (s *Store) clock() time.Time {
	now := s.Now
	if now == nil {
		now = time.Now
	}
	at := micros(now())
	if n := len(s.events); n > 0 && at.Before(s.events[n-1].RecordedAt) {
		return s.events[n-1].RecordedAt
	}
	return at
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// clone takes a copy of what the caller may write over.
func clone(a eventstore.Append) eventstore.Append {
	writes := make([]eventstore.Write, len(a.Writes))
	for i, w := range a.Writes {
		writes[i] = w
		writes[i].Events = make([]eventstore.NewEvent, len(w.Events))
		for j, e := range w.Events {
			e.Data, e.Secret, e.Meta = bytes.Clone(e.Data), bytes.Clone(e.Secret), bytes.Clone(e.Meta)
			e.OccurredAt = micros(e.OccurredAt)
			writes[i].Events[j] = e
		}
	}
	a.Writes = writes
	if i := a.Idempotency; i != nil {
		own := *i
		own.Fingerprint, own.Result = bytes.Clone(i.Fingerprint), bytes.Clone(i.Result)
		a.Idempotency = &own
	}
	return a
}

// awaited answers ErrUnavailable once nobody waits for an answer any more.
func awaited(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %s: %w", eventstore.ErrUnavailable, what, err)
	}
	return nil
}
