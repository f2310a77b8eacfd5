package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// outcome is what is known of a command by its answer.
type outcome int

const (
	unknown      outcome = iota // no answer, or that it can't be answered now: it may have happened
	acknowledged                // it has happened
	refused                     // it has not
)

func (o outcome) String() string { return [...]string{"unknown", "acknowledged", "refused"}[o] }

// asked is a command that was sent under an id of its own, and what was answered.
type asked struct {
	id, kind string
	outcome  outcome
	maybe    bool // it may have had nothing to change
}

// load is the clients of the campaign and what they have seen.
type load struct {
	replicas []string // base URLs
	began    time.Time
	http     *http.Client

	mu       sync.Mutex
	n        int
	asked    []asked
	users    []*history
	findings []string
	outage   time.Duration
	contests int
	lost     []string // addresses that somebody was refused
}

// contested is an address that several workers are given, about at the same time.
func (l *load) contested() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.contests++
	return fmt.Sprintf("contested%d@example.com", l.contests/3)
}

func (l *load) lose(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, address)
}

func newLoad(replicas []string) *load {
	return &load{
		replicas: replicas, began: time.Now(),
		http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	}
}

func (l *load) finding(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.findings = append(l.findings, time.Since(l.began).Round(time.Millisecond).String()+": "+fmt.Sprintf(format, args...))
}

// next is a number that nobody had before.
func (l *load) next() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	return strconv.Itoa(l.n)
}

// keep keeps a user's history for the check at the end.
func (l *load) keep(h *history) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users = append(l.users, h)
}

func (l *load) record(a asked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, a)
}

// query is one request.
type query struct {
	method, path, token string
	body                any
	header              map[string]string
}

// reply is what came back; status 0 when nothing did.
type reply struct {
	answer
	outcome
}

// try sends a query to a replica, once.
func (l *load) try(ctx context.Context, base string, q query) (r reply) {
	body, err := json.Marshal(q.body)
	if err != nil {
		panic(err) // The bodies are maps of text.
	}
	request, err := http.NewRequestWithContext(ctx, q.method, base+q.path, bytes.NewReader(body))
	if err != nil {
		panic(err) // The paths are ours.
	}
	request.Header.Set("Content-Type", "application/json")
	if q.token != "" {
		request.Header.Set("Authorization", "Bearer "+q.token)
	}
	for name, value := range q.header {
		request.Header.Set(name, value)
	}
	response, err := l.http.Do(request)
	if err != nil {
		return r
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return r
	}
	r.status, r.header, r.text = response.StatusCode, response.Header, string(text)
	_ = json.Unmarshal(text, &r.fields) // Some answers are no objects.
	r.outcome = l.judge(q, r)
	return r
}

func (l *load) judge(q query, r reply) outcome {
	switch {
	case r.status < 300:
		return acknowledged
	case r.status < 500:
		return refused
	case r.status != http.StatusServiceUnavailable:
		l.finding("%s %s answers %d %s", q.method, q.path, r.status, r.text)
	}
	return unknown
}

// worker is one client. It owns the users it makes, so that what it asks about each is in order.
type worker struct {
	*load
	rng   *rand.Rand
	admin string    // an administrator's access token
	since time.Time // the first of the failures that have not ended yet
}

func (w *worker) replica() string { return w.replicas[w.rng.IntN(len(w.replicas))] }

// command sends a command once, under an id of its own, and records what became of it.
func (w *worker) command(ctx context.Context, kind string, maybe bool, q query) reply {
	r := w.send(ctx, w.replica(), kind, maybe, q)
	w.timeOutage(r)
	if r.outcome == unknown {
		rest(ctx, time.Duration(w.rng.IntN(50))*time.Millisecond)
	}
	return r
}

func (l *load) send(ctx context.Context, base, kind string, maybe bool, q query) reply {
	id := "crash-" + l.next()
	q.header = map[string]string{"X-Request-Id": id}
	// A command that was sent is waited for: the campaign's end is no reason not to know.
	r := l.try(context.WithoutCancel(ctx), base, q)
	l.record(asked{id, kind, r.outcome, maybe})
	return r
}

// timeOutage notes for how long this client was not served by anybody.
func (w *worker) timeOutage(r reply) {
	if r.outcome == unknown {
		if w.since.IsZero() {
			w.since = time.Now()
		}
		return
	}
	if !w.since.IsZero() {
		w.mu.Lock()
		w.outage = max(w.outage, time.Since(w.since))
		w.mu.Unlock()
	}
	w.since = time.Time{}
}

// race sends the same query from several clients at once.
func (w *worker) race(ctx context.Context, kind string, n int, q query) []reply {
	replies := make([]reply, n)
	bases := make([]string, n)
	for i := range bases {
		bases[i] = w.replica()
	}
	var all sync.WaitGroup
	for i, base := range bases {
		all.Go(func() { replies[i] = w.send(ctx, base, kind, false, q) })
	}
	all.Wait()
	return replies
}

// run makes one user after the other until ctx ends.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		if u := w.register(ctx); u != nil {
			u.live(ctx)
			w.keep(u.history)
		}
		rest(ctx, time.Duration(w.rng.IntN(20))*time.Millisecond)
	}
}

// register makes a user, at times under an address that several ask for at once.
func (w *worker) register(ctx context.Context) *account {
	n := w.next()
	p := person{email: "user" + n + "@example.com", phone: "+1 " + n, password: "secret" + n, active: true}
	q := query{method: "POST", path: "/users", body: map[string]string{
		"email": p.email, "phone": p.phone, "password": p.password, "role": "CU",
	}}
	rivals, called := 1, time.Since(w.began)
	if w.rng.IntN(4) == 0 {
		rivals = 3
	}
	replies := w.race(ctx, registers, rivals, q)
	var mine *account
	refusals := 0
	for _, r := range replies {
		w.timeOutage(r)
		switch {
		case r.outcome == refused:
			refusals++
		case r.outcome == acknowledged && mine != nil:
			w.finding("%s is registered twice", p.email)
		case r.outcome == acknowledged:
			mine = &account{worker: w, person: p, history: &history{user: r.field("id")}}
			mine.note(step{kind: registers, to: p, outcome: acknowledged}, called)
			mine.learn(r)
		}
	}
	if mine == nil {
		rest(ctx, time.Duration(w.rng.IntN(50))*time.Millisecond)
	}
	if refusals == rivals {
		w.finding("%s is free and nobody got it", p.email)
	}
	return mine
}
