package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/seal"
)

// vaultOf is what seals and opens the events of a store, as a process does.
func vaultOf(ctx context.Context, s seal.Store, i Installation) (*seal.Vault, error) {
	key, err := base64.StdEncoding.DecodeString(i.MasterKey)
	if err != nil {
		return nil, err
	}
	master, err := seal.NewMaster(key)
	if err != nil {
		return nil, err
	}
	keys, err := seal.Open(ctx, s, nil, master)
	if p, real := s.(*postgres.Store); real && err == nil {
		err = p.BeginSealing(ctx, 0, false)
	}
	return &seal.Vault{Catalogue: domain.NewCatalogue(identity.Types, crm.Types, eventstore.Types), Keys: keys}, err
}

// ink is how events are written: sealed, or in clear.
type ink struct {
	*seal.Vault
	clear bool
}

// writing makes one write after the other for one append.
type writing struct {
	*seal.Sealing
	ink
	at eventstore.Append
}

func newWriting(ctx context.Context, in ink, isNew bool) *writing {
	return &writing{Sealing: in.Vault.Sealing(ctx, func(id.ID) bool { return isNew }), ink: in}
}

func (w *writing) encode(s domain.Stream, event id.Event, what domain.Event) (domain.Encoded, error) {
	if !w.clear {
		return w.Sealing.Encode(s, event, what)
	}
	e, err := w.Catalogue.Encode(what, inClear{})
	e.Subjects = nil
	return e, err
}

// add adds an event that follows the version of its stream.
func (w *writing) add(s domain.Stream, version int64, what domain.Event) (*eventstore.Write, error) {
	now := time.Now()
	event := id.Event{ID: id.New(now)}
	e, err := w.encode(s, event, what)
	if err != nil {
		return nil, err
	}
	write := eventstore.Write{Stream: s, Expect: version, Events: []eventstore.NewEvent{{
		ID: event, Type: e.Type, Schema: e.Schema, Data: e.Data, Secret: e.Secret, Meta: registrationMeta, OccurredAt: now,
	}}}
	if version == 0 {
		write.Subjects = e.Subjects
	}
	w.at.Writes = append(w.at.Writes, write)
	return &w.at.Writes[len(w.at.Writes)-1], nil
}

func (w *writing) append(ctx context.Context, s eventstore.Store) (r eventstore.Receipt, err error) {
	w.at.Keys = w.Sealing.Keys
	if len(w.at.Writes) == 0 {
		return r, nil
	}
	if r, err = s.Append(ctx, w.at); err == nil {
		w.Kept()
	}
	return r, err
}

// fill appends so many registrations, each on a stream of its own, with all that a user's has.
func fill(ctx context.Context, s eventstore.Store, in ink, events int) error {
	for done := 0; done < events; {
		w := newWriting(ctx, in, true)
		for range min(500, events-done) {
			user := identity.UserID{ID: id.New(time.Now())}
			if _, err := w.add(identity.UserStream(user), 0, registration(done, user)); err != nil {
				return err
			}
			done++
		}
		if _, err := w.append(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// registration is what a registration by HTTP says.
func registration(n int, user identity.UserID) domain.Event {
	return identity.UserRegistered{
		UserID: user, Realm: realm, Role: "CU", Email: userEmail(n), Phone: "+5511999990000", PasswordHash: passwordHash,
	}
}

// inClear seals nothing: events are written as they were before anything was sealed.
type inClear struct{}

func (inClear) Seal(_ domain.Place, value []byte) (string, error) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text, nil
	}
	return string(value), nil
}

// sealed compares events whose personal and secret fields are sealed with the same events in clear.
func (l *lab) sealed(ctx context.Context) error {
	var both []*sealedOrClear
	for _, clear := range []bool{false, true} {
		one, err := l.sealedOrClear(ctx, clear)
		if err != nil {
			return err
		}
		defer one.store.Close()
		both = append(both, one)
	}
	for n, one := range both {
		caught, err := newCatchUp(ctx, one.Installation, one.store, n == 1)
		if err != nil {
			return err
		}
		defer caught.close(ctx)
		one.catchUp = caught
	}
	took, err := turns(ctx, 3, 0, whole(both[0].catchUp.project), whole(both[1].catchUp.project))
	if err != nil {
		return err
	}
	l.rates("seal", fmt.Sprintf("replay: a projector that catches up with the registrations of %d users, against the same in clear", projected), "events", took[0], took[1], atLeast(.8))
	took, err = turns(ctx, 3, 0, reading(both[0].store, both[0].Vault), reading(both[1].store, both[1].Vault))
	if err != nil {
		return err
	}
	l.rates("seal", fmt.Sprintf("%d registrations read in order and opened, a key each, against the same in clear", projected), "events", took[0], took[1], shown)
	for _, many := range []int{1, 64} {
		took, err := turns(ctx, rounds, turn, writers(many, 1, both[0].changing()), writers(many, 1, both[1].changing()))
		if err != nil {
			return err
		}
		l.rates("seal", clients(many, "writer")+", each registering a user and changing the phone number 19 times, against the same in clear", "events",
			took[0], took[1], atLeast(.8))
	}
	took, err = turns(ctx, rounds, turn, writers(8, 1, both[0].folding()), writers(8, 1, both[1].folding()))
	if err != nil {
		return err
	}
	l.rates("seal", "replay: the state of a user from 20 events, by a process that knows neither them nor the key, 8 readers, against the same in clear", "users", took[0], took[1], atLeast(.8))
	return nil
}

// sealedOrClear is a store of one kind of events.
type sealedOrClear struct {
	Installation
	ink
	store   *postgres.Store
	catchUp *catchUp
	mu      sync.Mutex
	users   []identity.UserID // whose streams are full
}

func (l *lab) sealedOrClear(ctx context.Context, clear bool) (*sealedOrClear, error) {
	i, err := l.database(ctx)
	if err != nil {
		return nil, err
	}
	s, err := postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema})
	if err != nil {
		return nil, err
	}
	v, err := vaultOf(ctx, s, i)
	return &sealedOrClear{Installation: i, ink: ink{v, clear}, store: s}, err
}

func (s *sealedOrClear) full(u identity.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !u.IsZero() {
		s.users = append(s.users, u)
	}
}

// folding replays one user after the other.
func (s *sealedOrClear) folding() func() func(context.Context) error {
	return func() func(context.Context) error {
		return func(ctx context.Context) error {
			u := s.users[rand.IntN(len(s.users))]
			x := commands.NewExecutor(s.store, s.Over(s.store), commands.Hasher{})
			if state, err := commands.State[identity.User](ctx, x, identity.UserStream(u)); err != nil || state.Phone == "" {
				return errors.Join(err, fmt.Errorf("the user is %+v", state))
			}
			return nil
		}
	}
}

// changing fills one user's stream of twenty events after the other.
func (s *sealedOrClear) changing() func() func(context.Context) error {
	return func() func(context.Context) error {
		var user identity.UserID
		version := int64(0)
		return func(ctx context.Context) error {
			if version%20 == 0 {
				s.full(user)
				user, version = identity.UserID{ID: id.New(time.Now())}, 0
			}
			w := newWriting(ctx, s.ink, version == 0)
			var what domain.Event = identity.UserPhoneChanged{UserID: user, Phone: "+5511999990000"}
			if version == 0 {
				what = registration(0, user)
			}
			_, err := w.add(identity.UserStream(user), version, what)
			if err == nil {
				_, err = w.append(ctx, s.store)
			}
			version++
			return err
		}
	}
}
