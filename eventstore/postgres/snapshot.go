package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/eventstore"
)

var (
	marksSQL, straysSQL     = reading("marks"), reading("strays")
	byStreamSQL             = reading("by_stream")
	ofStreamsSQL            = reading("of_streams")
	claimsSQL, holdersOfSQL = reading("claims"), reading("holders_of")
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
type Snapshot struct{ tx pgx.Tx }

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
	return look(Snapshot{tx})
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

// OfStreams hands over every event of some streams, one stream after the other, in order.
func (s Snapshot) OfStreams(ctx context.Context, of []domain.Stream, each func(eventstore.Recorded)) error {
	ids, kinds := make([][16]byte, len(of)), make([]string, len(of))
	for i, stream := range of {
		ids[i], kinds[i] = stream.ID, stream.Kind
	}
	rows, err := s.tx.Query(ctx, ofStreamsSQL, ids, kinds)
	if err != nil {
		return wrap("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return wrap("read", err)
		}
		each(e)
	}
	return wrap("read", rows.Err())
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
	held, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Held, err error) {
		return h, row.Scan((*[16]byte)(&h.Scope), (*[16]byte)(&h.Name), &h.Holder.Kind, (*[16]byte)(&h.Holder.ID))
	})
	return held, wrap("claims", err)
}
