package bench

import (
	"context"
	"fmt"
	"time"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
)

// A life is what happens to one user: all register, sign in, refresh and change their phone number; every
// tenth goes on changing it and signing in until his stream has twenty events.
type life struct {
	user                  identity.UserID
	session               identity.SessionID
	version, sessionAfter int64 // of the two streams
}

const (
	commonSteps = 4  // of everybody
	allSteps    = 21 // of every tenth
	longEvery   = 10
	lifeWrites  = 200 // users whose steps are one append
)

// livesOf is how many users bring about so many events: ten bring 76.
func livesOf(events int) int { return events * 10 / 76 }

// filler fills a store with lives, step by step, so that what happened to one user lies scattered over the
// whole history, as it does where years have passed.
type filler struct {
	store eventstore.Store
	ink
	hasher commands.Hasher
	lives  []life
}

func newFiller(ctx context.Context, s eventstore.Store, i Installation, events int) (*filler, error) {
	vault, err := vaultOf(ctx, s, i)
	if err != nil {
		return nil, err
	}
	return &filler{s, ink{Vault: vault}, commands.NewHasher(vault.Keys.Claims()), make([]life, livesOf(events))}, nil
}

// fill says after each step how far it is.
func (f *filler) fill(ctx context.Context, step func(n int)) error {
	for n := range allSteps {
		err := each((len(f.lives)+lifeWrites-1)/lifeWrites, func(chunk int) error {
			return f.append(ctx, n, chunk*lifeWrites, min((chunk+1)*lifeWrites, len(f.lives)))
		})
		if err != nil {
			return err
		}
		step(n)
	}
	return nil
}

// append takes some users one step further.
func (f *filler) append(ctx context.Context, step, from, to int) error {
	if err := f.learn(ctx, step, from, to); err != nil {
		return err
	}
	w := newWriting(ctx, f.ink, step == 0)
	for u := from; u < to; u++ {
		if step >= commonSteps && u%longEvery != 0 {
			continue
		}
		if err := f.step(w, &f.lives[u], step, u); err != nil {
			return err
		}
	}
	_, err := w.append(ctx, f.store)
	return err
}

// learn asks for the keys of all at once.
func (f *filler) learn(ctx context.Context, step, from, to int) error {
	if step == 0 {
		return nil
	}
	var users []id.ID
	for _, l := range f.lives[from:to] {
		users = append(users, l.user.ID)
	}
	before := f.Vault.Keys.Drops()
	keys, err := f.store.Keys(ctx, f.Vault.Keys.Missing(users...))
	if err == nil {
		f.Vault.Keys.Learn(keys, before)
	}
	return err
}

func (f *filler) step(w *writing, l *life, step, number int) error {
	switch {
	case step == 0:
		return f.register(w, l, number)
	case step == 2:
		return f.refresh(w, l)
	case step%2 == 1 && step > 1:
		return f.changePhone(w, l, fmt.Sprintf("+55%02d%09d", step, number))
	}
	return f.signIn(w, l)
}

func (f *filler) register(w *writing, l *life, number int) error {
	l.user, l.version = identity.UserID{ID: id.New(time.Now())}, 1
	write, err := w.add(identity.UserStream(l.user), 0, registration(number, l.user))
	if err == nil {
		write.Take = []eventstore.Claim{f.hasher.Hash(identity.EmailClaim(realm, userEmail(number)))}
	}
	return err
}

func (f *filler) signIn(w *writing, l *life) error {
	l.session, l.sessionAfter = identity.SessionID{ID: id.New(time.Now())}, 1
	_, err := w.add(identity.UserStream(l.user), l.version, identity.UserSignedIn{UserID: l.user, SessionID: l.session})
	if err != nil {
		return err
	}
	l.version++
	write, err := w.add(identity.SessionStream(l.session), 0, identity.SessionOpened{
		SessionID: l.session, UserID: l.user, Realm: realm, ExpiresAt: time.Now().Add(tokenLife), RefreshHash: identity.HashToken(l.session.String()),
	})
	if err == nil {
		write.Take = []eventstore.Claim{f.hasher.Hash(identity.SessionClaim(l.user, l.session))}
	}
	return err
}

func (f *filler) refresh(w *writing, l *life) error {
	_, err := w.add(identity.SessionStream(l.session), l.sessionAfter, identity.SessionRefreshed{
		SessionID: l.session, ExpiresAt: time.Now().Add(tokenLife), RefreshHash: identity.HashToken(l.user.String()),
	})
	l.sessionAfter++
	return err
}

func (f *filler) changePhone(w *writing, l *life, phone string) error {
	_, err := w.add(identity.UserStream(l.user), l.version, identity.UserPhoneChanged{UserID: l.user, Phone: value.Phone(phone)})
	l.version++
	return err
}
