// Package scribe keeps in Postgres what is made of the whole history: of each row as it is stored, its secret column
// and all of its metadata included, whatever its type. What follows the published form of events uses package feed.
package scribe

import (
	"context"
	"errors"
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
	usually = 200 * time.Millisecond // between two looks at the store

	// gathering is for how long rows are gathered, from the first one on. What is written at once costs less, and the more
	// it is, the longer those who append wait for it, now and then: at 10,000 a second their slowest hundredth took 1.0 to
	// 1.2 times as long with the log of proofs at 50 to 100 ms, 1.4 times at 25 ms, and 1.6 to 1.9 times at 400 ms.
	gathering = 50 * time.Millisecond

	page             = 2000 // rows that are read at once
	most             = 8000 // rows that are gathered, about
	room             = 256  // commits that wait for a slow scribe
	restAfterFailure = 250 * time.Millisecond
)

// Scribe follows the history and writes what is made of it, each page in one transaction with the checkpoint of its
// name: of two scribes of one name the second one is refused, with all that it wrote. The fields from Name to Write,
// and Log, are needed.
type Scribe struct {
	Name  string // of its checkpoint
	Store eventstore.Store
	Pool  *pgxpool.Pool                                                          // where the truth's tables are found by their names alone
	Lead  func(ctx context.Context, lead func(context.Context) error) error      // one scribe at a time
	Write func(ctx context.Context, tx pgx.Tx, rows []eventstore.Recorded) error // rows follow each other without a gap
	Begin func()                                                                 // is told before each turn of leading: others may have written since the last
	Wrote func(ctx context.Context, at eventstore.Mark) error                    // is told after each page, and every so often while there is none
	Log   *slog.Logger

	// Handoff brings what this process commits, so that it need not be read again: reading was most of what a scribe
	// costs. Nil for the store alone.
	Handoff *eventstore.Handoff

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
	if s.Begin != nil {
		s.Begin()
	}
	at, err := s.At(ctx)
	if err != nil {
		return err
	}
	commits, end := s.subscribe()
	defer end()
	for {
		rows, err := checkpoint.After(ctx, s.Store, at, page)
		for err == nil && ctx.Err() == nil {
			if at, err = s.pass(ctx, at, rows); err != nil || len(rows) == page {
				break
			}
			if rows = s.gather(ctx, commits, at); len(rows) == 0 {
				break
			}
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
}

// subscribe answers what this process commits: nothing where nobody hands it over.
func (s *Scribe) subscribe() (commits <-chan eventstore.Commit, end func()) {
	if s.Handoff == nil {
		return nil, func() {}
	}
	return s.Handoff.Subscribe(room)
}

// gather waits for a while and answers what was committed meanwhile, as far as it goes on from an event: none where
// the store has to be asked.
func (s *Scribe) gather(ctx context.Context, commits <-chan eventstore.Commit, at eventstore.Mark) (rows []eventstore.Recorded) {
	enough := time.NewTimer(usually)
	defer enough.Stop()
	for len(rows) < most {
		select {
		case <-ctx.Done():
			return nil
		case <-enough.C:
			return rows
		case c := <-commits:
			if some, follows := c.Since(at); follows && len(some) > 0 {
				if rows == nil {
					enough.Reset(gathering)
				}
				rows, at = append(rows, some...), some[len(some)-1].Mark()
			}
		}
	}
	return rows
}

// pass writes rows, if there are any, and says how far all is written.
func (s *Scribe) pass(ctx context.Context, at eventstore.Mark, rows []eventstore.Recorded) (eventstore.Mark, error) {
	var err error
	if len(rows) > 0 {
		at, err = s.write(ctx, at, rows)
	} else {
		err = s.stays(ctx, at)
	}
	if err == nil && s.Wrote != nil {
		err = s.Wrote(ctx, at)
	}
	if err == nil {
		s.turns.Well()
	}
	return at, err
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

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
