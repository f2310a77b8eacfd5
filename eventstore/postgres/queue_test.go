package postgres

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gesta/eventstore"
)

func newQueue(jobs ...*job) *queue {
	q := &queue{jobs: make(chan *job, max(1, len(jobs)))}
	for _, j := range jobs {
		q.jobs <- j
	}
	return q
}

func jobOf(t *testing.T, bytes int) *job {
	a := someAppend(someStream(), 0)
	a.Writes[0].Events[0].Data = json.RawMessage(`"` + strings.Repeat("x", bytes) + `"`)
	return newJob(t.Context(), a)
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	q := newQueue(jobOf(t, 1))
	if err := q.put(jobOf(t, 1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("put into a full queue: %v", err)
	}
	<-q.jobs
	if err := q.put(jobOf(t, 1)); err != nil {
		t.Error(err)
	}
}

func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	var many []*job
	for range maxBatch + 1 {
		many = append(many, jobOf(t, 1))
	}
	const half = eventstore.MaxAppendBytes/2 - 10
	for _, c := range []struct {
		jobs []*job
		want []int
	}{
		{many, []int{maxBatch, 1}},
		{[]*job{jobOf(t, half), jobOf(t, half), jobOf(t, half), jobOf(t, 1)}, []int{2, 2}},
		{[]*job{jobOf(t, 2*half), jobOf(t, 2*half), jobOf(t, 2*half)}, []int{1, 1, 1}},
	} {
		q := newQueue(c.jobs...)
		q.close()
		taken := 0
		for _, want := range append(c.want, 0) {
			jobs := q.take(nil)
			if len(jobs) != want {
				t.Fatalf("a batch of %d, not %d", len(jobs), want)
			}
			for i, j := range jobs {
				if j != c.jobs[taken+i] {
					t.Fatalf("job %d is out of order", taken+i)
				}
			}
			taken += len(jobs)
		}
	}
}

func TestAClosedQueueTakesNothing(t *testing.T) {
	t.Parallel()
	q := newQueue()
	q.close()
	q.close()
	if err := q.put(jobOf(t, 1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Error(err)
	}
}

// TestWhoHasGoneIsNotServed gives the appender, which has no connection, an append nobody waits for.
func TestWhoHasGoneIsNotServed(t *testing.T) {
	t.Parallel()
	a := &appender{}
	j := newJob(expired(t), someAppend(someStream(), 0))
	a.serve([]*job{j})
	if !errors.Is(j.err, eventstore.ErrUnavailable) {
		t.Error(j.err)
	}
}
