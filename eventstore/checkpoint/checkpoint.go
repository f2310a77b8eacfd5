// Package checkpoint keeps how far each follower of the history has come: the position and the id of
// the last event it dealt with. A checkpoint moves only from where its owner left it, so that of two
// followers with one name the second is stopped, and with it whatever it does in the same transaction.
package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gesta/domain/id"
	"gesta/eventstore"
)

// ErrMoved refuses to move a checkpoint that isn't where it was expected: another has moved it.
var ErrMoved = errors.New("checkpoint: moved by another")

// Querier is a connection, a pool or a transaction of pgx.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Table is a table of checkpoints. The zero Table is the truth's own: `checkpoints`, wherever
// search_path finds it.
type Table struct {
	Name pgx.Identifier // as in {"gesta_read", "checkpoints"}
}

// Get answers where a follower is; the zero Mark for one that has yet to begin.
func (t Table) Get(ctx context.Context, db Querier, follower string) (eventstore.Mark, error) {
	var position int64
	var event [16]byte
	err := db.QueryRow(ctx, "select position, event_id from "+t.name()+" where follower = $1", follower).
		Scan(&position, &event)
	if errors.Is(err, pgx.ErrNoRows) {
		return eventstore.Mark{}, nil
	}
	if err != nil {
		return eventstore.Mark{}, fmt.Errorf("checkpoint: get %s: %w", follower, err)
	}
	return eventstore.Mark{Position: position, Event: id.Event{ID: event}}, nil
}

// Move takes a follower from one place to another; the zero Mark is where all begin, with a row or none. It
// answers ErrMoved when the follower is anywhere else.
func (t Table) Move(ctx context.Context, db Querier, follower string, from, to eventstore.Mark) error {
	tag, err := t.move(ctx, db, follower, from, to)
	if err != nil {
		return fmt.Errorf("checkpoint: move %s: %w", follower, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%w: %s is not at %d", ErrMoved, follower, from.Position)
	}
	return nil
}

func (t Table) move(
	ctx context.Context, db Querier, follower string, from, to eventstore.Mark,
) (pgconn.CommandTag, error) {
	if from == (eventstore.Mark{}) { // It has no row yet, or was taken back to the beginning.
		return db.Exec(ctx, "insert into "+t.name()+` as c (follower, position, event_id) values ($1, $2, $3)
			on conflict (follower) do update set position = $2, event_id = $3, moved_at = now()
			where c.position = 0`, follower, to.Position, [16]byte(to.Event.ID))
	}
	return db.Exec(ctx, "update "+t.name()+` set position = $2, event_id = $3, moved_at = now()
		where follower = $1 and position = $4 and event_id = $5`,
		follower, to.Position, [16]byte(to.Event.ID), from.Position, [16]byte(from.Event.ID))
}

func (t Table) name() string {
	if len(t.Name) == 0 {
		return "checkpoints"
	}
	return t.Name.Sanitize()
}

// Row is one follower's checkpoint.
type Row struct {
	DB       Querier
	Table    Table
	Follower string
}

// Get answers where the follower is, as Table.Get does.
func (r Row) Get(ctx context.Context) (eventstore.Mark, error) {
	return r.Table.Get(ctx, r.DB, r.Follower)
}

// Move takes the follower from one place to another, as Table.Move does.
func (r Row) Move(ctx context.Context, from, to eventstore.Mark) error {
	return r.Table.Move(ctx, r.DB, r.Follower, from, to)
}
