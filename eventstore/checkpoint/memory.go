package checkpoint

import (
	"context"
	"fmt"
	"sync"

	"gesta/eventstore"
)

// Memory is one follower's checkpoint in memory, for tests. The zero Memory has yet to begin.
type Memory struct {
	mu sync.Mutex
	at eventstore.Mark
}

// Get answers where the follower is.
func (m *Memory) Get(context.Context) (eventstore.Mark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at, nil
}

// Move takes the follower from one place to another, or answers ErrMoved.
func (m *Memory) Move(_ context.Context, from, to eventstore.Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at != from {
		return fmt.Errorf("%w: not at %d", ErrMoved, from.Position)
	}
	m.at = to
	return nil
}
