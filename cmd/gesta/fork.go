package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/relay"
)

// eventsForkEpoch repairs what a store that was restored from an older backup leaves behind.
type eventsForkEpoch struct {
	Common int64 `default:"-1" help:"The last position that the lost history and this one share, when the stream can't tell it."`
	Force  bool  `help:"Part them there although the stream knows of nothing that is lost: it was lost as well."`
}

var (
	errOnlyStream = errors.New("NATS can't be reached, and only the stream knows what was published; " +
		"with --common POSITION --force the history is parted after that position all the same")
	errNotTold = errors.New("the stream is forked, and no longer holds the place where it parts from the store; " +
		"say with --common POSITION which position is the last that both share")
	errNothing = errors.New("the stream has nothing of this store: NATS_URL may be that of another one; " +
		"with --common 0 the stream is thrown away all the same")
	errHealthy = errors.New("the stream has nothing that the store does not have, so that nothing seems to be lost; " +
		"where NATS has lost it too, say --force: consumers will undo what follows that position")
	errUnseen = errors.New("these have seen events that neither the store nor the stream has; " +
		"say with --common POSITION which position is the last that the lost history and the store share")
)

// Run raises the epoch where the store lacks what was published, and has all that follows the history
// begin anew after the last common event. A second run finds nothing to do, or completes the first; two at
// once take turns.
func (c eventsForkEpoch) Run(ctx context.Context, s *Settings, std streams) error {
	if c.Force && c.Common < 0 {
		return errors.New("--force needs --common POSITION")
	}
	return s.with(ctx, std, func(a *app) error {
		line, err := a.line()
		if err != nil && c.Common < 0 {
			return errors.Join(errOnlyStream, err)
		}
		if err == nil {
			defer line.close()
		}
		r := &repair{app: a, line: line, force: c.Force, out: std.out}
		return a.leader("fork-epoch").Lead(ctx, func(ctx context.Context) error { return r.run(ctx, c.Common) })
	})
}

// repair is one run of fork-epoch.
type repair struct {
	*app
	line    *line // nil when NATS is away
	force   bool
	out     io.Writer
	head    eventstore.Head
	epochs  eventstore.Epochs
	parting relay.Parting
	astray  []postgres.Stray // followers in the truth's checkpoints that have seen what is not there
}

func (r *repair) run(ctx context.Context, given int64) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	common, fork, err := r.common(ctx, given)
	if err != nil {
		return err
	}
	if fork {
		if err := r.raise(ctx, common); err != nil {
			return err
		}
	}
	rebuilt, err := r.rebuild(ctx)
	if err != nil {
		return err
	}
	if fork || r.parting.GivenUp {
		return r.refill(ctx)
	}
	if !rebuilt {
		r.say("not forked: nothing was seen that the store, up to position %d, does not have; nothing was changed", r.head.Position)
	}
	return nil
}

func (r *repair) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// look asks the store after the stream: while a relay publishes it can only be further.
func (r *repair) look(ctx context.Context) (err error) {
	if r.line != nil {
		if r.parting, err = relay.Part(ctx, r.store, r.line.js); err != nil {
			return err
		}
	}
	if r.astray, err = r.store.Strays(ctx); err != nil {
		return err
	}
	if r.head, err = r.store.Head(ctx); err != nil {
		return err
	}
	r.epochs, err = eventstore.LoadEpochs(ctx, r.store)
	return err
}

// common answers the last event that the lost history and the store share, and whether they part at all.
func (r *repair) common(ctx context.Context, given int64) (m eventstore.Mark, fork bool, err error) {
	switch p := r.parting; {
	case given >= 0:
		return r.given(ctx, given)
	case p.Forked && !p.Told:
		return m, true, errNotTold
	case p.Forked && p.Common.Position == 0:
		return m, true, errNothing
	case p.Forked:
		return p.Common, true, nil
	case len(r.astray) > 0:
		return m, true, fmt.Errorf("%v: %w", r.astray, errUnseen)
	}
	return m, false, nil
}

// given takes an operator's word for where histories part, unless the stream knows better.
func (r *repair) given(ctx context.Context, position int64) (m eventstore.Mark, fork bool, err error) {
	if p := r.parting; p.Forked && p.Told && p.Common.Position != position {
		return m, true, fmt.Errorf("the stream shows that position %d is the last common one", p.Common.Position)
	}
	for _, s := range r.astray {
		if s.Position <= position {
			return m, true, fmt.Errorf("%s: what it has seen there is not in the store", s)
		}
	}
	if position > r.head.Position {
		return m, true, fmt.Errorf("the store ends at position %d", r.head.Position)
	}
	if position > 0 {
		events, err := r.store.Read(ctx, position-1, 1)
		if err != nil || len(events) == 0 {
			return m, true, errors.Join(err, fmt.Errorf("the store has no position %d", position))
		}
		m = events[0].Mark()
	}
	if r.parting.Forked || len(r.astray) > 0 {
		return m, true, nil
	}
	if last, forked := r.epochs.Last(); forked && last.Common() == m {
		return m, false, nil
	}
	switch {
	case r.force:
		return m, true, nil
	case r.line == nil:
		return m, true, errOnlyStream
	}
	return m, true, errHealthy
}
