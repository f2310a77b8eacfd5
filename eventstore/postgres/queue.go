package postgres

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"gesta/eventstore"
)

// The most that commits as one, and the most that waits for its turn.
const (
	maxBatch  = 256
	maxQueued = 4096
)

var errClosed = fmt.Errorf("%w: the store is closed", eventstore.ErrUnavailable)

// queue is where appends wait for the appender.
type queue struct {
	jobs   chan *job
	next   *job // was taken and did not fit into the batch before
	mu     sync.RWMutex
	closed bool
}

// put waits for room as long as the caller does.
func (q *queue) put(ctx context.Context, j *job) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return errClosed
	}
	select {
	case q.jobs <- j:
		return nil
	case <-ctx.Done():
		return late(ctx)
	}
}

// close lets nothing more in; what is in can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.jobs)
	}
}

// take waits for an append and adds it and those behind it to the jobs, up to a batch's worth. It
// answers none when the queue is closed and empty. It does not linger, but lets callers that are
// about to append do so.
func (q *queue) take(jobs []*job) []*job {
	first := q.next
	if q.next = nil; first == nil {
		if first = <-q.jobs; first == nil {
			return jobs
		}
	}
	for range 3 {
		runtime.Gosched()
	}
	jobs = append(jobs, first)
	for size := first.size; len(jobs) < maxBatch; {
		j := q.poll()
		if j == nil {
			break
		}
		if size += j.size; size > eventstore.MaxAppendBytes {
			q.next = j
			break
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func (q *queue) poll() *job {
	select {
	case j := <-q.jobs:
		return j
	default:
		return nil
	}
}
