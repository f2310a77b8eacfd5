package commands

import (
	"context"
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
				f.see(r)
			}
		case r := <-f.Told:
			f.see(r)
		case <-tick.C:
			f.Vault.Keys.Tidy()
			since = f.ask(ctx, since)
		}
	}
}

// see drops what one event makes unknowable: that is said in each stream that holds the person.
func (f *Forgotten) see(r eventstore.Recorded) {
	if !f.Vault.Catalogue.Forgets(r.Type) {
		return
	}
	e, err := f.Vault.Catalogue.Decode(r.Type, r.Schema, r.Data, nil, nil)
	if err == nil {
		f.drop(e.(domain.Forgetter).Forgets(), r.Stream)
	}
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
	subjects, now, err := f.Store.ForgottenSince(ctx, since)
	for _, s := range subjects {
		streams, failed := f.Store.StreamsOf(ctx, s)
		if failed != nil {
			err = failed
			break
		}
		f.drop(s, streams...)
	}
	if err == nil {
		f.failing = time.Time{}
		return now.Add(-overlap)
	}
	if f.failing.IsZero() && ctx.Err() == nil {
		f.failing = time.Now()
		f.Log.Warn("it can't be found out who was forgotten", "error", err)
	}
	if f.Executor != nil && time.Since(f.failing) > seal.MaxAge-2*seal.TidyEvery {
		f.Executor.dropAll()
	}
	return since
}

// dropAll lets all states be folded anew.
func (x *Executor) dropAll() {
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
