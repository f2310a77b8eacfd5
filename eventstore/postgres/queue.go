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
// answers none when the queue is closed and empty.
func (q *queue) take(jobs []*job) []*job {
	j := q.first()
	if j != nil {
		q.yield()
	}
	for size := 0; j != nil; j = q.poll() {
		if size += j.size; len(jobs) > 0 && size > eventstore.MaxAppendBytes {
			q.next = j
			break
		}
		if jobs = append(jobs, j); len(jobs) == maxBatch {
			break
		}
	}
	return jobs
}

// first waits for an append unless one was left over.
func (q *queue) first() *job {
	if left := q.next; left != nil {
		q.next = nil
		return left
	}
	return <-q.jobs
}

// yield does not linger, but while little is queued it lets callers that are about to append do so.
func (q *queue) yield() {
	for i := 0; i < 3 && len(q.jobs) < maxBatch/2; i++ {
		runtime.Gosched()
	}
}

func (q *queue) poll() *job {
	select {
	case j := <-q.jobs:
		return j
	default:
		return nil
	}
}
