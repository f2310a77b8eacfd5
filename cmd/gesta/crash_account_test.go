package main

import (
	"context"
	"net/http"
	"time"
)

// account is a user as the worker that owns it knows it.
type account struct {
	*worker
	person
	history         *history
	access, refresh string
	hazy            bool // a command is unknown: what is true may be something else
	behind          bool // readers may not have seen everything yet
}

func (a *account) path() string { return "/users/" + a.history.user }

// note records what was asked in the user's history.
func (a *account) note(s step, called time.Duration) {
	a.history.add(s, called, time.Since(a.began))
	a.hazy = a.hazy || s.outcome == unknown && s.kind != signsIn && s.kind != reads
}

// learn takes from an answer whether readers see what it wrote.
func (a *account) learn(r reply) {
	switch {
	case r.outcome == unknown, r.outcome == acknowledged && r.header.Get("X-Read-Model") != "":
		a.behind = true
	case r.outcome == acknowledged && r.header.Get("X-Event-Position") != "":
		a.behind = false
	}
}

// live uses an account until it is left, or something about it is not known.
func (a *account) live(ctx context.Context) {
	steps := []func(context.Context){a.read, a.read, a.changePhone, a.changeEmail, a.contest, a.takeTaken, a.changePassword, a.renew, a.putOut}
	if !a.signIn(ctx) {
		return
	}
	for n := 2 + a.rng.IntN(8); n > 0 && !a.hazy && ctx.Err() == nil; n-- {
		steps[a.rng.IntN(len(steps))](ctx)
		rest(ctx, time.Duration(a.rng.IntN(15))*time.Millisecond)
	}
	a.read(ctx)
	if a.hazy {
		a.tryPassword(ctx) // Either answer must fit to what is true now.
		return
	}
	a.leave(ctx)
}

// change sends a change of the user, and what it is to lead to.
func (a *account) change(ctx context.Context, kind, token string, to person, body map[string]any) reply {
	s, called := step{kind: kind, to: to, current: a.password}, time.Since(a.began)
	r := a.command(ctx, kind, query{method: "PUT", path: a.path(), token: token, body: body})
	s.outcome = r.outcome
	a.note(s, called)
	a.learn(r)
	if r.outcome == acknowledged {
		a.person = to
		a.see(r, "the answer to a change of "+kind)
	}
	if r.status == http.StatusUnauthorized {
		a.finding("a live session is refused: %s %s", kind, r.text)
	}
	return r
}

// see compares what an answer shows with what must be true.
func (a *account) see(r reply, what string) {
	shown := person{email: r.field("email"), phone: r.field("phone"), password: a.password, active: r.fields["is_active"] == true}
	if shown != a.person && !a.hazy {
		a.finding("%s shows %+v of %s, not %+v", what, shown, a.history.user, a.person)
	}
}

func (a *account) changePhone(ctx context.Context) {
	to := a.person
	to.phone = "+2 " + a.next()
	a.change(ctx, phones, a.access, to, map[string]any{"phone": to.phone})
}

func (a *account) changeEmail(ctx context.Context) {
	to := a.person
	to.email = "moved" + a.next() + "@example.com"
	a.change(ctx, emails, a.access, to, map[string]any{"email": to.email})
}

// contest asks for an address that others ask for as well: one of them gets it.
func (a *account) contest(ctx context.Context) {
	to := a.person
	if to.email = a.contested(); to.email == a.email {
		return
	}
	if r := a.change(ctx, emails, a.access, to, map[string]any{"email": to.email}); r.outcome == refused {
		a.lose(to.email)
	}
}

// takeTaken asks for an address that somebody else holds all the time.
func (a *account) takeTaken(ctx context.Context) {
	to := a.person
	to.email = campaignAdmin
	if r := a.change(ctx, emails, a.access, to, map[string]any{"email": to.email}); r.outcome == acknowledged || r.outcome == refused && r.status != http.StatusConflict {
		a.finding("an address that is taken: %d %s", r.status, r.text)
	}
}

func (a *account) changePassword(ctx context.Context) {
	to := a.person
	to.password = "changed" + a.next()
	a.change(ctx, passwords, a.access, to, map[string]any{"password": to.password, "current_password": a.password})
}

// read asks for the user until somebody answers: what was shown before an outage must be shown after it.
func (a *account) read(ctx context.Context) {
	for ctx.Err() == nil && !a.tryRead(ctx) {
		rest(ctx, time.Duration(a.rng.IntN(20))*time.Millisecond)
	}
}

// tryRead asks once, and tells whether that was answered. Where readers may lag it asks for the position
// that the history has reached.
func (a *account) tryRead(ctx context.Context) bool {
	called, q := time.Since(a.began), query{method: "GET", path: a.path(), token: a.admin}
	if a.behind {
		q.header = map[string]string{"X-Min-Position": a.head(ctx)}
		if q.header["X-Min-Position"] == "" {
			return false
		}
	}
	r := a.try(ctx, a.replica(), q)
	if a.timeOutage(r); r.outcome == refused {
		a.finding("%s is there, and reading it (behind: %v) answers %d %s", a.history.user, a.behind, r.status, r.text)
	}
	if r.outcome == acknowledged {
		seen := person{email: r.field("email"), phone: r.field("phone"), active: r.fields["is_active"] == true}
		a.note(step{kind: reads, to: seen, outcome: acknowledged}, called)
		a.see(r, "reading")
	}
	return r.outcome != unknown
}

// head is where the history ends now; "" when nobody says.
func (a *account) head(ctx context.Context) string {
	r := a.try(ctx, a.replica(), query{method: "GET", path: "/readyz"})
	detail, _ := r.fields["detail"].(map[string]any)
	return numeral(detail["head"])
}
