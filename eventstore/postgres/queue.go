package postgres

import (
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

var (
	errClosed = fmt.Errorf("%w: the store is closed", eventstore.ErrUnavailable)
	errFull   = fmt.Errorf("%w: too many appends wait", eventstore.ErrUnavailable)
)

// queue is where appends wait for the appender.
type queue struct {
	jobs   chan *job
	next   *job // was taken and did not fit into the batch before
	mu     sync.RWMutex
	closed bool
}

// put refuses at once when the queue is full: it holds more than the appender commits while anybody
// would wait.
func (q *queue) put(j *job) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return errClosed
	}
	select {
	case q.jobs <- j:
		return nil
	default:
		return errFull
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
