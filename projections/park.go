package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/envelope"
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

// poison is what is wrong with an event, in words that may be read by anybody.
type poison struct{ text string }

func (p *poison) Error() string { return p.text }

// isPoison tells that an event can't be written, however often it is tried.
func isPoison(err error) bool {
	if bad := (*poison)(nil); errors.As(err, &bad) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code[:2] == "22" || pg.Code[:2] == "23"
	}
	return isUnencodable(err)
}

// isUnencodable finds values that don't fit their column, which the driver sees before Postgres does.
func isUnencodable(err error) bool {
	return err != nil && strings.Contains(err.Error(), "failed to encode args[")
}

// toldOf says what is wrong by names alone: Postgres' messages and details may hold what the event says.
func toldOf(err error) string {
	var bad *poison
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &bad):
		return bad.text
	case errors.As(err, &pg):
		return strings.TrimSpace("SQLSTATE " + pg.Code + named("table", pg.TableName) + named("column", pg.ColumnName) +
			named("constraint", pg.ConstraintName))
	}
	return "a value does not fit its column"
}

func named(what, name string) string {
	if name == "" {
		return ""
	}
	return " " + what + " " + name
}

func undecodable(r eventstore.Recorded, err error) string {
	text := fmt.Sprintf("data is no %s of schema %d", r.Type, r.Schema)
	if at := (*json.UnmarshalTypeError)(nil); errors.As(err, &at) {
		text += named("in field", at.Field)
	}
	return text
}

// write runs the rule; one that panics has met an event it can't deal with.
func (r Rule) write(w Write, e domain.Event) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = &poison{"the rule panics: " + p.Error()}
		default:
			err = &poison{fmt.Sprintf("the rule panics with a %T", p)}
		}
	}()
	r.apply(w, e)
	return nil
}

