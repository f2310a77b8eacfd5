package scribe_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	store   *postgres.Store
	handoff *eventstore.Handoff
	owner   *pgx.Conn
	grown   int64
}

func open(t *testing.T) *book {
	t.Helper()
	url := pgtest.Database(t)
	handoff := &eventstore.Handoff{}
	store, err := postgres.Open(t.Context(), postgres.Options{URL: url, Handoff: handoff, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	b := &book{T: t, store: store, handoff: handoff, owner: pgtest.Connect(t, url)}
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

// counted counts the rows that are read and were not seen before.
type counted struct {
	eventstore.Store
	rows atomic.Int64
}

func (c *counted) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	rows, err := c.Store.Read(ctx, after, limit)
	c.rows.Add(int64(max(0, len(rows)-1))) // The first one tells that it is the same history.
	return rows, err
}

// What this process commits is not read again, and is the same, byte for byte; what others commit is.
func TestWhatIsHandedOverIsNotReadAgain(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.grow(1)
	store, handed := &counted{Store: b.store}, make(chan []eventstore.Recorded, 100)
	s := b.scribe()
	s.Store, s.Handoff = store, b.handoff
	write := s.Write
	s.Write = func(ctx context.Context, tx pgx.Tx, rows []eventstore.Recorded) error {
		handed <- rows
		return write(ctx, tx, rows)
	}
	b.run(s)
	b.level()
	for range 10 {
		b.grow(20)
		b.level()
	}
	if read := store.rows.Load(); read > 100 { // What is committed in the moment in which it is looked for is read.
		t.Errorf("%d of 200 rows were read", read)
	}
	b.foreign()
	b.level()
	b.grow(2)
	b.level()
	close(handed)
	var got []eventstore.Recorded
	for rows := range handed {
		got = append(got, rows...)
	}
	want, err := b.store.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored and handed over differ (-stored +handed):\n%s", diff)
	}
}

// foreign adds an event as another process does.
func (b *book) foreign() {
	b.Helper()
	b.exec(`insert into events select position + 1, stream_kind, gen_random_uuid(), 1, gen_random_uuid(), type, schema, data, secret, metadata, occurred_at, recorded_at
		from events order by position desc limit 1`)
	b.grown++
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
	var told, turns atomic.Int64
	s := b.scribe()
	s.Begin = func() { turns.Add(1) }
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
	if turns.Load() < 2 {
		t.Error("it is not told that it begins again")
	}
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
