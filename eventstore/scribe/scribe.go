// Package scribe keeps in Postgres what is made of the whole history: of each row as it is stored, its secret column
// and all of its metadata included, whatever its type. What follows the published form of events uses package feed.
package scribe

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/leader"
)

const (
	// Every is how often a scribe that is level looks for new rows. It is not woken by appends: many of them are
	// written at once then, which costs them little.
	Every = 200 * time.Millisecond

	page             = 2000 // rows that are written in one transaction, at most
	restAfterFailure = 250 * time.Millisecond
)

// Scribe follows the history and writes what is made of it, each page in one transaction with the checkpoint of its
// name: of two scribes of one name the second one is refused, with all that it wrote. All fields but Wrote are needed.
type Scribe struct {
	Name  string // of its checkpoint
	Store eventstore.Store
	Pool  *pgxpool.Pool                                                          // where the truth's tables are found by their names alone
	Lead  func(ctx context.Context, lead func(context.Context) error) error      // one scribe at a time
	Write func(ctx context.Context, tx pgx.Tx, rows []eventstore.Recorded) error // rows follow each other without a gap
	Wrote func(ctx context.Context, at eventstore.Mark) error                    // is told at the beginning, after each page, and every so often
	Log   *slog.Logger

	turns leader.Turns
}

// Err is why the scribe does not get on at the moment; nil while it does, or stands by.
func (s *Scribe) Err() error { return s.turns.Err() }

// Leading tells whether this scribe is the one that writes.
func (s *Scribe) Leading() bool { return s.turns.Leading() }

// At answers how far whoever leads has come; the zero Mark before it has begun.
func (s *Scribe) At(ctx context.Context) (eventstore.Mark, error) { return s.row().Get(ctx) }

func (s *Scribe) row() checkpoint.Row { return checkpoint.Row{DB: s.Pool, Follower: s.Name} }

// Run writes until ctx ends. Failures are logged and tried again: nothing is lost by waiting.
func (s *Scribe) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := s.turns.Take(ctx, s.Lead, s.follow)
		if ctx.Err() != nil {
			return nil
		}
		if s.turns.Failed(err) {
			s.Log.Warn("a scribe stopped, trying again", "scribe", s.Name, "error", err)
		}
		rest(ctx, restAfterFailure)
	}
	return nil
}

// follow is one turn of leading. It ends with *checkpoint.Forked where the store's history is another than the one
// that was written down.
func (s *Scribe) follow(ctx context.Context) error {
	at, err := s.At(ctx)
	if err != nil {
		return err
	}
	for {
		rows, err := checkpoint.After(ctx, s.Store, at, page)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			at, err = s.write(ctx, at, rows)
		} else {
			err = s.stays(ctx, at)
		}
		if err != nil {
			return err
		}
		if err := s.wrote(ctx, at); err != nil {
			return err
		}
		s.turns.Well()
		if len(rows) < page {
			rest(ctx, Every)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// write does not wait for the disk: a crash only takes the checkpoint back, with all that was written with it.
func (s *Scribe) write(ctx context.Context, at eventstore.Mark, rows []eventstore.Recorded) (eventstore.Mark, error) {
	to := rows[len(rows)-1].Mark()
	if rows[0].Position != at.Position+1 || to.Position != at.Position+int64(len(rows)) {
		return at, fmt.Errorf("scribe: %s: a position is missing between %d and %d", s.Name, at.Position, to.Position)
	}
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local synchronous_commit = off"); err != nil {
			return err
		}
		if err := s.Write(ctx, tx, rows); err != nil {
			return err
		}
		return (checkpoint.Table{}).Move(ctx, tx, s.Name, at, to)
	})
	if err != nil {
		return at, fmt.Errorf("scribe: %s: positions %d to %d: %w", s.Name, at.Position+1, to.Position, err)
	}
	return to, nil
}

// stays finds out that its checkpoint was taken away, so that all is made anew, though nothing is new.
func (s *Scribe) stays(ctx context.Context, at eventstore.Mark) error {
	now, err := s.At(ctx)
	if err == nil && now != at {
		err = fmt.Errorf("scribe: %s: %w", s.Name, checkpoint.ErrMoved)
	}
	return err
}

func (s *Scribe) wrote(ctx context.Context, at eventstore.Mark) error {
	if s.Wrote == nil {
		return nil
	}
	return s.Wrote(ctx, at)
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