// apart writes the events one by one under savepoints, and parks the streams of those that fail.
func (m *models) apart(ctx context.Context, events []eventstore.Recorded) error {
	guilty := map[domain.Stream]bool{}
	err := pgx.BeginFunc(ctx, m.db, func(tx pgx.Tx) error {
		if err := m.hold(ctx, tx, events[len(events)-1].Mark()); err != nil {
			return err
		}
		for _, r := range events {
			if m.parked[r.Stream] || guilty[r.Stream] {
				continue
			}
			bad, err := m.tryAlone(ctx, tx, r)
			if err != nil {
				return err
			}
			if bad != nil {
				guilty[r.Stream] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for s := range guilty {
		m.parked[s] = true
	}
	return nil
}

// hold moves the checkpoint in a transaction that is going to write event by event.
func (m *models) hold(ctx context.Context, tx pgx.Tx, to eventstore.Mark) error {
	batch := &pgx.Batch{}
	batch.Queue(`set constraints all immediate`)
	m.advance(batch, to)
	return send(ctx, tx, batch)
}

// tryAlone writes one event, or parks its stream and answers why.
func (m *models) tryAlone(ctx context.Context, tx pgx.Tx, r eventstore.Recorded) (bad, err error) {
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		if err := m.write(batch, r); err != nil {
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

// How many held events are written in one transaction when a stream is tried again.
const releaseChunk = 500

// releaseSome writes some of the held events of a stream that is to be tried again, up to the checkpoint.
// It tells whether there was such a stream.
func (m *models) releaseSome(ctx context.Context, store eventstore.Store) (was bool, err error) {
	var free *domain.Stream
	err = pgx.BeginFunc(ctx, m.db, func(tx pgx.Tx) error {
		if err := m.hold(ctx, tx, m.at); err != nil {
			return err
		}
		asked, err := parked(ctx, tx, `where retry order by position limit 1 for update`)
		if was = len(asked) > 0; err != nil || !was {
			return err
		}
		done, err := m.releaseIn(ctx, tx, store, asked[0])
		if done {
			free = &asked[0].Stream
		}
		return err
	})
	if free != nil && err == nil {
		delete(m.parked, *free)
		m.log.Info("a parked stream is released", "stream", free.String())
	}
	return was, err
}

// releaseIn tells whether nothing of the stream is held any more.
func (m *models) releaseIn(ctx context.Context, tx pgx.Tx, store eventstore.Store, p Parked) (done bool, err error) {
	held, err := m.held(ctx, store, p)
	if err != nil {
		return false, err
	}
	for _, r := range held[:min(len(held), releaseChunk)] {
		if bad, err := m.tryAlone(ctx, tx, r); bad != nil || err != nil {
			return false, err
		}
	}
	if len(held) > releaseChunk {
		return false, m.goOn(ctx, tx, held[releaseChunk])
	}
	_, err = tx.Exec(ctx, `delete from parked where stream_id = $1 and stream_kind = $2`, [16]byte(p.Stream.ID), p.Stream.Kind)
	return err == nil, err
}

// goOn notes from which event on a stream is still held, and still to be tried.
func (m *models) goOn(ctx context.Context, tx pgx.Tx, r eventstore.Recorded) error {
	_, err := tx.Exec(ctx, `update parked set position = $3, event_id = $4, version = $5, type = $6
		where stream_id = $1 and stream_kind = $2`,
		[16]byte(r.Stream.ID), r.Stream.Kind, r.Position, [16]byte(r.ID.ID), r.Version, r.Type)
	return err
}

// held answers the first events of a stream that are held: one more than fit one transaction.
func (m *models) held(ctx context.Context, store eventstore.Store, p Parked) (all []eventstore.Recorded, err error) {
	stored, err := store.ReadStream(ctx, p.Stream, p.Version-1, releaseChunk+1)
	for _, r := range stored {
		if r.Position <= m.at.Position {
			all = append(all, envelope.Published(r))
		}
	}
	return all, err
}

// querier is a connection, a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func parked(ctx context.Context, db querier, which string) ([]Parked, error) {
	rows, _ := db.Query(ctx, `select stream_kind, stream_id, position, event_id, version, type, error, parked_at
		from parked `+which) // An error of Query comes again when the rows are read.
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Parked, err error) {
		var stream, event [16]byte
		err = row.Scan(&p.Stream.Kind, &stream, &p.Position, &event, &p.Version, &p.Type, &p.Error, &p.At)
		p.Stream.ID, p.Event = stream, id.Event{ID: event}
		return p, err
	})
}

// ParkedStreams answers the streams that are parked, in the order of the events that did it.
func ParkedStreams(ctx context.Context, db *pgxpool.Pool) ([]Parked, error) {
	all, err := parked(ctx, db, "order by position")
	if isMissing(err) {
		return nil, nil
	}
	return all, err
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

// Retry asks the projector that leads to try parked streams again: those that are named, or all. It
// answers those that are parked at all; while they are being tried, IsRetried says so.
func Retry(ctx context.Context, db *pgxpool.Pool, streams ...domain.Stream) ([]Parked, error) {
	kinds, ids := namesOf(streams)
	_, err := db.Exec(ctx, `update parked set retry = true
		where $3 or (stream_kind, stream_id) in (select * from unnest($1::text[], $2::uuid[]))`, kinds, ids, len(streams) == 0)
	if err != nil {
		return nil, understood(err)
	}
	return parked(ctx, db, "where retry order by position")
}

// IsRetried tells whether streams are still to be tried again.
func IsRetried(ctx context.Context, db *pgxpool.Pool) (is bool, err error) {
	err = db.QueryRow(ctx, `select exists (select from parked where retry)`).Scan(&is)
	return is, understood(err)
}

func namesOf(streams []domain.Stream) (kinds []string, ids [][16]byte) {
	for _, s := range streams {
		kinds, ids = append(kinds, s.Kind), append(ids, s.ID)
	}
	return kinds, ids
}
