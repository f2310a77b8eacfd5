package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
)

// The benchmarks say something about a server that keeps what it commits (the one that is started where
// TEST_DATABASE_URL names none doesn't) and takes 270 connections. Ratios count, within one run.
var writerCounts = []int{1, 8, 64, 256}

// BenchmarkAppend is the store: events alone, one to an append, in streams of twenty.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range writerCounts {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := benchStore(b)
			race(b, writers, func() func(context.Context) error { return appending(s) })
		})
	}
}

func appending(s *postgres.Store) func(context.Context) error {
	w := &writer{}
	return func(ctx context.Context) error {
		_, err := s.Append(ctx, eventstore.Append{Writes: []eventstore.Write{w.next()}})
		return err
	}
}

// BenchmarkAppendBesideSnapshot is BenchmarkAppend while something like a dump holds a snapshot from
// before: what appends leave behind can't be tidied up.
func BenchmarkAppendBesideSnapshot(b *testing.B) {
	s := benchStore(b)
	dump, err := s.Pool().BeginTx(b.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = dump.Rollback(b.Context()) }()
	if _, err := dump.Exec(b.Context(), "select from events limit 1"); err != nil {
		b.Fatal(err)
	}
	race(b, 64, func() func(context.Context) error { return appending(s) })
}

// BenchmarkAppendAll is the store with all that an append can carry.
func BenchmarkAppendAll(b *testing.B) {
	for _, writers := range writerCounts {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := benchStore(b)
			race(b, writers, func() func(context.Context) error {
				w := &writer{}
				return func(ctx context.Context) error {
					write := w.next()
					write.Take = []eventstore.Claim{{Name: eventstore.Hash(id.New(time.Now()))}}
					_, err := s.Append(ctx, eventstore.Append{
						Writes: []eventstore.Write{write},
						Keys:   []eventstore.SubjectKey{{Subject: id.New(time.Now()), Wrapped: make([]byte, 60)}},
						Idempotency: &eventstore.Idempotency{
							Scope: "bench", Key: id.New(time.Now()).String(),
							Fingerprint: make([]byte, 32), Result: json.RawMessage(`{"id":"01J"}`),
						},
					})
					return err
				}
			})
		})
	}
}

// BenchmarkPlainInsert is what Postgres does without an order for readers: each writer commits one row
// at a time into a table of the same columns and indexes.
func BenchmarkPlainInsert(b *testing.B) {
	for _, writers := range writerCounts {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			pool := benchPool(b, writers)
			race(b, writers, func() func(context.Context) error {
				w := &writer{}
				return func(ctx context.Context) error {
					_, err := pool.Exec(ctx, plainInsert, row(w.next())...)
					return err
				}
			})
		})
	}
}

const plainInsert = `insert into plain (stream_kind, stream_id, version, event_id, type, schema, data, metadata,
	occurred_at, recorded_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())`

// BenchmarkLockedInsert is the usual way to dense positions: one transaction for each command, one at
// a time, in one round trip.
func BenchmarkLockedInsert(b *testing.B) {
	for _, writers := range writerCounts {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			pool := benchPool(b, writers)
			race(b, writers, func() func(context.Context) error {
				w := &writer{}
				return func(ctx context.Context) error {
					batch := &pgx.Batch{}
					batch.Queue("select pg_advisory_xact_lock(1)")
					batch.Queue(lockedInsert, row(w.next())...)
					return pool.SendBatch(ctx, batch).Close()
				}
			})
		})
	}
}

const lockedInsert = `insert into plain (position, stream_kind, stream_id, version, event_id, type, schema, data,
	metadata, occurred_at, recorded_at)
	select (select coalesce(max(position), 0) + 1 from plain), $1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp()`

