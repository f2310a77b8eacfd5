package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

// batches counts round trips, and holds the first ones up until it is told that all have asked.
type batches struct {
	sent  atomic.Int64
	asked chan struct{}
}

func (b *batches) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	b.sent.Add(1)
	<-b.asked
	return ctx
}
func (*batches) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*batches) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (*batches) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (*batches) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func lookups(t *testing.T) (*postgres.Lookups, *batches) {
	t.Helper()
	config, err := pgxpool.ParseConfig(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	b := &batches{asked: make(chan struct{})}
	config.ConnConfig.Tracer = b
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &postgres.Lookups{Pool: pool}, b
}

// bounded is how requests ask: who has no end asks alone.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	t.Cleanup(cancel)
	return ctx
}

var errRefused = &domain.Fault{Kind: domain.NotFound, Code: "refused", Text: "refused"}

// Many ask at once, some of them badly: everybody gets his own answer, or his own error, in far fewer round
// trips than there are questions.
func TestLookupsGoTogether(t *testing.T) {
	t.Parallel()
	for _, bad := range []bool{false, true} {
		l, sent := lookups(t)
		const all = 200
		var asking, asked sync.WaitGroup
		asked.Add(all)
		for n := range all {
			asking.Go(func() {
				want := n
				var got int
				var wanted error
				questions := &pgx.Batch{}
				sql := `select $1::int`
				switch n % 10 {
				case 1:
					sql, wanted = `select $1::int where false`, pgx.ErrNoRows
				case 2:
					questions.Queue(`select 1`).Query(func(rows pgx.Rows) error { rows.Close(); return errRefused })
					wanted = errRefused
				case 3:
					if bad {
						sql, wanted = `select 1 / ($1::int - `+fmt.Sprint(n)+`)`, &pgconn.PgError{}
					}
				}
				questions.Queue(sql, n).QueryRow(func(row pgx.Row) error { return row.Scan(&got) })
				asked.Done()
				err := l.Ask(bounded(t), questions)
				var faulty *pgconn.PgError
				switch {
				case wanted == nil && (err != nil || got != want):
					t.Errorf("%d: %d, %v", n, got, err)
				case wanted != nil && !errors.Is(err, wanted) && !errors.As(err, &faulty), wanted != nil && got != 0:
					t.Errorf("%d: %d, %v instead of %v", n, got, err, wanted)
				}
			})
		}
		asked.Wait()
		close(sent.asked)
		asking.Wait()
		if n := sent.sent.Load(); !bad && n > all/4 {
			t.Errorf("%d questions in %d round trips", all, n)
		}
	}
}

