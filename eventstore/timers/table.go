package timers

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
)

// Table is the table `timers` and the follower's row of `checkpoints`, wherever search_path finds them.
type Table struct {
	DB       *pgxpool.Pool
	Follower string
}

// Nothing in here waits for the disk: a crash takes the checkpoint back together with the timers, and
// what comes back is done once all the same.
const hasty = "set local synchronous_commit = off"

// Begin answers where the follower is and whether its timers are whole. They are not where the
// checkpoint is missing, nor where the table was emptied or is new: then Restore and Start make them so.
func (t Table) Begin(ctx context.Context) (at eventstore.Mark, whole bool, err error) {
	if at, err = (checkpoint.Table{}).Get(ctx, t.DB, t.Follower); err != nil {
		return at, false, err
	}
	whole, err = t.whole(ctx)
	return at, whole, wrap("begin", err)
}

func (t Table) whole(ctx context.Context) (whole bool, err error) {
	err = t.DB.QueryRow(ctx, `select exists (select from timers where policy = '')
		and exists (select from checkpoints where follower = $1)`, t.Follower).Scan(&whole)
	return whole, err
}

// Restore sets timers apart from the checkpoint's moves; those that are there stay as they are.
func (t Table) Restore(ctx context.Context, timers []Timer) error {
	_, err := t.DB.Exec(ctx, setSQL, columns(timers)...)
	return wrap("restore", err)
}

// Start says that the timers are whole up to the mark, where the follower goes on unless it is
// somewhere already.
func (t Table) Start(ctx context.Context, at eventstore.Mark) error {
	return wrap("start", pgx.BeginFunc(ctx, t.DB, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into checkpoints (follower, position, event_id) values ($1, $2, $3)
			on conflict do nothing`, t.Follower, at.Position, [16]byte(at.Event.ID))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into timers (policy, event_id, position, due_at)
			values ('', $1, 0, 'infinity') on conflict do nothing`, [16]byte{})
		return err
	}))
}

// Move takes the follower from one place to the next and sets the timers that are due to what lies
// between. It answers checkpoint.ErrMoved when the follower is anywhere else.
func (t Table) Move(ctx context.Context, from, to eventstore.Mark, set []Timer) error {
	return pgx.BeginFunc(ctx, t.DB, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, hasty); err != nil {
			return wrap("move", err)
		}
		if err := (checkpoint.Table{}).Move(ctx, tx, t.Follower, from, to); err != nil || len(set) == 0 {
			return err
		}
		_, err := tx.Exec(ctx, setSQL, columns(set)...)
		return wrap("set", err)
	})
}

const setSQL = `insert into timers (policy, event_id, position, due_at, attempts, last_error)
	select * from unnest($1::text[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::integer[], $6::text[])
	on conflict do nothing`

func columns(timers []Timer) []any {
	n := len(timers)
	names, events, positions := make([]string, n), make([][16]byte, n), make([]int64, n)
	due, attempts, errs := make([]time.Time, n), make([]int32, n), make([]string, n)
	for i, t := range timers {
		names[i], events[i], positions[i] = t.Name, t.Cause.Event.ID, t.Cause.Position
		due[i], attempts[i], errs[i] = t.Due, int32(t.Attempts), t.Error
	}
	return []any{names, events, positions, due, attempts, errs}
}

// Due answers at most limit timers whose time has come, the earliest first. It answers ErrNotWhole when
// they can't be all: then the follower has to Begin again.
func (t Table) Due(ctx context.Context, now time.Time, limit int) ([]Timer, error) {
	whole, err := t.whole(ctx)
	if err != nil {
		return nil, wrap("due", err)
	}
	if !whole {
		return nil, ErrNotWhole
	}
	due, err := t.some(ctx, `where due_at <= $1 order by due_at limit $2`, now, limit)
	return due, wrap("due", err)
}

func (t Table) some(ctx context.Context, where string, args ...any) ([]Timer, error) {
	rows, err := t.DB.Query(ctx, `select policy, event_id, position, due_at, attempts, last_error from timers `+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Timer, err error) {
		err = row.Scan(&t.Name, (*[16]byte)(&t.Cause.Event.ID), &t.Cause.Position, &t.Due, &t.Attempts, &t.Error)
		t.Due = t.Due.UTC()
		return t, err
	})
}

// Done removes a timer.
func (t Table) Done(ctx context.Context, timer Timer) error {
	_, err := t.DB.Exec(ctx, `delete from timers where policy = $1 and event_id = $2`,
		timer.Name, [16]byte(timer.Cause.Event.ID))
	return wrap("done", err)
}

// Postpone notes a failure and when to try again.
func (t Table) Postpone(ctx context.Context, timer Timer) error {
	_, err := t.DB.Exec(ctx, `update timers set due_at = $3, attempts = $4, last_error = $5 where policy = $1 and event_id = $2`,
		timer.Name, [16]byte(timer.Cause.Event.ID), timer.Due, timer.Attempts, timer.Error)
	return wrap("postpone", err)
}

// Status reads where the follower is and what it has before it.
func (t Table) Status(ctx context.Context) (s Status, err error) {
	at, err := (checkpoint.Table{}).Get(ctx, t.DB, t.Follower)
	if err != nil {
		return s, err
	}
	s.Position = at.Position
	err = t.DB.QueryRow(ctx, `select count(*), count(*) filter (where attempts > 0) from timers where policy <> ''`).
		Scan(&s.Waiting, &s.Failing)
	if err == nil && s.Failing > 0 {
		s.Oldest, err = t.some(ctx, `where attempts > 0 order by position limit $1`, maxNamed)
	}
	return s, wrap("status", err)
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("timers: %s: %w", what, err)
	}
	return nil
}
