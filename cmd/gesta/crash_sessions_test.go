package main

import (
	"context"
	"net/http"
	"time"
)

// signIn tries until it has a session, or is refused where nothing is known for certain.
func (a *account) signIn(ctx context.Context) bool {
	for ctx.Err() == nil {
		switch r := a.tryPassword(ctx); {
		case r.outcome == acknowledged:
			a.takeTokens(r)
			return true
		case r.outcome == refused:
			if !a.hazy {
				a.finding("the right password of %s is refused: %s", a.history.user, r.text)
			}
			return false
		}
	}
	return false
}

func (a *account) tryPassword(ctx context.Context) reply {
	called := time.Since(a.began)
	r := a.command(ctx, signsIn, query{method: "POST", path: "/auth/login", body: map[string]string{
		"email": a.email, "password": a.password,
	}})
	a.note(step{kind: signsIn, to: a.person, outcome: r.outcome}, called)
	return r
}

// renew spends the refresh token; at times two do so at once, of whom one is a thief.
func (a *account) renew(ctx context.Context) {
	if a.rng.IntN(3) == 0 {
		a.share(ctx)
		return
	}
	r := a.spend(ctx, a.refresh)
	if r.outcome == refused {
		a.finding("a good refresh token is refused: %s", r.text)
	}
	if r.outcome != acknowledged {
		a.signIn(ctx) // Whether the token is spent is not known.
	}
}

// share has two use one refresh token: one of them gets a new one, and the session ends.
func (a *account) share(ctx context.Context) {
	replies := a.race(ctx, refreshes, 2, spending(a.refresh))
	if r := a.winner(replies, "a refresh"); r != nil && replies[0].outcome != unknown && replies[1].outcome != unknown {
		a.takeTokens(*r)
		a.isOver(ctx, "after two used one refresh token")
	}
	a.signIn(ctx)
}

func spending(token string) query {
	return query{method: "POST", path: "/auth/refresh", body: map[string]string{"refresh_token": token}}
}

// spend presents a refresh token, and takes the new ones.
func (a *account) spend(ctx context.Context, token string) reply {
	r := a.command(ctx, refreshes, spending(token))
	if r.outcome == acknowledged {
		a.takeTokens(r)
	}
	return r
}

func (a *account) takeTokens(r reply) {
	a.access, a.refresh = r.field("access_token"), r.field("refresh_token")
}

// putOut puts the user out and lets him in again.
func (a *account) putOut(ctx context.Context) {
	to := a.person
	to.active = false
	if r := a.change(ctx, switches, a.admin, to, map[string]any{"is_active": false}); r.outcome != acknowledged {
		return
	}
	a.isOver(ctx, "after the user was put out")
	if r := a.tryPassword(ctx); r.outcome == acknowledged {
		a.finding("%s is put out and signs in", a.history.user)
	}
	to.active = true
	if r := a.change(ctx, switches, a.admin, to, map[string]any{"is_active": true}); r.outcome == acknowledged {
		a.signIn(ctx)
	}
}

// leave ends the session in one of two ways, after which both of its tokens are refused.
func (a *account) leave(ctx context.Context) {
	if a.rng.IntN(2) == 0 {
		r := a.command(ctx, signsOut, query{method: "POST", path: "/auth/logout", token: a.access})
		if r.outcome == acknowledged {
			a.isOver(ctx, "after signing out")
		}
		return
	}
	spent := a.refresh
	if a.spend(ctx, spent).outcome == acknowledged && a.isRefused(ctx, spent) {
		a.isOver(ctx, "after a spent refresh token was presented")
	}
}

// isOver expects that nothing more can be done with the session's tokens.
func (a *account) isOver(ctx context.Context, when string) {
	for ctx.Err() == nil {
		r := a.try(ctx, a.replica(), query{method: "GET", path: a.path(), token: a.access})
		if a.timeOutage(r); r.outcome == unknown {
			rest(ctx, 10*time.Millisecond)
			continue
		}
		if r.status != http.StatusUnauthorized {
			a.finding("an access token is good %s: %d", when, r.status)
		}
		break
	}
	a.isRefused(ctx, a.refresh)
}

// isRefused expects that a refresh token is good for nothing, and tells whether that was answered.
func (a *account) isRefused(ctx context.Context, token string) bool {
	for ctx.Err() == nil {
		switch a.command(ctx, refreshes, spending(token)).outcome {
		case acknowledged:
			a.finding("a spent refresh token, or one of a session that is over, was good")
			return false
		case refused:
			return true
		}
	}
	return false
}