// A caller whose time is over gets no answer, and those beside him get theirs.
func TestALookupEndsWithItsTime(t *testing.T) {
	t.Parallel()
	l, sent := lookups(t)
	close(sent.asked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	questions := &pgx.Batch{}
	questions.Queue(`select 1`)
	if err := l.Ask(ctx, questions); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := l.Ask(t.Context(), questions); err != nil {
		t.Error(err)
	}
}

// What is wrong with one caller, or lost with a connection, is nobody else's: the others get their answers.
func TestNobodyBearsTheMistakesOfOthers(t *testing.T) {
	t.Parallel()
	for what, mistake := range map[string]func(*pgxpool.Pool, *pgx.Batch){
		"an argument that can't be said": func(_ *pgxpool.Pool, q *pgx.Batch) { q.Queue(`select $1::int`, "no number") },
		"an answer that is not understood": func(_ *pgxpool.Pool, q *pgx.Batch) {
			q.Queue(`select 'no number'`).QueryRow(func(row pgx.Row) error { return row.Scan(new(int)) })
		},
		"an error of its own":      func(_ *pgxpool.Pool, q *pgx.Batch) { q.Queue(`select 1`).Query(func(pgx.Rows) error { return errOwn }) },
		"an answer that is unread": func(_ *pgxpool.Pool, q *pgx.Batch) { q.Queue(`select 1 / 0`) },
		"a panic": func(_ *pgxpool.Pool, q *pgx.Batch) {
			q.Queue(`select 1`).Query(func(pgx.Rows) error { panic("a mistake") })
		},
		"a backend that is ended": func(_ *pgxpool.Pool, q *pgx.Batch) { q.Queue(`select pg_terminate_backend(pg_backend_pid())`) },
		"a connection that is lost": func(pool *pgxpool.Pool, q *pgx.Batch) {
			q.Queue(`select 1`).Query(func(rows pgx.Rows) error { return rows.Conn().PgConn().Conn().Close() })
			q.Queue(`select repeat('x', 1000000)`)
		},
	} {
		l, sent := lookups(t)
		const all = 40
		var asking, asked sync.WaitGroup
		asked.Add(all)
		for n := range all {
			asking.Go(func() {
				questions, got := &pgx.Batch{}, -1
				if n == all-2 {
					mistake(l.Pool, questions)
				}
				questions.Queue(`select $1::int`, n).QueryRow(func(row pgx.Row) error { return row.Scan(&got) })
				asked.Done()
				err := l.Ask(bounded(t), questions)
				if mistaken := n == all-2; mistaken != (err != nil) || !mistaken && got != n {
					t.Errorf("%s: %d: %d, %v", what, n, got, err)
				}
			})
		}
		asked.Wait()
		close(sent.asked)
		asking.Wait()
		wait.Until(t, "no connection is in use after "+what, func() bool { return l.Pool.Stat().AcquiredConns() == 0 })
	}
}

var errOwn = errors.New("an error of its own")

// Who gave up in line, and who asks for no answer, is in nobody's way.
func TestCallersComeAndGo(t *testing.T) {
	t.Parallel()
	l, sent := lookups(t)
	close(sent.asked)
	var asking sync.WaitGroup
	for n := range 100 {
		asking.Go(func() {
			for turn := range 50 {
				ctx, cancel := context.WithTimeout(bounded(t), time.Duration(n*turn)*time.Microsecond)
				if n%3 == 0 {
					ctx, cancel = context.WithCancel(bounded(t))
					go cancel()
				} else if n%3 == 1 {
					ctx = bounded(t)
				}
				got, questions := 0, &pgx.Batch{}
				questions.Queue(`select 1`)
				questions.Queue(`select $1::int`, n).QueryRow(func(row pgx.Row) error { return row.Scan(&got) })
				if err := l.Ask(ctx, questions); err == nil && got != n || err != nil && n%3 == 1 {
					t.Errorf("%d: %d, %v", n, got, err)
				}
				got++ // What was asked for is over.
				cancel()
			}
		})
	}
	asking.Wait()
}

// When the server no longer answers, each waits for as long as some request may take; one who would wait for
// ever holds nobody up, and is answered when it is there again.
func TestWhoHasNoEndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	proxy, url := pgtest.NewProxy(t, pgtest.Database(t))
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	l := &postgres.Lookups{Pool: pool}
	ask := func(ctx context.Context) error {
		questions := &pgx.Batch{}
		questions.Queue(`select 1`)
		return l.Ask(ctx, questions)
	}
	if err := ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	proxy.Stall()
	var endless, requests sync.WaitGroup
	for range 20 {
		endless.Go(func() {
			if err := ask(t.Context()); err != nil {
				t.Error(err)
			}
		})
		requests.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	requests.Wait()
	proxy.Flow()
	endless.Wait()
}

// Where no answer comes, who stands in line is sent away, and those who have been asked for wait on.
func TestNobodyStandsInLineForEver(t *testing.T) {
	t.Parallel()
	l, sent := lookups(t)
	ctx := bounded(t)
	look := func() error {
		questions := &pgx.Batch{}
		questions.Queue(`select 1`)
		return l.Ask(ctx, questions)
	}
	var asked sync.WaitGroup
	for n := range int64(2) {
		asked.Go(func() {
			if err := look(); err != nil {
				t.Error(err)
			}
		})
		wait.Until(t, "it is asked for", func() bool { return sent.sent.Load() == n+1 })
	}
	if err := look(); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(sent.asked)
	asked.Wait()
	if err := look(); err != nil || sent.sent.Load() != 3 {
		t.Errorf("%v, after %d round trips", err, sent.sent.Load())
	}
}
