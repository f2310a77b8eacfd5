package bench

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"gesta/commands"
	"gesta/domain"
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
	store     eventstore.Store
	catalogue domain.Catalogue
	hasher    commands.Hasher
	lives     []life
}

func newFiller(s eventstore.Store, i Installation, events int) (*filler, error) {
	master, err := base64.StdEncoding.DecodeString(i.MasterKey)
	if err != nil {
		return nil, err
	}
	hasher, err := commands.NewHasher(master)
	return &filler{s, domain.NewCatalogue(identity.Types), hasher, make([]life, livesOf(events))}, err
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
	var a eventstore.Append
	for u := from; u < to; u++ {
		if step >= commonSteps && u%longEvery != 0 {
			continue
		}
		writes, err := f.step(&f.lives[u], step, u)
		if err != nil {
			return err
		}
		a.Writes = append(a.Writes, writes...)
	}
	if len(a.Writes) == 0 {
		return nil
	}
	_, err := f.store.Append(ctx, a)
	return err
}

func (f *filler) step(l *life, step, number int) ([]eventstore.Write, error) {
	switch {
	case step == 0:
		return f.register(l, number)
	case step == 2:
		return f.refresh(l)
	case step%2 == 1 && step > 1:
		return f.changePhone(l, fmt.Sprintf("+55%02d%09d", step, number))
	}
	return f.signIn(l)
}

func (f *filler) register(l *life, number int) ([]eventstore.Write, error) {
	l.user = identity.UserID{ID: id.New(time.Now())}
	w, err := f.write(identity.UserStream(l.user), &l.version, identity.UserRegistered{
		UserID: l.user, Realm: realm, Role: "CU", Email: userEmail(number), Phone: "+5511999990000", PasswordHash: passwordHash,
	})
	w.Take = []eventstore.Claim{f.hasher.Hash(identity.EmailClaim(realm, userEmail(number)))}
	return []eventstore.Write{w}, err
}

func (f *filler) signIn(l *life) ([]eventstore.Write, error) {
	l.session, l.sessionAfter = identity.SessionID{ID: id.New(time.Now())}, 0
	user, err := f.write(identity.UserStream(l.user), &l.version, identity.UserSignedIn{UserID: l.user, SessionID: l.session})
	if err != nil {
		return nil, err
	}
	session, err := f.write(identity.SessionStream(l.session), &l.sessionAfter, identity.SessionOpened{
		SessionID: l.session, UserID: l.user, Realm: realm, ExpiresAt: time.Now().Add(tokenLife), RefreshHash: identity.HashToken(l.session.String()),
	})
	session.Take = []eventstore.Claim{f.hasher.Hash(identity.SessionClaim(l.user, l.session))}
	return []eventstore.Write{user, session}, err
}

func (f *filler) refresh(l *life) ([]eventstore.Write, error) {
	w, err := f.write(identity.SessionStream(l.session), &l.sessionAfter, identity.SessionRefreshed{
		SessionID: l.session, ExpiresAt: time.Now().Add(tokenLife), RefreshHash: identity.HashToken(l.user.String()),
	})
	return []eventstore.Write{w}, err
}

func (f *filler) changePhone(l *life, phone string) ([]eventstore.Write, error) {
	w, err := f.write(identity.UserStream(l.user), &l.version, identity.UserPhoneChanged{UserID: l.user, Phone: value.Phone(phone)})
	return []eventstore.Write{w}, err
}

// write is one event that follows the version of its stream.
func (f *filler) write(s domain.Stream, version *int64, what domain.Event) (eventstore.Write, error) {
	e, err := f.catalogue.Encode(what)
	if err != nil {
		return eventstore.Write{}, err
	}
	now := time.Now()
	*version++
	return eventstore.Write{Stream: s, Expect: *version - 1, Events: []eventstore.NewEvent{{
		ID: id.Event{ID: id.New(now)}, Type: e.Type, Schema: e.Schema, Data: e.Data, Secret: e.Secret, Meta: registrationMeta, OccurredAt: now,
	}}}, nil
}
