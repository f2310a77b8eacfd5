package projections

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

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
		if bad, err := m.tryAlone(ctx, tx, nil, r); bad != nil || err != nil {
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

// Retry asks the projector that leads to try parked streams again: those that are named, or all. It
// answers those of them that were parked; while they are being tried, IsRetried says so.
func Retry(ctx context.Context, db *pgxpool.Pool, streams ...domain.Stream) ([]Parked, error) {
	kinds, ids := namesOf(streams)
	asked, err := collectParked(db.Query(ctx, `update parked set retry = true
		where $3 or (stream_kind, stream_id) in (select * from unnest($1::text[], $2::uuid[])) returning `+parkedColumns,
		kinds, ids, len(streams) == 0))
	slices.SortFunc(asked, func(a, b Parked) int { return cmp.Compare(a.Position, b.Position) })
	return asked, understood(err)
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
