package relay

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"gesta/eventstore/checkpoint"
)

// Status is how a relay does, for health and metrics.
type Status struct {
	Leading  bool
	Position int64              // the last position the stream has acknowledged to this relay
	Head     int64              // the greatest position this relay has heard of
	Err      error              // why it stands still; nil while it doesn't
	Forked   *checkpoint.Forked // nothing is published until somebody has repaired this
	Verified int64              // up to here each message was found in the stream after it was published
	Damaged  []Finding          // messages of the stream that are not what was published, by position
}

// Status answers how the relay does.
func (r *Relay) Status() Status {
	now := r.status.get()
	now.Leading, now.Err = r.turns.Leading(), r.turns.Err()
	_ = errors.As(now.Err, &now.Forked) // It stays nil with any other error.
	return now
}

type status struct {
	position, head, verified atomic.Int64

	mu     sync.Mutex
	damage map[int64]Finding
}

func (s *status) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := Status{Position: s.position.Load(), Head: s.head.Load(), Verified: s.verified.Load()}
	now.Damaged = slices.SortedFunc(maps.Values(s.damage), func(a, b Finding) int { return cmp.Compare(a.Position, b.Position) })
	return now
}

// forget is for the end of a time of leading: whoever leads next looks again.
func (s *status) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damage = nil
	s.verified.Store(0)
}

// holds forgets the damage of messages that a stream need not have: its limits have dropped them, or they
// are published again.
func (s *status) holds(first, last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.damage, func(position int64, _ Finding) bool { return position < first || position > last })
	s.verified.Store(min(last, s.verified.Load()))
}

// damaged reports whether that was not known before, and is still to be known.
func (s *status) damaged(f Finding) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.damage[f.Position]; known || len(s.damage) >= maxFindings {
		return false
	}
	if s.damage == nil {
		s.damage = map[int64]Finding{}
	}
	s.damage[f.Position] = f
	return true
}

func (s *status) heard(position int64) {
	if position > s.head.Load() {
		s.head.Store(position)
	}
}
