package timers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
)

// Memory keeps one follower's place and timers in memory, for tests. The zero Memory is whole, at the
// beginning.
type Memory struct {
	mu     sync.Mutex
	at     eventstore.Mark
	lost   bool
	timers map[key]Timer
}

// Lose forgets everything.
func (m *Memory) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.lost, m.timers = eventstore.Mark{}, true, nil
}

// Begin is Table.Begin.
func (m *Memory) Begin(context.Context) (eventstore.Mark, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at, !m.lost, nil
}

// Restore is Table.Restore.
func (m *Memory) Restore(_ context.Context, timers []Timer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(timers)
	return nil
}

func (m *Memory) set(timers []Timer) {
	if m.timers == nil {
		m.timers = map[key]Timer{}
	}
	for _, t := range timers {
		if _, there := m.timers[t.key()]; !there {
			m.timers[t.key()] = t
		}
	}
}

// Start is Table.Start.
func (m *Memory) Start(_ context.Context, at eventstore.Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == (eventstore.Mark{}) {
		m.at = at
	}
	m.lost = false
	return nil
}

// Move is Table.Move.
func (m *Memory) Move(_ context.Context, from, to eventstore.Mark, set []Timer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at != from || m.lost {
		return fmt.Errorf("%w: not at %d", checkpoint.ErrMoved, from.Position)
	}
	m.at = to
	m.set(set)
	return nil
}

// Due is Table.Due.
func (m *Memory) Due(_ context.Context, now time.Time, limit int) (due []Timer, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost {
		return nil, ErrNotWhole
	}
	for _, t := range m.timers {
		if !t.Due.After(now) {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b Timer) int { return a.Due.Compare(b.Due) })
	return due[:min(len(due), limit)], nil
}

// Done is Table.Done.
func (m *Memory) Done(_ context.Context, t Timer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.timers, t.key())
	return nil
}

// Postpone is Table.Postpone.
func (m *Memory) Postpone(_ context.Context, t Timer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.timers[t.key()]; there {
		m.timers[t.key()] = t
	}
	return nil
}

// Status is Table.Status.
func (m *Memory) Status(context.Context) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{Position: m.at.Position, Waiting: len(m.timers)}
	for _, t := range m.timers {
		if t.Attempts > 0 {
			s.Oldest = append(s.Oldest, t)
		}
	}
	s.Failing = len(s.Oldest)
	slices.SortFunc(s.Oldest, func(a, b Timer) int { return cmp.Compare(a.Cause.Position, b.Cause.Position) })
	s.Oldest = s.Oldest[:min(s.Failing, maxNamed)]
	return s, nil
}
