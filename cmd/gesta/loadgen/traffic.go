package loadgen

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Traffic is what clients send to one address.
type Traffic struct {
	Address string
	Request func(n int) []byte // the n-th, counted from 0; called by many at once
	Check   func(Answer) error // says what is wrong with an answer; nil where anything will do
}

// Repeat answers the requests one after the other, over and over.
func Repeat(requests [][]byte) func(n int) []byte {
	return func(n int) []byte { return requests[n%len(requests)] }
}

// Sample is one request: what it was answered, how long that took, how late it was sent, and how much of
// that was because all workers were still waiting for answers.
type Sample struct {
	Answer             Answer
	Err                error
	Took, Late, Queued time.Duration
}

// Waited is how long a client waited that came at its time: behind others, and for its answer. What else
// made it late is the sender's own fault.
func (s Sample) Waited() time.Duration { return s.Queued + s.Took }

// Send sends so many requests a second, whether or not those before are answered, while there are workers
// to send them; at a rate of 0 each worker sends one after the other.
func (l Traffic) Send(workers int, rate float64, lasting time.Duration) []Sample {
	var next atomic.Int64
	var all sync.WaitGroup
	sent, begin := make([][]Sample, workers), time.Now()
	for w := range workers {
		all.Go(func() {
			c := Client{Address: l.Address}
			defer c.Close()
			for time.Since(begin) <= lasting {
				n, due := next.Add(1)-1, time.Now()
				if rate > 0 {
					due = begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))
				}
				if due.Sub(begin) > lasting {
					return
				}
				early := time.Until(due)
				if early > 0 {
					<-time.After(early)
				}
				s := l.One(&c, int(n), due)
				s.Queued = max(0, -early)
				sent[w] = append(sent[w], s)
			}
		})
	}
	all.Wait()
	return slices.Concat(sent...)
}

// One sends one request that was due at some time.
func (l Traffic) One(c *Client, n int, due time.Time) (s Sample) {
	request := l.Request(n)
	began := time.Now()
	s.Late = began.Sub(due)
	s.Answer, s.Err = c.Send(request)
	s.Took = time.Since(began)
	if s.Err == nil && l.Check != nil {
		s.Err = l.Check(s.Answer)
	}
	if s.Answer.Status == 200 {
		s.Answer = Answer{Status: 200} // The rest need not be kept.
	}
	return s
}

// Answered are the samples with a status.
func Answered(all []Sample, status int) (with []Sample) {
	for _, s := range all {
		if s.Err == nil && s.Answer.Status == status {
			with = append(with, s)
		}
	}
	return with
}

// Within is the time that a part of the samples did not exceed, of those that of names.
func Within(part float64, all []Sample, of func(Sample) time.Duration) time.Duration {
	times := make([]time.Duration, len(all))
	for i, s := range all {
		times[i] = of(s)
	}
	return Quantile(part, times)
}

// Quantile is the time that a part of the times did not exceed; 0 of none. It sorts them.
func Quantile(part float64, times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(part*float64(len(times)-1))]
}

// Took and Late name times of a sample for Within.
func Took(s Sample) time.Duration { return s.Took }
func Late(s Sample) time.Duration { return s.Late }
