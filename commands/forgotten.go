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
// keys, and the states of the streams that hold them. Keys are dropped after seal.MaxAge in any case.
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

	failing bool
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
	f.Vault.Keys.Forgotten(subject)
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
	if err != nil {
		if !f.failing && ctx.Err() == nil {
			f.Log.Warn("it can't be found out who was forgotten", "error", err)
		}
		f.failing = true
		return since
	}
	f.failing = false
	return now.Add(-overlap)
}

// drop lets the state of a stream be folded anew.
func (x *Executor) drop(s domain.Stream) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.states.Remove(s)
}
