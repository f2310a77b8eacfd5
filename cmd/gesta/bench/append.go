package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
)

// How often and for how long each contestant has its turn.
const (
	rounds = 5
	turn   = time.Second
)

// appends compares the store with inserts into a table of the same columns and indexes that promises
// nothing: no order that readers can rely on, no versions, no claims.
func (l *lab) appends(ctx context.Context) error {
	s, closeStore, err := l.store(ctx)
	if err != nil {
		return err
	}
	defer closeStore()
	for _, w := range []struct {
		writers int
		target  target
		other   contest
	}{
		{1, atLeast(.75), contest{}},
		{8, atLeast(1.2), contest{}},
		{64, atLeast(2.5), contest{"one transaction each under a lock", 64, 1, insertingLocked, atLeast(12)}},
		{256, atLeast(4), contest{"one writer's 500-row INSERTs", 1, unnestRows, insertingMany, atLeast(.9)}},
	} {
		against := []contest{{"a plain INSERT each", w.writers, 1, inserting, w.target}}
		if w.other.against != "" {
			against = append(against, w.other)
		}
		if err := l.appendAgainst(ctx, s, w.writers, against); err != nil {
			return err
		}
	}
	return l.appendsWithMore(ctx, s)
}

// contest is another way to write rows, and how many times as fast the store has to be.
type contest struct {
	against       string
	writers, size int // how many write, and how many rows each at once
	start         func(*pgxpool.Pool) func() func(context.Context) error
	target        target
}

func (l *lab) appendAgainst(ctx context.Context, s *postgres.Store, many int, against []contest) error {
	all := []contestant{writers(many, 1, appending(s))}
	for _, c := range against {
		p, end, err := l.plain(ctx, c.writers)
		if err != nil {
			return err
		}
		defer end()
		all = append(all, writers(c.writers, c.size, c.start(p)))
	}
	took, err := turns(ctx, rounds, turn, all...)
	if err != nil {
		return err
	}
	for n, c := range against {
		l.rates("append", clients(many, "writer")+", against "+c.against, "events", took[0], took[n+1], c.target)
	}
	return nil
}

// appendsWithMore shows what else an append carries, against events alone.
func (l *lab) appendsWithMore(ctx context.Context, s *postgres.Store) error {
	const many = 64
	took, err := turns(ctx, 3, turn, writers(many, 1, appending(s)), writers(many, 1, appending(s, withClaim)),
		writers(many, 1, appending(s, withClaim, withKey)), writers(many, 1, appending(s, withClaim, withKey, withAnswer)))
	if err != nil {
		return err
	}
	for i, what := range []string{"a claim", "a claim and a subject's key", "a claim, a key and an idempotency record"} {
		l.rates("append", fmt.Sprintf("%d writers, each with %s, against events alone", many, what), "events", took[i+1], took[0], shown)
	}
	return nil
}

// rates adds a row of two rates.
func (l *lab) rates(part, what, of string, ours, reference []result, t target) {
	l.add(row{
		part: part, what: what, target: t, ratio: ratio(ours, reference, rate),
		ours: perSecond(medianOf(ours, rate), of), reference: perSecond(medianOf(reference, rate), of),
	})
}

