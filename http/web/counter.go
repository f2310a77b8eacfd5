package web

import (
	"context"
	"sync"
	"time"
)

// Counter counts under keys, each until a time.
type Counter interface {
	// Add adds n to the count of a key, which begins at 0, and answers the sum. An error says that nothing is known of
	// it, whether or not it was added; it must come soon, since a request waits.
	Add(ctx context.Context, key string, n int, ends time.Time) (int, error)
}

// Uncounted says in one word why a Counter could not count.
type Uncounted string

func (u Uncounted) Error() string { return "not counted: " + string(u) }

// Counts is a Counter for this process alone.
type Counts struct {
	Now func() time.Time

	mu     sync.Mutex
	counts map[counted]int
	swept  time.Time
}

type counted struct {
	key  string
	ends int64 // unix seconds
}

// Add never fails.
func (c *Counts) Add(_ context.Context, key string, n int, ends time.Time) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.Now(); c.counts == nil || now.Sub(c.swept) > time.Minute {
		c.sweep(now)
	}
	k := counted{key, ends.Unix()}
	c.counts[k] += n
	return c.counts[k], nil
}

// sweep forgets what is over.
func (c *Counts) sweep(now time.Time) {
	left := map[counted]int{}
	for k, n := range c.counts {
		if k.ends > now.Unix() {
			left[k] = n
		}
	}
	c.counts, c.swept = left, now
}
