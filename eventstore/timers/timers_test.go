package timers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/timers"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// agenda is what both kinds can do.
type agenda interface {
	Begin(context.Context) (eventstore.Mark, bool, error)
	Restore(context.Context, []timers.Timer) error
	Start(context.Context, eventstore.Mark) error
	Move(ctx context.Context, from, to eventstore.Mark, set []timers.Timer) error
	Due(ctx context.Context, now time.Time, limit int) ([]timers.Timer, error)
	Done(context.Context, timers.Timer) error
	Postpone(context.Context, timers.Timer) error
	Status(context.Context) (timers.Status, error)
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func mark(position int64) eventstore.Mark {
	return eventstore.Mark{Position: position, Event: id.Event{ID: id.New(time.Now())}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// table is a table in a database of its own, in the hands of the app's login.
func table(t *testing.T) (timers.Table, *pgxpool.Pool) {
	t.Helper()
	owner := pgtest.Database(t)
	return timers.Table{DB: pool(t, pgtest.AppLogin(t, owner)), Follower: "policies"}, pool(t, owner)
}

func pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	must(t, err)
	config.ConnConfig.RuntimeParams["search_path"] = "gesta"
	db, err := pgxpool.NewWithConfig(context.Background(), config)
	must(t, err)
	t.Cleanup(db.Close)
	return db
}

func both(t *testing.T, f func(t *testing.T, a agenda)) {
	t.Run("table", func(t *testing.T) { t.Parallel(); a, _ := table(t); f(t, a) })
	t.Run("memory", func(t *testing.T) { t.Parallel(); f(t, &timers.Memory{}) })
}

func (tt tester) due(now time.Time, want ...timers.Timer) {
	tt.Helper()
	got, err := tt.a.Due(context.Background(), now, 10)
	must(tt.T, err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		tt.Errorf("due (-want +got):\n%s", diff)
	}
}

type tester struct {
	*testing.T
	a agenda
}

func TestTimersAreSetWithTheMove(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, a agenda) {
		ctx, tt := context.Background(), tester{t, a}
		at, whole, err := a.Begin(ctx)
		if err != nil || !whole || at != (eventstore.Mark{}) {
			t.Fatalf("%v %t %v", at, whole, err)
		}
		first, second := mark(1), mark(2)
		early := timers.Timer{Name: "p", Cause: first, Due: noon}
		late := timers.Timer{Name: "q", Cause: first, Due: noon.Add(time.Second)}
		must(t, a.Move(ctx, eventstore.Mark{}, first, []timers.Timer{late, early}))
		if err := a.Move(ctx, eventstore.Mark{}, second, []timers.Timer{{Name: "r", Cause: second, Due: noon}}); !errors.Is(err, checkpoint.ErrMoved) {
			t.Errorf("from where it is not: %v", err)
		}
		tt.due(noon.Add(-time.Millisecond))
		tt.due(noon, early)
		tt.due(noon.Add(time.Hour), early, late)
		must(t, a.Restore(ctx, []timers.Timer{{Name: "p", Cause: first, Due: noon.Add(time.Hour)}}))
		tt.due(noon, early)
		must(t, a.Done(ctx, early))
		tt.due(noon.Add(time.Hour), late)
		if at, _, err := a.Begin(ctx); err != nil || at != first {
			t.Errorf("at %v, %v", at, err)
		}
	})
}

func TestAFailureIsKeptUntilItIsDone(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, a agenda) {
		ctx, tt, cause := context.Background(), tester{t, a}, mark(1)
		timer := timers.Timer{Name: "p", Cause: cause, Due: noon}
		must(t, a.Move(ctx, eventstore.Mark{}, cause, []timers.Timer{timer}))
		timer.Due, timer.Attempts, timer.Error = noon.Add(time.Minute), 3, "a bug"
		must(t, a.Postpone(ctx, timer))
		tt.due(noon)
		tt.due(noon.Add(time.Minute), timer)
		want := timers.Status{Position: 1, Waiting: 1, Failing: 1, Oldest: []timers.Timer{timer}}
		got, err := a.Status(ctx)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		must(t, a.Done(ctx, timer))
		got, err = a.Status(ctx)
		if diff := cmp.Diff(timers.Status{Position: 1}, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// What was lost is found to be, and is whole again once it is said to be.
func TestLostTimersAreMissed(t *testing.T) {
	t.Parallel()
	for _, lose := range []string{`truncate timers`, `delete from checkpoints where follower = 'policies'`} {
		t.Run(lose, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			a, owner := table(t)
			first := mark(1)
			must(t, a.Move(ctx, eventstore.Mark{}, first, nil))
			_, err := owner.Exec(ctx, lose)
			must(t, err)
			if _, err := a.Due(ctx, noon, 10); !errors.Is(err, timers.ErrNotWhole) {
				t.Errorf("due: %v", err)
			}
			at, whole, err := a.Begin(ctx)
			if err != nil || whole {
				t.Errorf("at %v, whole %t, %v", at, whole, err)
			}
			if at == (eventstore.Mark{}) {
				at = mark(7)
			}
			must(t, a.Restore(ctx, []timers.Timer{{Name: "p", Cause: first, Due: noon}}))
			must(t, a.Start(ctx, at))
			if got, whole, err := a.Begin(ctx); err != nil || !whole || got != at {
				t.Errorf("at %v, whole %t, %v", got, whole, err)
			}
			if s, err := a.Status(ctx); err != nil || s.Waiting != 1 {
				t.Errorf("%+v %v", s, err)
			}
		})
	}
}
