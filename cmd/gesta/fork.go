package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/relay"
	"gesta/projections"
)

// eventsForkEpoch repairs what a store that was restored from an older backup leaves behind.
type eventsForkEpoch struct {
	Common int64 `default:"-1" help:"The last position that the lost history and this one share, when the stream can't tell it."`
}

var (
	errOnlyStream = errors.New("NATS can't be reached, and only the stream knows what was published; " +
		"with --common POSITION the history is parted after that position all the same")
	errNotTold = errors.New("the stream is forked, and no longer holds the place where it parts from the store; " +
		"say with --common POSITION which position is the last that both share")
	errUnseen = errors.New("these have seen events that neither the store nor the stream has; " +
		"say with --common POSITION which position is the last that the lost history and the store share")
)

// Run raises the epoch where the store lacks what was published, and has all that follows the history
// begin anew after the last common event. A second run finds nothing to do, or completes the first.
func (c eventsForkEpoch) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		line, err := a.line()
		if err != nil && c.Common < 0 {
			return errors.Join(errOnlyStream, err)
		}
		if err == nil {
			defer line.close()
		}
		return (&repair{app: a, line: line, out: std.out}).run(ctx, c.Common)
	})
}

// repair is one run of fork-epoch.
type repair struct {
	*app
	line    *line // nil when NATS is away
	out     io.Writer
	head    eventstore.Head
	epochs  eventstore.Epochs
	parting relay.Parting
	astray  []string // followers in the truth's checkpoints that have seen what is not there
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
	if r.astray, err = r.store.Astray(ctx); err != nil {
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
	case p.Forked:
		return p.Common, true, nil
	case len(r.astray) > 0:
		return m, true, fmt.Errorf("%s: %w", strings.Join(r.astray, ", "), errUnseen)
	}
	return m, false, nil
}

// given takes an operator's word for where histories part, unless the stream knows better.
func (r *repair) given(ctx context.Context, position int64) (m eventstore.Mark, fork bool, err error) {
	if p := r.parting; p.Forked && p.Told && p.Common.Position != position {
		return m, true, fmt.Errorf("the stream shows that position %d is the last common one", p.Common.Position)
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
	last, forked := r.epochs.Last()
	return m, r.parting.Forked || len(r.astray) > 0 || !forked || last.Common() != m, nil
}

// raise begins an epoch that is greater than any that was ever published.
func (r *repair) raise(ctx context.Context, common eventstore.Mark) error {
	f := eventstore.EpochForked{
		Epoch: max(r.head.Epoch, r.epochs.Current(), r.parting.Epoch) + 1, Before: r.head.Epoch,
		CommonPosition: common.Position, CommonEvent: common.Event,
		LostPosition: r.parting.Lost.Position, LostEvent: r.parting.Lost.Event,
	}
	if r.parting.Forked {
		r.say("forked: the stream ends at position %d with what is not in the store, which ends at %d", f.LostPosition, r.head.Position)
	}
	fact, err := r.fact(f)
	if err != nil {
		return err
	}
	moved, err := r.store.RaiseEpoch(ctx, f, r.epochs.Facts(), fact)
	if err != nil {
		return err
	}
	r.say("epoch %d begins after position %d, the last common one, and is recorded as %s", f.Epoch, f.CommonPosition, fact.Type)
	if len(moved) > 0 {
		r.say("taken back to that position: %s", strings.Join(moved, ", "))
	}
	return nil
}

func (r *repair) fact(f eventstore.EpochForked) (e eventstore.NewEvent, err error) {
	enc, err := r.catalogue.Encode(f)
	if err != nil {
		return e, err
	}
	now := time.Now()
	meta, err := json.Marshal(domain.Meta{Actor: "system", Surface: "cli"})
	return eventstore.NewEvent{
		ID: id.Event{ID: id.New(now)}, Type: enc.Type, Schema: enc.Schema, Data: enc.Data, Secret: enc.Secret,
		Meta: meta, OccurredAt: now,
	}, err
}

// rebuild has the read models built anew if they show what is not in the history.
func (r *repair) rebuild(ctx context.Context) (rebuilt bool, err error) {
	forked := (*checkpoint.Forked)(nil)
	switch err := r.verifyReadModels(ctx); {
	case err == nil:
		return false, nil
	case !errors.As(err, &forked):
		return false, err
	}
	p := r.newProjector(r.leader("projector").Lead, func(eventstore.Mark) {})
	if err := p.Reset(ctx); err != nil {
		return false, err
	}
	r.say("the read models showed event %s at position %d, which is not there: they are built anew by whoever projects",
		forked.Seen.Event, forked.Seen.Position)
	return true, nil
}

// verifyReadModels asks whether the history has the last event that they show.
func (r *repair) verifyReadModels(ctx context.Context) error {
	table := pgx.Identifier{projections.ReadSchema(r.sys.schema), "checkpoints"}
	var there bool
	if err := r.reads.QueryRow(ctx, `select to_regclass($1) is not null`, table.Sanitize()).Scan(&there); err != nil || !there {
		return err
	}
	seen, err := checkpoint.Table{Name: table}.Get(ctx, r.reads, "projector")
	if err != nil {
		return err
	}
	return checkpoint.Verify(ctx, r.store, seen)
}

// refill waits until the relay that leads has thrown the stream away and filled another, and is that
// relay itself where nobody else leads.
func (r *repair) refill(ctx context.Context) error {
	if r.line == nil {
		r.say("NATS is away: run this again when it is back, since its stream may hold what is lost")
		return nil
	}
	r.say("the stream is thrown away and filled anew by the relay that leads")
	relaying, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.relay(relaying) }()
	position, err := r.awaitStream(ctx)
	stop()
	if err := errors.Join(err, ended(<-done)); err != nil {
		return err
	}
	r.say("filled anew up to position %d", position)
	return nil
}

func (r *repair) relay(ctx context.Context) error {
	if !r.line.mayPublish {
		return nil // The `gesta dev` that runs does it.
	}
	return r.newRelay(r.line.nc).Run(ctx)
}

func (r *repair) awaitStream(ctx context.Context) (int64, error) {
	for {
		if err := r.look(ctx); err != nil {
			return 0, err
		}
		if p := r.parting; !p.Forked && !p.GivenUp && p.Last >= r.head.Position {
			return p.Last, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