// BenchmarkUnnestInsert is one writer that commits 500 rows at a time.
func BenchmarkUnnestInsert(b *testing.B) {
	pool := benchPool(b, 1)
	const rows = 500
	w := &writer{}
	b.ResetTimer()
	for n := 0; n < b.N; n += rows {
		var kinds, types []string
		var streams, ids [][16]byte
		var versions []int64
		var schemas []int32
		var data, metas []json.RawMessage
		var times []time.Time
		for range rows {
			write := w.next()
			e := write.Events[0]
			kinds, types = append(kinds, write.Stream.Kind), append(types, e.Type)
			streams, ids = append(streams, write.Stream.ID), append(ids, e.ID.ID)
			versions, schemas = append(versions, write.Expect+1), append(schemas, int32(e.Schema))
			data, metas = append(data, e.Data), append(metas, e.Meta)
			times = append(times, e.OccurredAt)
		}
		_, err := pool.Exec(b.Context(), `insert into plain (stream_kind, stream_id, version, event_id, type, schema,
			data, metadata, occurred_at, recorded_at) select *, clock_timestamp() from unnest($1::text[], $2::uuid[],
			$3::bigint[], $4::uuid[], $5::text[], $6::int[], $7::json[], $8::json[], $9::timestamptz[])`,
			kinds, streams, versions, ids, types, schemas, data, metas, times)
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// race lets the writers do b.N things between them, and reports how many a second and how long half
// of them took at most.
func race(b *testing.B, writers int, start func() func(context.Context) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, writers)
	var all sync.WaitGroup
	b.ResetTimer()
	for i := range writers {
		all.Go(func() {
			do := start()
			for left.Add(-1) >= 0 {
				begin := time.Now()
				if err := do(b.Context()); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(begin))
			}
		})
	}
	all.Wait()
	b.StopTimer()
	each := slices.Concat(took...)
	slices.Sort(each)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(each[len(each)/2].Microseconds())/1000, "p50-ms")
}

// writer fills one stream after the other.
type writer struct{ write eventstore.Write }

var (
	benchData = json.RawMessage(`{"note":"` + string(bytes.Repeat([]byte("x"), 240)) + `"}`)
	benchMeta = json.RawMessage(`{"actor":"user/01J8Z3K5T9V7W2X4Y6Z8A0B1C2","realm":"bench","surface":"accounts",` +
		`"request":"01J8Z3K5T9V7W2X4Y6Z8A0B1C2","correlation":"01J8Z3K5T9V7W2X4Y6Z8A0B1C2"}`)
)

func (w *writer) next() eventstore.Write {
	now := time.Now()
	if w.write.Expect++; w.write.Stream.Kind == "" || w.write.Expect == 20 {
		w.write = eventstore.Write{Stream: domain.Stream{Kind: "bench.thing", ID: id.New(now)}}
	}
	w.write.Events = []eventstore.NewEvent{{
		ID: id.Event{ID: id.New(now)}, Type: "bench.thing.happened", Schema: 1,
		Data: benchData, Meta: benchMeta, OccurredAt: now,
	}}
	return w.write
}

func row(w eventstore.Write) []any {
	e := w.Events[0]
	return []any{
		w.Stream.Kind, [16]byte(w.Stream.ID), w.Expect + 1, [16]byte(e.ID.ID), e.Type, e.Schema, e.Data, e.Meta,
		e.OccurredAt,
	}
}

func benchStore(b *testing.B) *postgres.Store {
	s, err := postgres.Open(b.Context(), postgres.Options{URL: pgtest.Database(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

func benchPool(b *testing.B, conns int) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(pgtest.Database(b))
	if err != nil {
		b.Fatal(err)
	}
	config.MaxConns = int32(conns)
	config.ConnConfig.RuntimeParams["search_path"] = "gesta"
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	warm(b, pool, conns)
	_, err = pool.Exec(b.Context(), `create table plain (like events including indexes);
		create sequence places; alter table plain alter position set default nextval('places')`)
	if err != nil {
		b.Fatal(err)
	}
	return pool
}

// warm opens all connections of a pool, so that no race is about who connects first.
func warm(b *testing.B, pool *pgxpool.Pool, conns int) {
	for range conns {
		conn, err := pool.Acquire(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Release()
	}
}
