package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore"
)

// ErrEpochMoved refuses to raise an epoch that somebody else has raised meanwhile.
var ErrEpochMoved = errors.New("postgres: the epoch was raised by another")

// RaiseEpoch begins a new epoch in one transaction: it appends the fact, has the head agree with it, and
// takes every follower that has seen what is not in the history back to the last common event. It
// answers who these were. The fact's version follows known, the facts there are.
func (s *Store) RaiseEpoch(
	ctx context.Context, f eventstore.EpochForked, known int64, fact eventstore.NewEvent,
) (followers []string, err error) {
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if err := lockEpoch(ctx, tx, f.Before); err != nil {
			return err
		}
		stream := eventstore.EpochStream
		var follows *[16]byte
		if known > 0 {
			follows = &[16]byte{} // whichever is there
		}
		_, err := tx.Exec(ctx, appending("insert_event"), stream.Kind, [16]byte(stream.ID), known+1, follows,
			[16]byte(fact.ID.ID), fact.Type, fact.Schema, fact.Data, fact.Secret, fact.Meta, fact.OccurredAt)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update head set epoch = $1`, f.Epoch); err != nil {
			return err
		}
		followers, err = takeBack(ctx, tx, f.Common())
		return err
	})
	if errors.Is(err, ErrEpochMoved) {
		return nil, err
	}
	return followers, wrap("raise epoch", err)
}

// appending is one of the appender's statements.
func appending(name string) string {
	text, err := appendSQL.ReadFile("sql/append/" + name + ".sql")
	if err != nil {
		panic(err) // the file is part of the program
	}
	return string(text)
}

// lockEpoch keeps others from appending, as the appender does, until the commit is on the disk.
func lockEpoch(ctx context.Context, tx pgx.Tx, before int64) error {
	if _, err := tx.Exec(ctx, `set local synchronous_commit = on`); err != nil {
		return err
	}
	var epoch int64
	if err := tx.QueryRow(ctx, appending("lock")).Scan(&epoch); err != nil {
		return err
	}
	if epoch != before {
		return ErrEpochMoved
	}
	return nil
}

// takeBack moves the checkpoints whose event is not in the history, and takes away what is yet to be done
// about such events.
func takeBack(ctx context.Context, tx pgx.Tx, to eventstore.Mark) ([]string, error) {
	_, err := tx.Exec(ctx, `delete from timers where position > $1 and not exists (select from events as e
		where e.position = timers.position and e.event_id = timers.event_id)`, to.Position)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `update checkpoints as c set position = $1, event_id = $2, moved_at = now()
		where position > 0 and not exists (select from events as e
			where e.position = c.position and e.event_id = c.event_id)
		returning follower`, to.Position, [16]byte(to.Event.ID))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
