package leader

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Turns is how somebody gets on who stands for leading again and again, and does the same each time that
// it leads. The zero Turns has yet to begin; it must not be copied.
type Turns struct {
	leading atomic.Bool
	mu      sync.Mutex
	err     error
	news    News
}

// standingBy without leading means that another one leads.
const standingBy = 2 * time.Second

// Leading tells whether this is one's turn.
func (t *Turns) Leading() bool { return t.leading.Load() }

// Err is why one does not get on at the moment; nil while one does, or stands by.
func (t *Turns) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Well notes that one gets on.
func (t *Turns) Well() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = nil
}

// Failed notes why one does not get on, and reports whether that is news.
func (t *Turns) Failed(err error) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	return t.news.Is(err)
}

// Take does something when it is one's turn. While another leads, the last failure is past.
func (t *Turns) Take(
	ctx context.Context, lead func(context.Context, func(context.Context) error) error, do func(context.Context) error,
) error {
	standby := time.AfterFunc(standingBy, t.Well)
	defer standby.Stop()
	return lead(ctx, func(ctx context.Context) error {
		standby.Stop()
		t.leading.Store(true)
		defer t.leading.Store(false)
		return do(ctx)
	})
}
