package commands

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// Forgotten drops what this process keeps in memory about persons as soon as they are forgotten, whoever did it: their
// keys, and the states of the streams that hold them. Keys are dropped after seal.MaxAge in any case, and so are all
// states where it can't be found out for as long.
type Forgotten struct {
	Vault    *seal.Vault
	Executor *Executor // nil where nothing is decided
	Store    interface {
		ForgottenSince(ctx context.Context, t time.Time) (subjects []id.ID, now time.Time, err error)
		StreamsOf(ctx context.Context, subject id.ID) ([]domain.Stream, error)
	}
	Commits <-chan eventstore.Commit // of this process
	Told    <-chan eventstore.Recorded
	Log     *slog.Logger

	failing time.Time // since when it can't be found out; zero while it can
}

// overlap is how far back is asked again: what was being committed when it was asked for is seen the next time, and so
// is a state dropped that was being folded.
const overlap = time.Minute

// Run works until ctx ends.
func (f *Forgotten) Run(ctx context.Context) error {
	tick := time.NewTicker(seal.TidyEvery)
	defer tick.Stop()
	since := time.Now().Add(-overlap)
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-f.Commits:
			for _, r := range c.Events {
				f.see(ctx, r)
			}
		case r := <-f.Told:
			f.see(ctx, r)
		case <-tick.C:
			f.Vault.Keys.Tidy()
			since = f.ask(ctx, since)
		}
	}
}

// askTime is how long a store that does not answer is waited for: there is more to do.
const askTime = seal.TidyEvery / 2

// see drops what one event makes unknowable. It is said in each stream that holds the person, but for those that have
// said so before: of these the person's own stream tells.
func (f *Forgotten) see(ctx context.Context, r eventstore.Recorded) {
	if !f.Vault.Catalogue.Forgets(r.Type) {
		return
	}
	e, err := f.Vault.Catalogue.Decode(r.Type, r.Schema, r.Data, nil, nil)
	if err != nil {
		return
	}
	subject := e.(domain.Forgetter).Forgets()
	f.drop(subject, r.Stream)
	if domain.IsOf(r.Stream, e) {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		_ = f.dropAll(ctx, subject) // Whom it overlooks is asked for.
	}
}

// dropAll drops all that is known about somebody.
func (f *Forgotten) dropAll(ctx context.Context, subject id.ID) error {
	streams, err := f.Store.StreamsOf(ctx, subject)
	if f.Executor != nil {
		streams = append(streams, f.Executor.keptBy(subject)...)
	}
	f.drop(subject, streams...)
	return err
}

func (f *Forgotten) drop(subject id.ID, streams ...domain.Stream) {
	f.Vault.Keys.Drop(subject)
	if f.Executor != nil {
		for _, s := range streams {
			f.Executor.drop(s)
		}
	}
}

// ask finds out about those that nothing was heard of, and answers from when on to ask the next time.
func (f *Forgotten) ask(ctx context.Context, since time.Time) time.Time {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	subjects, now, err := f.Store.ForgottenSince(ctx, since)
	for _, s := range subjects {
		err = errors.Join(err, f.dropAll(ctx, s))
	}
	if err == nil {
		f.failing = time.Time{}
		return now.Add(-overlap)
	}
	if f.failing.IsZero() {
		f.failing = time.Now()
		f.Log.Warn("it can't be found out who was forgotten", "error", err)
	}
	if f.Executor != nil && time.Since(f.failing) > seal.MaxAge-2*seal.TidyEvery {
		f.Executor.forgetAll()
	}
	return since
}

// keptBy are the streams with an id of which a state is kept.
func (x *Executor) keptBy(subject id.ID) (streams []domain.Stream) {
	for _, s := range x.states.Keys() {
		if s.ID == subject {
			streams = append(streams, s)
		}
	}
	return streams
}

// forgetAll lets all states be folded anew.
func (x *Executor) forgetAll() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.states.Purge()
}

// drop lets the state of a stream be folded anew.
func (x *Executor) drop(s domain.Stream) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.states.Remove(s)
}
