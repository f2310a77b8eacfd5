package projections

import (
	"context"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// Parked is a stream whose events are held from one on that can't be written.
type Parked struct {
	Stream   domain.Stream
	Position int64 // of the first event that is held
	Event    id.Event
	Version  int64
	Type     string
	Error    string // without anything that the event says
	At       time.Time
}

// apart writes the events one by one under savepoints, and parks the streams of those that fail.
func (m *models) apart(ctx context.Context, events []eventstore.Recorded) error {
	held := maps.Clone(m.parked)
	err := pgx.BeginFunc(ctx, m.db, func(tx pgx.Tx) error {
		if err := m.hold(ctx, tx, events[len(events)-1].Mark()); err != nil {
			return err
		}
		for _, r := range events {
			if !m.concerns(r, held) {
				continue
			}
			bad, err := m.tryAlone(ctx, tx, held, r)
			if err != nil {
				return err
			}
			if bad != nil {
				held[r.Stream] = true
			}
		}
		return nil
	})
	if err == nil {
		m.parked = held
	}
	return err
}

// hold moves the checkpoint in a transaction that is going to write event by event.
func (m *models) hold(ctx context.Context, tx pgx.Tx, to eventstore.Mark) error {
	batch := &pgx.Batch{}
	batch.Queue(`set constraints all immediate`)
	m.advance(batch, to)
	return send(ctx, tx, batch)
}

// tryAlone writes one event, or parks its stream and answers why.
func (m *models) tryAlone(ctx context.Context, tx pgx.Tx, held map[domain.Stream]bool, r eventstore.Recorded) (bad, err error) {
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		if err := m.write(ctx, batch, held, r); err != nil {
			return err
		}
		for _, q := range batch.QueuedQueries { // Not as a batch, over which the driver may hang up.
			if _, err := tx.Exec(ctx, q.SQL, q.Arguments...); err != nil {
				return err
			}
		}
		return nil
	})
	if !isPoison(err) {
		return nil, err
	}
	if held[r.Stream] {
		m.log.Error("somebody who was forgotten can't be taken out of the read models", "stream", r.Stream.String(), "error", toldOf(err))
		return err, nil
	}
	m.log.Error("an event can't be written: its stream is parked", "stream", r.Stream.String(), "position", r.Position,
		"type", r.Type, "error", toldOf(err))
	return err, m.park(ctx, tx, r, toldOf(err))
}

const parkSQL = `
insert into parked (stream_kind, stream_id, position, event_id, version, type, error)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (stream_id, stream_kind) do update set position = excluded.position, event_id = excluded.event_id,
	version = excluded.version, type = excluded.type, error = excluded.error, parked_at = now(), retry = excluded.retry`

func (m *models) park(ctx context.Context, tx pgx.Tx, r eventstore.Recorded, text string) error {
	if m.unkept {
		return nil
	}
	_, err := tx.Exec(ctx, parkSQL, r.Stream.Kind, [16]byte(r.Stream.ID), r.Position, [16]byte(r.ID.ID), r.Version, r.Type, text)
	return err
}

// querier is a connection, a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

const parkedColumns = `stream_kind, stream_id, position, event_id, version, type, error, parked_at`

func parked(ctx context.Context, db querier, which string, args ...any) ([]Parked, error) {
	return collectParked(db.Query(ctx, `select `+parkedColumns+` from parked `+which, args...))
}

func collectParked(rows pgx.Rows, _ error) ([]Parked, error) { // An error of Query comes again when the rows are read.
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Parked, err error) {
		var stream, event [16]byte
		err = row.Scan(&p.Stream.Kind, &stream, &p.Position, &event, &p.Version, &p.Type, &p.Error, &p.At)
		p.Stream.ID, p.Event = stream, id.Event{ID: event}
		return p, err
	})
}

// ParkedStreams answers at most limit of the streams that are parked, all for 0, in the order of the events
// that did it.
func ParkedStreams(ctx context.Context, db *pgxpool.Pool, limit int) ([]Parked, error) {
	some, err := parked(ctx, db, "order by position limit nullif($1::int, 0)", limit)
	if isMissing(err) {
		return nil, nil
	}
	return some, err
}

// CountParked answers how many streams are parked.
func CountParked(ctx context.Context, db *pgxpool.Pool) (n int, err error) {
	err = db.QueryRow(ctx, `select count(*) from parked`).Scan(&n)
	if isMissing(err) {
		return 0, nil
	}
	return n, err
}

// IsParked tells whether any of the streams is parked.
func IsParked(db *pgxpool.Pool) func(ctx context.Context, streams []domain.Stream) (bool, error) {
	return func(ctx context.Context, streams []domain.Stream) (is bool, err error) {
		kinds, ids := namesOf(streams)
		err = db.QueryRow(ctx, `select exists (select from parked
			where (stream_kind, stream_id) in (select * from unnest($1::text[], $2::uuid[])))`, kinds, ids).Scan(&is)
		return is, err
	}
}