func (l *lab) store(ctx context.Context) (*postgres.Store, func(), error) {
	i, err := l.database(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// plain is a table like that of the events, in a database of its own, with a connection for each writer.
func (l *lab) plain(ctx context.Context, connections int) (*pgxpool.Pool, func(), error) {
	i, err := l.database(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := pool(ctx, i.Owner, connections)
	if err != nil {
		return nil, nil, err
	}
	_, err = p.Exec(ctx, `create table plain (like gesta.events including indexes);
		create sequence places; alter table plain alter position set default nextval('places')`)
	return p, p.Close, err
}

func withClaim(a *eventstore.Append) {
	a.Writes[0].Take = []eventstore.Claim{{Name: eventstore.Hash(id.New(time.Now()))}}
}

func withKey(a *eventstore.Append) {
	a.Keys = []eventstore.SubjectKey{{Subject: id.New(time.Now()), Wrapped: make([]byte, 60)}}
}

func withAnswer(a *eventstore.Append) {
	a.Idempotency = &eventstore.Idempotency{
		Scope: "bench", Key: id.New(time.Now()).String(), Fingerprint: make([]byte, 32), Result: json.RawMessage(`{"id":"01J"}`),
	}
}

func appending(s eventstore.Store, with ...func(*eventstore.Append)) func() func(context.Context) error {
	return func() func(context.Context) error {
		w := &writer{}
		return func(ctx context.Context) error {
			a := eventstore.Append{Writes: []eventstore.Write{w.next()}}
			for _, add := range with {
				add(&a)
			}
			_, err := s.Append(ctx, a)
			return err
		}
	}
}

func inserting(p *pgxpool.Pool) func() func(context.Context) error {
	return func() func(context.Context) error {
		w := &writer{}
		return func(ctx context.Context) error {
			_, err := p.Exec(ctx, plainInsert, columns(w.next())...)
			return err
		}
	}
}

const plainInsert = `insert into plain (stream_kind, stream_id, version, event_id, type, schema, data, metadata,
	occurred_at, recorded_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())`

// insertingLocked is the usual way to dense positions: one transaction for each command, one at a time, in
// one round trip.
func insertingLocked(p *pgxpool.Pool) func() func(context.Context) error {
	return func() func(context.Context) error {
		w := &writer{}
		return func(ctx context.Context) error {
			batch := &pgx.Batch{}
			batch.Queue("select pg_advisory_xact_lock(1)")
			batch.Queue(lockedInsert, columns(w.next())...)
			return p.SendBatch(ctx, batch).Close()
		}
	}
}

const lockedInsert = `insert into plain (position, stream_kind, stream_id, version, event_id, type, schema, data,
	metadata, occurred_at, recorded_at)
	select (select coalesce(max(position), 0) + 1 from plain), $1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp()`

// unnestRows is how many rows one transaction of insertingMany has.
const unnestRows = 500

// insertingMany has the same rows to write as so many writers: as many streams that grow by turns.
func insertingMany(p *pgxpool.Pool) func() func(context.Context) error {
	return func() func(context.Context) error {
		many, n := make([]writer, 256), 0
		return func(ctx context.Context) error {
			var kinds, types []string
			var streams, ids [][16]byte
			var versions []int64
			var schemas []int32
			var data, metas []json.RawMessage
			var at []time.Time
			for range unnestRows {
				n++
				write := many[n%len(many)].next()
				e := write.Events[0]
				kinds, types = append(kinds, write.Stream.Kind), append(types, e.Type)
				streams, ids = append(streams, write.Stream.ID), append(ids, e.ID.ID)
				versions, schemas = append(versions, write.Expect+1), append(schemas, int32(e.Schema))
				data, metas = append(data, e.Data), append(metas, e.Meta)
				at = append(at, e.OccurredAt)
			}
			_, err := p.Exec(ctx, manyInsert, kinds, streams, versions, ids, types, schemas, data, metas, at)
			return err
		}
	}
}

const manyInsert = `insert into plain (stream_kind, stream_id, version, event_id, type, schema, data, metadata, occurred_at,
	recorded_at) select *, clock_timestamp() from unnest($1::text[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[],
	$6::int[], $7::json[], $8::json[], $9::timestamptz[])`

// writer fills one stream of twenty events after the other.
type writer struct{ write eventstore.Write }

// A row takes about 0.85 kB with its indexes.
var (
	eventData = json.RawMessage(`{"note":"` + string(bytes.Repeat([]byte("x"), 240)) + `"}`)
	eventMeta = json.RawMessage(`{"actor":"user/01J8Z3K5T9V7W2X4Y6Z8A0B1C2","realm":"bench","surface":"accounts",` +
		`"request":"01J8Z3K5T9V7W2X4Y6Z8A0B1C2","correlation":"01J8Z3K5T9V7W2X4Y6Z8A0B1C2"}`)
)

func (w *writer) next() eventstore.Write {
	now := time.Now()
	if w.write.Expect++; w.write.Stream.Kind == "" || w.write.Expect == 20 {
		w.write = eventstore.Write{Stream: domain.Stream{Kind: "bench.thing", ID: id.New(now)}}
	}
	w.write.Events = []eventstore.NewEvent{{
		ID: id.Event{ID: id.New(now)}, Type: "bench.thing.happened", Schema: 1,
		Data: eventData, Meta: eventMeta, OccurredAt: now,
	}}
	return w.write
}

func columns(w eventstore.Write) []any {
	e := w.Events[0]
	return []any{
		w.Stream.Kind, [16]byte(w.Stream.ID), w.Expect + 1, [16]byte(e.ID.ID), e.Type, e.Schema, e.Data, e.Meta,
		e.OccurredAt,
	}
}
