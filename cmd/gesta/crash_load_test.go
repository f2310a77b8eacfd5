package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

func (q query) request(ctx context.Context, base string) *http.Request {
	body, err1 := json.Marshal(q.body)
	r, err2 := http.NewRequestWithContext(ctx, q.method, base+q.path, bytes.NewReader(body))
	if err := errors.Join(err1, err2); err != nil {
		panic(err) // Paths and bodies are ours.
	}
	r.Header.Set("Content-Type", "application/json")
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	return r
}

// reply is what came back; status 0 when nothing did.
type reply struct {
	answer
	outcome
	sent time.Time
}

// try sends a query to a replica, once.
func (l *load) try(ctx context.Context, base string, q query) (r reply) {
	r.sent = time.Now()
	response, err := l.http.Do(q.request(ctx, base))
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
