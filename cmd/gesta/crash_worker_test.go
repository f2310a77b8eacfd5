package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// worker is one client. It owns the users it makes, so that what it asks about each is in order.
type worker struct {
	*load
	rng   *rand.Rand
	admin string    // an administrator's access token
	since time.Time // the first of the failures that have not ended yet
}

func (w *worker) replica() string { return w.replicas[w.rng.IntN(len(w.replicas))] }

// command sends a command once, under an id of its own, and records what became of it.
func (w *worker) command(ctx context.Context, kind string, q query) reply {
	r := w.send(ctx, w.replica(), kind, q)
	w.timeOutage(r)
	if r.outcome == unknown {
		rest(ctx, time.Duration(w.rng.IntN(50))*time.Millisecond)
	}
	return r
}

func (l *load) send(ctx context.Context, base, kind string, q query) reply {
	id := "crash-" + l.next()
	q.header = map[string]string{"X-Request-Id": id}
	// A command that was sent is waited for: the campaign's end is no reason not to know.
	r := l.try(context.WithoutCancel(ctx), base, q)
	l.record(asked{id, kind, r.outcome})
	return r
}

// timeOutage notes for how long this client was not served by anybody.
func (w *worker) timeOutage(r reply) {
	if r.outcome == unknown {
		if w.since.IsZero() {
			w.since = r.sent
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
		all.Go(func() { replies[i] = w.send(ctx, base, kind, q) })
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

// register makes a user, at times under an address that several ask for at once; nil when nobody is known
// to have got it.
func (w *worker) register(ctx context.Context) *account {
	n := w.next()
	p := person{email: "user" + n + "@example.com", phone: "+1 " + n, password: "secret" + n, active: true}
	q := query{method: "POST", path: "/users", body: map[string]string{
		"email": p.email, "phone": p.phone, "password": p.password, "role": "CU",
	}}
	called, rivals := time.Since(w.began), 1
	if w.rng.IntN(4) == 0 {
		rivals = 3
	}
	winner := w.winner(w.race(ctx, registers, rivals, q), "registering "+p.email)
	if winner == nil {
		rest(ctx, time.Duration(w.rng.IntN(50))*time.Millisecond)
		return nil
	}
	mine := &account{worker: w, person: p, history: &history{user: winner.field("id")}}
	mine.note(step{kind: registers, to: p, outcome: acknowledged}, called)
	mine.learn(*winner)
	return mine
}

// winner is the one of several who got what only one can get; nil when that is not known.
func (w *worker) winner(replies []reply, what string) (won *reply) {
	refusals := 0
	for _, r := range replies {
		w.timeOutage(r)
		switch {
		case r.outcome == refused:
			refusals++
		case r.outcome == acknowledged && won != nil:
			w.finding("%s was acknowledged twice", what)
		case r.outcome == acknowledged:
			won = &r
		}
	}
	if refusals == len(replies) {
		w.finding("%s was refused to everybody: %s", what, replies[0].text)
	}
	return won
}
