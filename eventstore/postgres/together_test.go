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
				err := l.Ask(t.Context(), questions)
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
