package scribe_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/scribe"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// book is a history with a table in which a test's scribes write its positions down.
type book struct {
	*testing.T
	store *postgres.Store
	owner *pgx.Conn
	grown int64
}

func open(t *testing.T) *book {
	t.Helper()
	url := pgtest.Database(t)
	store, err := postgres.Open(t.Context(), postgres.Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	b := &book{T: t, store: store, owner: pgtest.Connect(t, url)}
	b.exec("set search_path = gesta")
	b.exec("create table written (position bigint primary key, secret text, surface text)")
	return b
}

func (b *book) exec(sql string, args ...any) {
	b.Helper()
	if _, err := b.owner.Exec(b.Context(), sql, args...); err != nil {
		b.Fatal(err)
	}
}

func (b *book) grow(events int) {
	b.Helper()
	now := time.Now()
	w := eventstore.Write{Stream: domain.Stream{Kind: "a.thing", ID: id.New(now)}}
	for range events {
		w.Events = append(w.Events, eventstore.NewEvent{
			ID: id.Event{ID: id.New(now)}, Type: "a.thing.nobody_knows", Schema: 7, OccurredAt: now,
			Data: []byte(`{}`), Secret: []byte(`"s"`), Meta: []byte(`{"surface":"wide"}`),
		})
	}
	if _, err := b.store.Append(b.Context(), eventstore.Append{Writes: []eventstore.Write{w}}); err != nil {
		b.Fatal(err)
	}
	b.grown += int64(events)
}

func (b *book) scribe() *scribe.Scribe {
	return &scribe.Scribe{
		Name: "book", Store: b.store, Pool: b.store.Pool(), Log: slog.New(slog.DiscardHandler),
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
		Write: func(ctx context.Context, tx pgx.Tx, rows []eventstore.Recorded) error {
			for _, r := range rows {
				if _, err := tx.Exec(ctx, "insert into written values ($1, $2, $3)", r.Position, string(r.Secret), string(r.Meta)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (b *book) run(s *scribe.Scribe) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}

// level waits until everything is written down, each row once and whole.
func (b *book) level() {
	b.Helper()
	wait.Until(b, "the scribe is level", func() bool {
		var written, whole int64
		err := b.owner.QueryRow(b.Context(), `select count(*), count(*) filter (where secret = '"s"' and surface = '{"surface":"wide"}') from written`).
			Scan(&written, &whole)
		if err != nil || written > b.grown || whole != written {
			b.Fatal(written, whole, err)
		}
		return written == b.grown
	})
}

func TestWritesWholeRowsOfAnyTypeOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.grow(5)
	var told atomic.Int64
	s := b.scribe()
	s.Wrote = func(_ context.Context, at eventstore.Mark) error { told.Store(at.Position); return nil }
	b.run(s)
	b.level()
	b.grow(4500) // More than two pages.
	b.level()
	wait.Until(t, "it is told", func() bool { return told.Load() == b.grown })
	if at, err := s.At(t.Context()); err != nil || at.Position != b.grown || at.Event.IsZero() {
		t.Error(at, err)
	}
	b.exec("delete from written; delete from checkpoints where follower = 'book'")
	b.level() // It has lost its place, and begins again though nothing is new.
	b.exec("delete from written; delete from checkpoints where follower = 'book'")
	b.run(b.scribe()) // And so does another one.
	b.level()
}

func TestOfTwoScribesNoneWritesTwice(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.run(b.scribe())
	b.run(b.scribe())
	for range 20 {
		b.grow(50)
		b.level()
	}
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.grow(3)
	s, fail := b.scribe(), atomic.Bool{}
	write := s.Write
	fail.Store(true)
	s.Write = func(ctx context.Context, tx pgx.Tx, rows []eventstore.Recorded) error {
		if err := write(ctx, tx, rows); err != nil || !fail.Load() {
			return err
		}
		return errors.New("no ink")
	}
	b.run(s)
	wait.Until(t, "it says why", func() bool { return s.Err() != nil })
	fail.Store(false)
	b.level()
	wait.Until(t, "it is well", func() bool { return s.Err() == nil && s.Leading() })
}

func TestStopsWhereThereIsAnotherHistory(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.grow(3)
	b.exec("insert into checkpoints values ('book', 2, $1)", [16]byte(id.New(time.Now())))
	s := b.scribe()
	b.run(s)
	wait.Until(t, "it says so", func() bool {
		forked := (*checkpoint.Forked)(nil)
		return errors.As(s.Err(), &forked) && forked.Seen.Position == 2
	})
}

func TestStopsAtAMissingPosition(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.grow(5)
	b.exec("alter table events disable trigger events_are_facts")
	b.exec("delete from events where position = 3")
	s := b.scribe()
	b.run(s)
	wait.Until(t, "it says so", func() bool {
		return s.Err() != nil && s.Err().Error() == fmt.Sprintf("scribe: book: a position is missing between 0 and %d", 5)
	})
}
