package bench

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/cmd/gesta/loadgen"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/postgres"
	"gesta/projections"
)

// What an hour of steady work does to rows that are updated all the time: a hundred batches a second move
// the projector's checkpoint, and the relay's moves ten times a second. Here both are made as fast as they go.
const (
	batchesAnHour = 360_000
	anchorsAnHour = 36_000
	timedMoves    = 10_000 // whose time is compared, of the first and the last
)

// vacuum shows what is left of an hour's moves of the checkpoints, by the autovacuum that the server has.
func (l *lab) vacuum(ctx context.Context) error {
	i, err := l.database(ctx)
	if err != nil {
		return err
	}
	store, err := postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema})
	if err != nil {
		return err
	}
	defer store.Close()
	reads, err := projections.Open(ctx, i.App, schema)
	if err != nil {
		return err
	}
	defer reads.Close()
	relay := checkpoint.Row{DB: store.Pool(), Follower: "relay"}
	err = l.wear(ctx, reads, wearing{
		what: "the projector's checkpoint", moves: batchesAnHour, tables: projections.ReadSchema(schema) + ".checkpoints",
		run:  func(ctx context.Context, s *strokes) error { return project(ctx, i, store, s) },
		read: func(ctx context.Context) error { _, err := projections.Checkpoint(reads, schema)(ctx); return err },
	})
	if err != nil {
		return err
	}
	return l.wear(ctx, store.Pool(), wearing{
		what: "the relay's checkpoint", moves: anchorsAnHour, tables: schema + ".checkpoints",
		run: func(ctx context.Context, s *strokes) error {
			return s.all(ctx, func(ctx context.Context, from, to eventstore.Mark) error { return relay.Move(ctx, from, to) })
		},
		read: func(ctx context.Context) error { _, err := relay.Get(ctx); return err },
	})
}

// wearing is a row that is moved often.
type wearing struct {
	what   string
	moves  int
	tables string
	run    func(context.Context, *strokes) error
	read   func(context.Context) error
}

// strokes are moves from each place to the next, and what they and a bare select behind each took, of those that are
// timed.
type strokes struct {
	count      int
	took, bare []time.Duration
	rest       func(context.Context) error // the bare select
	middle     func(context.Context) error // is called after the first that are timed
}

func (s *strokes) all(ctx context.Context, move func(ctx context.Context, from, to eventstore.Mark) error) error {
	var from eventstore.Mark
	for n := range s.count {
		to := eventstore.Mark{Position: int64(n + 1), Event: id.Event{ID: id.New(time.Now())}}
		began := time.Now()
		if err := move(ctx, from, to); err != nil {
			return err
		}
		from = to
		if n < timedMoves || n >= s.count-timedMoves {
			moved := time.Now()
			if err := s.rest(ctx); err != nil {
				return err
			}
			s.took, s.bare = append(s.took, moved.Sub(began)), append(s.bare, time.Since(moved))
		}
		if n == timedMoves {
			if err := s.middle(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *lab) wear(ctx context.Context, db *pgxpool.Pool, w wearing) error {
	var was, is worn
	bare := func(ctx context.Context) error { _, err := db.Exec(ctx, "select"); return err }
	s := &strokes{count: w.moves, rest: bare, middle: func(ctx context.Context) (err error) {
		was, err = look(ctx, db, w, bare)
		return err
	}}
	if err := w.run(ctx, s); err != nil {
		return err
	}
	is, err := look(ctx, db, w, bare)
	if err != nil {
		return err
	}
	first := timed{quantiles(s.took[:timedMoves]), quantiles(s.bare[:timedMoves])}
	last := timed{quantiles(s.took[timedMoves:]), quantiles(s.bare[timedMoves:])}
	l.add(row{
		part: "vacuum", what: fmt.Sprintf("a move of %s, p50 in bare selects in turns with it, the last %d of an hour's %d against the first", w.what, timedMoves, w.moves),
		ours: last.String(), reference: first.String(), ratio: last.inSelects() / first.inSelects(), target: atMost(grown),
	})
	l.add(row{
		part: "vacuum", what: "a read of it, p50 in bare selects in turns with it, after against before",
		ours: is.read.String(), reference: was.read.String(), ratio: is.read.inSelects() / was.read.inSelects(), target: atMost(grown),
	})
	l.add(row{part: "vacuum", what: "its table with indexes, dead rows and how often it was vacuumed, after and before", ours: is.String(), reference: was.String()})
	return nil
}

// worn is what a table has come to.
type worn struct {
	bytes, dead, vacuums int64
	read                 timed
}

// timed is what something took, and a bare select in turns with it: a round trip alone takes 0.02 or 0.06 ms, for
// whether the other side has fallen asleep.
type timed struct{ took, bare result }

func (t timed) inSelects() float64 { return p50(t.took) / p50(t.bare) }

func (t timed) String() string {
	return times([]result{t.took}) + ", " + number(t.inSelects()) + " selects"
}

func (w worn) String() string {
	return fmt.Sprintf("%d kB, %d dead rows, %d times", w.bytes/1024, w.dead, w.vacuums)
}

func look(ctx context.Context, db *pgxpool.Pool, w wearing, bare func(context.Context) error) (is worn, err error) {
	var took, nothing []time.Duration
	for range 1000 {
		began := time.Now()
		if err := w.read(ctx); err != nil {
			return is, err
		}
		read := time.Now()
		if err := bare(ctx); err != nil {
			return is, err
		}
		took, nothing = append(took, read.Sub(began)), append(nothing, time.Since(read))
	}
	is.read = timed{quantiles(took), quantiles(nothing)}
	err = db.QueryRow(ctx, `select pg_total_relation_size(relid), n_dead_tup, autovacuum_count from pg_stat_all_tables
		where relid = $1::text::regclass`, w.tables).Scan(&is.bytes, &is.dead, &is.vacuums)
	return is, err
}

func quantiles(took []time.Duration) result {
	return result{p50: loadgen.Quantile(.5, took), p99: loadgen.Quantile(.99, took)}
}

// project moves the projector's checkpoint the way the projector does, by batches of one event that no read
// model has a rule for.
func project(ctx context.Context, i Installation, store eventstore.Store, s *strokes) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	vault, err := vaultOf(ctx, store, i)
	if err != nil {
		return err
	}
	p := &projections.Projector{
		URL: i.App, Schema: schema, Vault: vault, Projections: projections.All, Store: store,
		Lead:   func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
		Passed: func(projections.Standing) {}, Log: slog.New(slog.DiscardHandler),
		Feed: feedOf(func(ctx context.Context, handle func(context.Context, []eventstore.Recorded) error) error {
			defer stop()
			w := &writer{}
			err = s.all(ctx, func(ctx context.Context, _, to eventstore.Mark) error {
				write := w.next()
				e := write.Events[0]
				e.ID = to.Event
				return handle(ctx, []eventstore.Recorded{{NewEvent: e, Position: to.Position, Stream: write.Stream, Version: write.Expect + 1}})
			})
			return err
		}),
	}
	if ended := p.Run(ctx); ended != nil {
		return ended
	}
	return err
}

type feedOf func(context.Context, func(context.Context, []eventstore.Recorded) error) error

func (f feedOf) Follow(ctx context.Context, _ eventstore.Mark, _ int, handle func(context.Context, []eventstore.Recorded) error) error {
	return f(ctx, handle)
}
