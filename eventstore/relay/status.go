package relay

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
func (r *Relay) Status() Status { return r.status.get() }

type status struct {
	position, head, verified atomic.Int64

	mu      sync.Mutex
	leading bool
	err     error
	told    string // the last error that was news
	toldAt  time.Time
	damage  map[int64]Finding
}

func (s *status) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := Status{Leading: s.leading, Err: s.err, Position: s.position.Load(), Head: s.head.Load(), Verified: s.verified.Load()}
	now.Damaged = slices.SortedFunc(maps.Values(s.damage), func(a, b Finding) int { return cmp.Compare(a.Position, b.Position) })
	_ = errors.As(s.err, &now.Forked) // It stays nil with any other error.
	return now
}

func (s *status) lead(leading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading, s.err = leading, nil
	s.damage = nil
	s.verified.Store(0)
}

// holds forgets the damage of messages that a stream no longer has: they were dropped, or are published
// again.
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

// tellEvery is how often an error that stays the same is news.
const tellEvery = time.Minute

// fail reports whether the error is news.
func (s *status) fail(err error) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	news = err != nil && (err.Error() != s.told || time.Since(s.toldAt) > tellEvery)
	if news {
		s.told, s.toldAt = err.Error(), time.Now()
	}
	return news
}

func (s *status) heard(position int64) {
	if position > s.head.Load() {
		s.head.Store(position)
	}
}
