package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gesta/commands/verify"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/proof"
	"gesta/eventstore/scribe"
	"gesta/projections"
)

// newScribes are those who write down what auditors ask for.
func (n *node) newScribes() []*scribe.Scribe {
	return []*scribe.Scribe{n.proving(), n.newScribe(projections.HistoryFollower, n.history().Write)}
}

// history is what is asked who did what.
func (a *app) history() projections.History {
	return projections.History{DB: &postgres.Lookups{Pool: a.reads}, Truth: a.sys.schema}
}

// indexed waits until auditors find everything up to a position.
func (a *app) indexed(ctx context.Context, position int64) error {
	if err := a.recorded(ctx, position); err != nil {
		return err
	}
	return a.history().Await(ctx, position)
}

// newScribe keeps what write makes of the rows of the history.
func (n *node) newScribe(name string, write func(context.Context, pgx.Tx, []eventstore.Recorded) error) *scribe.Scribe {
	return &scribe.Scribe{Name: name, Store: n.store, Pool: n.store.Pool(), Lead: n.leader(name).Lead, Write: write, Handoff: n.handoff, Log: n.log}
}

// scribesDetail names how far each of them has come, whoever leads.
func (n *node) scribesDetail(ctx context.Context, head int64) map[string]any {
	all := map[string]any{}
	for _, s := range n.scribes {
		detail := map[string]any{"leading": s.Leading()}
		if err := s.Err(); err != nil {
			detail["error"] = err.Error()
		}
		if at, err := s.At(ctx); err == nil {
			detail["position"], detail["lag"] = at.Position, head-at.Position
		}
		if s.Name == proof.Name {
			n.proofDetail(ctx, s.Leading(), detail)
		}
		all[s.Name] = detail
	}
	return all
}

// observeScribes makes where they are metrics; -1 where it can't be found out.
func (n *node) observeScribes(gauge func(name, help string, value func() float64)) {
	for _, s := range n.scribes {
		at := func() int64 {
			return scraped(func(ctx context.Context) (int64, error) {
				at, err := s.At(ctx)
				return at.Position, err
			})
		}
		gauge("gesta_"+s.Name+"_position", "Position of the last event in the "+s.Name+" that auditors ask for.", func() float64 { return float64(at()) })
		gauge("gesta_"+s.Name+"_lag", "How many events it is behind the history.", func() float64 { return float64(n.behind(at())) })
	}
}

// verifyIndex compares the index of the history with what is made of its events.
func verifyIndex(ctx context.Context, a *app, report verify.Report) (string, error) {
	if err := a.verifyIndexed(ctx, report); err != nil {
		return "", err
	}
	at, err := a.history().Verify(ctx, a.store, report)
	return fmt.Sprintf("rows and counters up to position %d", at), err
}

// verifyIndexed finds an index that does not get to where the history ended at first.
func (a *app) verifyIndexed(ctx context.Context, report verify.Report) error {
	head, err := a.store.Head(ctx)
	if err != nil || a.isAlone() {
		return err
	}
	var at int64
	level, err := soon(ctx, func() (is bool, err error) {
		at, err = a.history().Indexed(ctx)
		return at >= head.Position, err
	})
	if err == nil && !level {
		report(fmt.Sprintf("it is at position %d, and does not find what follows up to %d", at, head.Position))
	}
	return err
}
