package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

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

var errRefused = &domain.Fault{Kind: domain.NotFound, Code: "refused", Text: "refused"}

// Many ask at once, some of them badly: everybody gets his own answer, or his own error, in far fewer round
// trips than there are questions.
func TestLookupsGoTogether(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a question", "an answer"} {
		l, sent := lookups(t)
		const all = 200
		var asking, asked sync.WaitGroup
		asked.Add(all)
		for n := range all {
			asking.Go(func() {
				var got int
				want, wanted := n, is(nil)
				questions := &pgx.Batch{}
				sql := `select $1::int`
				switch n % 10 {
				case 1:
					sql, want, wanted = `select $1::int where false`, 0, is(pgx.ErrNoRows)
				case 2:
					questions.Queue(`select 1`).Query(func(rows pgx.Rows) error { rows.Close(); return errRefused })
					want, wanted = 0, is(errRefused)
				case 3:
					if bad == "a question" {
						sql, want, wanted = `select 1 / ($1::int - `+fmt.Sprint(n)+`)`, 0, as[*pgconn.PgError]
					}
				case 4:
					if bad == "an answer" {
						sql, want, wanted = `select 'x' || $1::int`, 0, as[pgx.ScanArgError]
					}
				case 5:
					if bad == "an answer" {
						questions.Queue(`select 1`).QueryRow(func(pgx.Row) error { panic("a bug") })
						want, wanted = 0, as[pgx.ScanArgError]
					}
				case 6:
					questions.Queue(`select 1`) // Nobody reads its answer.
				}
				questions.Queue(sql, n).QueryRow(func(row pgx.Row) error { return row.Scan(&got) })
				asked.Done()
				err := l.Ask(t.Context(), questions)
				if !wanted(err) || got != want {
					t.Errorf("%d: %d instead of %d, %v", n, got, want, err)
				}
			})
		}
		asked.Wait()
		close(sent.asked)
		asking.Wait()
		if n := sent.sent.Load(); bad == "" && n > all/4 {
			t.Errorf("%d questions in %d round trips", all, n)
		}
	}
}

func is(wanted error) func(error) bool {
	return func(err error) bool { return errors.Is(err, wanted) }
}

func as[E error](err error) bool { return errors.As(err, new(E)) }

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

// Where no answer comes, who stands in line is sent away, and those who have been asked for wait on.
func TestNobodyStandsInLineForEver(t *testing.T) {
	t.Parallel()
	l, sent := lookups(t)
	look := func() error {
		questions := &pgx.Batch{}
		questions.Queue(`select 1`)
		return l.Ask(t.Context(), questions)
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
