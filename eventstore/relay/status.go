package relay

import (
	"errors"
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
}

// Status answers how the relay does.
func (r *Relay) Status() Status { return r.status.get() }

type status struct {
	position, head atomic.Int64
	mu             sync.Mutex
	leading        bool
	err            error
}

func (s *status) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := Status{Leading: s.leading, Err: s.err, Position: s.position.Load(), Head: s.head.Load()}
	_ = errors.As(s.err, &now.Forked) // It stays nil with any other error.
	return now
}

func (s *status) lead(leading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading, s.err = leading, nil
}

// fail reports whether the error is another than before.
func (s *status) fail(err error) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = err != nil && (s.err == nil || s.err.Error() != err.Error())
	s.err = err
	return news
}

func (s *status) heard(position int64) {
	if position > s.head.Load() {
		s.head.Store(position)
	}
}
