package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic is what clients send to one address, over and over.
type traffic struct {
	address  string
	requests [][]byte
}

// sample is one request: what it was answered, how long that took, and how late it was sent.
type sample struct {
	answer     answer
	err        error
	took, late time.Duration
}

// send sends so many requests a second, whether or not those before are answered, while there are workers
// to send them; at a rate of 0 each worker sends one after the other.
func (l traffic) send(workers int, rate float64, lasting time.Duration) []sample {
	var next atomic.Int64
	var all sync.WaitGroup
	sent, begin := make([][]sample, workers), time.Now()
	for w := range workers {
		all.Go(func() {
			c := raw{address: l.address}
			defer c.close()
			for {
				n := next.Add(1) - 1
				due := begin
				if rate > 0 {
					due = begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))
				}
				if due.Sub(begin) > lasting || time.Since(begin) > lasting {
					return
				}
				<-time.After(time.Until(due))
				sent[w] = append(sent[w], l.one(&c, int(n), due))
			}
		})
	}
	all.Wait()
	return slices.Concat(sent...)
}

func (l traffic) one(c *raw, n int, due time.Time) (s sample) {
	began := time.Now()
	s.late = began.Sub(due)
	s.answer, s.err = c.send(l.requests[n%len(l.requests)])
	s.took = time.Since(began)
	if s.answer.status == 200 {
		s.answer = answer{status: 200} // The rest need not be kept.
	}
	return s
}

// capacity is how many requests a second are answered when there are never too many.
func (l traffic) capacity(lasting time.Duration) float64 {
	return float64(len(answered(l.send(16, 0, lasting), 200))) / lasting.Seconds()
}

func answered(all []sample, status int) (with []sample) {
	for _, s := range all {
		if s.err == nil && s.answer.status == status {
			with = append(with, s)
		}
	}
	return with
}

// within is the time that a part of the samples did not exceed, of those that of names.
func within(part float64, all []sample, of func(sample) time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	var times []time.Duration
	for _, s := range all {
		times = append(times, of(s))
	}
	slices.Sort(times)
	return times[int(part*float64(len(times)-1))]
}

func took(s sample) time.Duration { return s.took }
func late(s sample) time.Duration { return s.late }

// signUp makes users, and answers for each its path and a token.
func signUp(c client, from, to int) (paths, tokens []string) {
	c.t.Helper()
	for n := from; n < to; n++ {
		user := c.expect(201, "POST", "/users", "", registration(loadUser(n)))
		paths = append(paths, "/users/"+user.field("id"))
		tokens = append(tokens, c.expect(200, "POST", "/auth/login", "", credentials(loadUser(n))).field("access_token"))
	}
	return paths, tokens
}

func loadUser(n int) string { return fmt.Sprintf("load%d@example.com", n) }

// signIns are of users who do nothing else: who signs in often loses the sessions of before.
func signIns(from, to int) (requests [][]byte) {
	for n := from; n < to; n++ {
		requests = append(requests, message("POST", "/auth/login", "", credentials(loadUser(n))))
	}
	return requests
}

// mixed is a load of six reads and three changes for each sign-in.
func mixed(t *testing.T, address string) traffic {
	t.Helper()
	const users = 10
	c := client{t, "http://" + address}
	paths, tokens := signUp(c, 0, users)
	signUp(c, users, 2*users)
	logins, l := signIns(users, 2*users), traffic{address: address}
	for n := range 1000 {
		path, token := paths[n/10%users], tokens[n/10%users]
		switch {
		case n%10 == 0:
			l.requests = append(l.requests, logins[n/10%users])
		case n%10 < 4:
			l.requests = append(l.requests, message("PUT", path, token, map[string]string{"phone": fmt.Sprint(n)}))
		default:
			l.requests = append(l.requests, message("GET", path, token, nil))
		}
	}
	return l
}
