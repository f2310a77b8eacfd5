package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/scribe"
	"gesta/projections"
)

// archive is a database with so many events, all of which are in the index of the history.
type archive struct {
	Installation
	events int
	size   float64 // of the JSON of an event, in MB
	store  *postgres.Store
	reads  *pgxpool.Pool
	asked  projections.History
}

func (l *lab) archive(ctx context.Context, events int) (*archive, error) {
	i, err := l.database(ctx)
	if err != nil {
		return nil, err
	}
	a := &archive{Installation: i, events: events}
	if a.store, err = postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema}); err != nil {
		return a, err
	}
	if a.reads, err = projections.Open(ctx, i.App, schema); err != nil {
		return a, err
	}
	a.asked = projections.History{DB: &postgres.Lookups{Pool: a.reads}, Truth: schema}
	begin := time.Now()
	if err := a.fill(ctx); err != nil {
		return a, err
	}
	l.progressf("%s: filled in %s", a, time.Since(begin).Round(time.Second))
	begin = time.Now()
	if err := a.index(ctx); err != nil {
		return a, err
	}
	l.progressf("%s: indexed in %s, %s", a, time.Since(begin).Round(time.Second), perSecond(float64(events)/time.Since(begin).Seconds(), "events"))
	return a, a.settle(ctx)
}

func (a *archive) settle(ctx context.Context) error {
	return (&sized{Installation: a.Installation}).settle(ctx)
}

// happened is what happened to one in twenty events' users, scattered over all of the history: to each 20 events, in a
// stream of one of 12 kinds. There are 60 types, three realms and 120 classes, a request leads to three events, and every
// tenth event is the system's.
const happened = `insert into gesta.events select n, 'context.thing' || u % 12, md5(u::text)::uuid, 1 + n / users, gen_random_uuid(),
	'context.thing' || u % 12 || '.verb' || n / 7 % 5, 1, json_build_object('note', repeat('x', 240)), null,
	json_build_object('actor', case when n % 10 = 0 then 'system' else 'user/01J8Z3K5T9V7W2X4Y6' || lpad(u::text, 8, '0') end,
		'realm', 'realm' || u % 3, 'surface', case when n % 10 = 0 then 'cli' else 'surface' || u % 3 end,
		'request', '01J8Z3K5T9V7W2X4Y6' || lpad((n / 3)::text, 8, '0'), 'correlation', '01J8Z3K5T9V7W2X4Y6' || lpad((n / 3)::text, 8, '0')),
	at, at from generate_series(1, $1::int) n, lateral (select $1::int / 20 as users) s, lateral (select n % users as u) of,
	lateral (select '2020-01-01 00:00:00+00'::timestamptz + n * interval '10 seconds' as at) t`

// fill writes the events by themselves.
func (a *archive) fill(ctx context.Context) error {
	if err := a.exec(ctx, happened, a.events); err != nil {
		return err
	}
	return a.reads.QueryRow(ctx, `select avg(octet_length(data::text) + octet_length(metadata::text)) / 1e6 from gesta.events where position <= 1000`).Scan(&a.size)
}

// exec does something as the owner.
func (a *archive) exec(ctx context.Context, sql string, args ...any) error {
	conn, err := pgx.Connect(ctx, a.Owner)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql, args...)
	return err
}

// String is how many events, in words.
func (a *archive) String() string { return (&sized{events: a.events}).String() + " events" }

func (a *archive) close() {
	if a.reads != nil {
		a.reads.Close()
	}
	if a.store != nil {
		a.store.Close()
	}
}

func (a *archive) clear(ctx context.Context) error {
	return a.exec(ctx, "set search_path = gesta; "+projections.ClearHistory+"; delete from checkpoints where follower = '"+projections.HistoryFollower+"'")
}

// index has a scribe write until all is in the index.
func (a *archive) index(ctx context.Context) error {
	writing, level := context.WithCancel(ctx)
	defer level()
	s := &scribe.Scribe{
		Name: projections.HistoryFollower, Store: a.store, Pool: a.store.Pool(), Write: a.asked.Write, Log: slog.Default(),
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
		Wrote: func(_ context.Context, at eventstore.Mark) error {
			if at.Position == int64(a.events) {
				level()
			}
			return nil
		},
	}
	return errors.Join(s.Run(writing), ctx.Err())
}

// read reads all events once.
func (a *archive) read(ctx context.Context) (n int, err error) {
	for after := int64(0); ; {
		events, err := a.store.Read(ctx, after, readPage)
		if err != nil || len(events) == 0 {
			return n, err
		}
		after = events[len(events)-1].Position
		n += len(events)
	}
}

// asking asks one question after the other.
func (a *archive) asking(q question) contestant {
	return writers(1, 1, func() func(context.Context) error {
		return func(ctx context.Context) error {
			n, err := q.ask(ctx, a)
			if err == nil && n < q.finds {
				err = fmt.Errorf("%d are found of %d", n, q.finds)
			}
			if err != nil {
				err = fmt.Errorf("%s, of %s: %w", q.what, a, err)
			}
			return err
		}
	})
}
