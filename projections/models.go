package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// models are the read models in one schema, as somebody writes them who expects to be the only one.
type models struct {
	db          database
	log         *slog.Logger
	vault       *seal.Vault
	projections []Projection // those that are written
	at          eventstore.Mark
	rebuild     int64 // what made the schema
	turn        int64 // whose the schema is: it is written only while nobody has taken it over
	parked      map[domain.Stream]bool
	stale       bool         // others than those that are written wait for a rebuild
	careful     *atomic.Bool // the next events are written one by one; it outlives the connection
	unkept      bool         // nothing is kept of where they are: they go with the connection
}

// database is a connection, or a transaction on one.
type database interface {
	Begin(ctx context.Context) (pgx.Tx, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Standing is where the read models are, and how far that can be relied on.
type Standing struct {
	Position int64
	Parked   bool // some stream's events are held back
	Stale    bool // some read models stand still until they are rebuilt
}

func (m *models) standing() Standing {
	return Standing{Position: m.at.Position, Parked: len(m.parked) > 0, Stale: m.stale}
}

// apply writes events and moves the checkpoint, in one transaction. Events that were written before are
// left out, those of parked streams are held, and one that can't be written parks its stream. A gap is
// refused: whoever was put in the place of others may be behind them.
func (m *models) apply(ctx context.Context, events []eventstore.Recorded) error {
	for len(events) > 0 && events[0].Position <= m.at.Position {
		events = events[1:]
	}
	if len(events) == 0 {
		return nil
	}
	if next := events[0].Position; next != m.at.Position+1 {
		return fmt.Errorf("projections: event %d does not follow %d", next, m.at.Position)
	}
	if err := m.applyNew(ctx, events); err != nil {
		return fmt.Errorf("projections: events %d to %d: %w", events[0].Position, events[len(events)-1].Position, err)
	}
	m.at = events[len(events)-1].Mark()
	return nil
}

// applyNew writes together what can be, and event by event where one of them is poison.
func (m *models) applyNew(ctx context.Context, events []eventstore.Recorded) error {
	if m.careful.Load() {
		return m.carefully(ctx, events)
	}
	err := m.together(ctx, events)
	switch {
	case isUnencodable(err):
		m.careful.Store(true)
		return errUnfit
	case isPoison(err):
		return m.apart(ctx, events)
	}
	return err
}

// errUnfit says that a value fits no column, which the driver finds in the middle of a batch and hangs up.
var errUnfit = errors.New("a value does not fit its column: the connection is lost, and events are written one by one")

// carefully gets past the event over which a connection was lost. What is lost with the connection is
// begun anew, and stays careful to the end.
func (m *models) carefully(ctx context.Context, events []eventstore.Recorded) error {
	err := m.apart(ctx, events)
	if err == nil && !m.unkept {
		m.careful.Store(false)
	}
	return err
}

// together writes in one round trip.
func (m *models) together(ctx context.Context, events []eventstore.Recorded) error {
	batch := &pgx.Batch{}
	m.advance(batch, events[len(events)-1].Mark())
	var some []eventstore.Recorded
	for _, r := range events {
		if m.concerns(r, m.parked) {
			some = append(some, r)
		}
	}
	if err := m.write(ctx, batch, m.parked, some...); err != nil {
		return err
	}
	if tx, nested := m.db.(pgx.Tx); nested { // What fails must not spoil the transaction around it.
		return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return send(ctx, tx, batch) })
	}
	return send(ctx, m.db, batch)
}

func send(ctx context.Context, db database, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return db.SendBatch(ctx, batch).Close()
}

// advance moves the checkpoint, or ends the transaction when somebody else has taken over.
func (m *models) advance(batch *pgx.Batch, to eventstore.Mark) {
	if m.unkept {
		return
	}
	batch.Queue(`select advance($1, $2, $3, $4, $5, $6)`, follower, m.turn,
		m.at.Position, [16]byte(m.at.Event.ID), to.Position, [16]byte(to.Event.ID))
}

// write lets every rule have its say about each of the events, for all of which keys are asked at once. Of streams
// that are held, only what must not wait is written. What is counted is added behind it: where the events are written
// one by one, each with what it counts.
func (m *models) write(ctx context.Context, batch *pgx.Batch, held map[domain.Stream]bool, events ...eventstore.Recorded) error {
	opened, err := m.vault.DecodePublished(ctx, events...)
	if err != nil {
		return err
	}
	counts := tallies{}
	for i, r := range events {
		if err := m.writeOne(Write{Event: r, batch: batch, counts: counts}, held[r.Stream], opened[i]); err != nil {
			return err
		}
	}
	counts.queue(batch)
	return nil
}

// writeOne is about one event. Where there is a rule for a type or schema that nobody here has heard of, a newer
// program has written it, and can read it.
func (m *models) writeOne(w Write, held bool, o seal.Opened) error {
	switch {
	case errors.Is(o.Err, domain.ErrUnknownType):
		return &poison{unknownSchema}
	case o.Err != nil:
		return &poison{o.Err.Error()}
	}
	m.forget(w, o.Event)
	if held {
		return nil
	}
	for _, one := range m.projections {
		for _, rule := range one.Rules {
			if rule.Type != w.Event.Type {
				continue
			}
			if err := rule.write(w, o.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget takes out of the stream's rows what is personal, also where its events are held: that waits for nothing.
func (m *models) forget(w Write, e domain.Event) {
	who, is := e.(domain.Forgetter)
	if !is {
		return
	}
	for _, one := range m.projections {
		for _, p := range one.Personal {
			args := []any{w.key(), [16]byte(who.Forgets())}
			if p.Version != "" {
				args = append(args, w.Event.Version)
			}
			w.Exec(p.sql(), args...)
		}
	}
}

// concerns tells whether anything is to be written about an event. A type nobody here has heard of is no damage.
func (m *models) concerns(r eventstore.Recorded, held map[domain.Stream]bool) bool {
	return m.vault.Catalogue.Forgets(r.Type) || !held[r.Stream] && m.hasRule(r.Type)
}

func (m *models) hasRule(typ string) bool {
	return slices.ContainsFunc(m.projections, func(p Projection) bool {
		return slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Type == typ })
	})
}
