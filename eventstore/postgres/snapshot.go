package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

var (
	marksSQL, straysSQL     = reading("marks"), reading("strays")
	byStreamSQL             = reading("by_stream")
	ofStreamsSQL            = reading("of_streams")
	claimsSQL, holdersOfSQL = reading("claims"), reading("holders_of")
	unheldSQL               = reading("unheld")
)

// Marks answers the places of at most limit events with positions greater than after, in order.
func (s *Store) Marks(ctx context.Context, after int64, limit int) ([]eventstore.Mark, error) {
	rows, err := s.pool.Query(ctx, marksSQL, after, limit)
	if err != nil {
		return nil, wrap("marks", err)
	}
	marks, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m eventstore.Mark, err error) {
		return m, row.Scan(&m.Position, (*[16]byte)(&m.Event.ID))
	})
	return marks, wrap("marks", err)
}

// Stray is a follower of the history that has seen an event which is not there any more.
type Stray struct {
	Follower string
	Position int64
}

func (s Stray) String() string { return fmt.Sprintf("%s at position %d", s.Follower, s.Position) }

// Strays answers the followers, of those that keep their checkpoints beside the history, that are astray.
func (s *Store) Strays(ctx context.Context) ([]Stray, error) {
	rows, err := s.pool.Query(ctx, straysSQL)
	if err != nil {
		return nil, wrap("strays", err)
	}
	strays, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Stray])
	return strays, wrap("strays", err)
}

// Snapshot is events and claims as they are at one moment, for whoever compares them while others
// write. Let go of it soon: it keeps the database from tidying up.
type Snapshot struct {
	tx      pgx.Tx
	keysSQL string
}

// Held is a claim and who holds it.
type Held struct {
	eventstore.Claim
	Holder domain.Stream
}

// Snapshot shows look the store at one moment.
func (s *Store) Snapshot(ctx context.Context, look func(Snapshot) error) error {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return wrap("snapshot", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // It has changed nothing.
	return look(Snapshot{tx, s.keysSQL})
}

// ByStream answers at most limit events in the order of streams and their versions: those that come
// after a version of a stream, whether or not that one is there.
func (s Snapshot) ByStream(ctx context.Context, of domain.Stream, after int64, limit int) ([]eventstore.Recorded, error) {
	rows, err := s.tx.Query(ctx, byStreamSQL, [16]byte(of.ID), of.Kind, after, limit)
	if err != nil {
		return nil, wrap("read", err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	return events, wrap("read", err)
}

// OfStreams hands over every event of some streams, one stream after the other, in order, at most a page at a time:
// meanwhile the snapshot can be asked for more.
func (s Snapshot) OfStreams(ctx context.Context, of []domain.Stream, page int, each func([]eventstore.Recorded) error) error {
	ids, kinds := streamColumns(of)
	if _, err := s.tx.Exec(ctx, "declare of_streams no scroll cursor for "+ofStreamsSQL, ids, kinds); err != nil {
		return wrap("read", err)
	}
	for {
		rows, err := s.tx.Query(ctx, "fetch forward "+strconv.Itoa(page)+" from of_streams")
		if err != nil {
			return wrap("read", err)
		}
		events, err := pgx.CollectRows(rows, scanEvent)
		if err == nil {
			err = each(events)
		}
		if err != nil || len(events) < page {
			_, closed := s.tx.Exec(ctx, "close of_streams")
			return wrap("read", errors.Join(err, closed))
		}
	}
}

// Keys answers the keys of those of the subjects that have, or had, one.
func (s Snapshot) Keys(ctx context.Context, subjects []id.ID) ([]eventstore.SubjectKey, error) {
	rows, err := s.tx.Query(ctx, s.keysSQL, uuids(subjects))
	if err != nil {
		return nil, wrap("keys", err)
	}
	keys, err := pgx.CollectRows(rows, scanKey)
	return keys, wrap("keys", err)
}

// Unheld answers those of the holdings that the store does not know of.
func (s Snapshot) Unheld(ctx context.Context, held []eventstore.Holding) (unheld []eventstore.Holding, err error) {
	subjects, kinds, ids := columnsOf(held)
	rows, err := s.tx.Query(ctx, unheldSQL, subjects, kinds, ids)
	if err != nil {
		return nil, wrap("holdings", err)
	}
	unheld, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (h eventstore.Holding, err error) {
		return h, row.Scan((*[16]byte)(&h.Subject), &h.Stream.Kind, (*[16]byte)(&h.Stream.ID))
	})
	return unheld, wrap("holdings", err)
}

// Claims answers at most limit claims that come after one, in order.
func (s Snapshot) Claims(ctx context.Context, after eventstore.Claim, limit int) ([]Held, error) {
	return s.held(ctx, claimsSQL, [16]byte(after.Scope), [16]byte(after.Name), limit)
}

// HoldersOf answers those of the claims that are held.
func (s Snapshot) HoldersOf(ctx context.Context, claims []eventstore.Claim) ([]Held, error) {
	scopes, names := make([][16]byte, len(claims)), make([][16]byte, len(claims))
	for i, c := range claims {
		scopes[i], names[i] = c.Scope, c.Name
	}
	return s.held(ctx, holdersOfSQL, scopes, names)
}

func (s Snapshot) held(ctx context.Context, sql string, args ...any) ([]Held, error) {
	rows, err := s.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap("claims", err)
	}
	held, err := pgx.CollectRows(rows, scanHeld)
	return held, wrap("claims", err)
}

func scanHeld(row pgx.CollectableRow) (h Held, err error) {
	return h, row.Scan((*[16]byte)(&h.Scope), (*[16]byte)(&h.Name), &h.Holder.Kind, (*[16]byte)(&h.Holder.ID))
}
