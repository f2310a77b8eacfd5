package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/projections"
)

// raise begins an epoch that is greater than any that was ever published.
func (r *repair) raise(ctx context.Context, common eventstore.Mark) error {
	f := eventstore.EpochForked{
		Epoch: r.nextEpoch(), Before: r.head.Epoch,
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
	if slices.Contains(moved, projections.HistoryFollower) { // It has rows and counts of what is lost.
		r.say("the index of the history is made anew")
		return auditRebuild{Only: []string{projections.HistoryFollower}}.begin(ctx, r.sys)
	}
	return nil
}

// nextEpoch is greater than any that was published. Where the stream does not tell which those were, it is
// the time in seconds, beside which all that were counted are small.
func (r *repair) nextEpoch() int64 {
	next := max(r.head.Epoch, r.epochs.Current(), r.parting.Epoch) + 1
	if !r.parting.Forked {
		next = max(next, time.Now().Unix())
	}
	return next
}

func (r *repair) fact(f eventstore.EpochForked) (e eventstore.NewEvent, err error) {
	enc, err := r.catalogue.Encode(f, nil)
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
	r.say("the read models showed event %s at position %d, which is not there: they are built anew",
		forked.Seen.Event, forked.Seen.Position)
	return true, r.rebuildReadModels(ctx, r.out, true)
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

// awaitStream waits until the stream has what the store has now: others may go on writing.
func (r *repair) awaitStream(ctx context.Context) (int64, error) {
	now, err := r.store.Head(ctx)
	if err != nil {
		return 0, err
	}
	err = poll(ctx, func() (bool, error) {
		err := r.look(ctx)
		return !r.parting.Forked && !r.parting.GivenUp && r.parting.Last >= now.Position, err
	})
	return r.parting.Last, err
}
