package projections

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// historyClass is what events have in common that are looked for by anything but whose they are.
type historyClass struct{ Kind, Type, Realm, Surface, Actor string }

// historyRow is what is kept of an event to find it by. Ids are zero where there are none.
type historyRow struct {
	class                       historyClass
	actor, request, correlation id.ID
}

// historyRowOf takes from metadata what there is: even what is none at all belongs to an event that is found.
func historyRowOf(e eventstore.Recorded) historyRow {
	var m domain.Meta
	_ = json.Unmarshal(e.Meta, &m)
	actor, individual := splitActor(m.Actor)
	return historyRow{
		class: historyClass{e.Stream.Kind, e.Type, kept(m.Realm), kept(m.Surface), kept(actor)},
		actor: individual, request: ulidOf(m.Request), correlation: ulidOf(m.Correlation),
	}
}

// splitActor parts "user/01J…" after the slash. What is no such thing is all class; a ULID has none.
func splitActor(actor string) (class string, individual id.ID) {
	slash := strings.LastIndexByte(actor, '/')
	if individual = ulidOf(actor[slash+1:]); individual.IsZero() {
		return actor, individual
	}
	return actor[:slash+1], individual
}

func ulidOf(text string) id.ID {
	of, _ := id.Parse(text)
	return of
}

// maxHistoryText is as much as is kept of a word of metadata, in bytes: they stand together in an index.
const maxHistoryText = 255

// kept is text that a database takes.
func kept(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), maxHistoryText)], "\x00", ""), "")
}

// counts is what an event is counted under.
func (r historyRow) counts(recorded time.Time) []historyCount {
	all := []historyCount{{"type", r.class.Realm, r.class.Type}, {"hour", r.class.Realm, hourOf(recorded)}}
	if actor := r.actorText(); actor != "" {
		all = append(all, historyCount{"actor", r.class.Realm, actor})
	}
	return all
}

type historyCount struct{ field, realm, key string }

func (r historyRow) actorText() string {
	if r.actor.IsZero() {
		return r.class.Actor
	}
	return r.class.Actor + r.actor.String()
}

func hourOf(at time.Time) string { return at.UTC().Truncate(time.Hour).Format(time.RFC3339) }

// Write adds events to the index, which follow those it has: in the transaction of a scribe, in one round trip.
func (h History) Write(ctx context.Context, tx pgx.Tx, events []eventstore.Recorded) error {
	w := newHistoryWriting()
	for _, e := range events {
		w.add(e)
	}
	batch := &pgx.Batch{}
	w.queue(batch, h)
	return tx.SendBatch(ctx, batch).Close()
}

// historyWriting is a part of the index that has yet to be written, column by column.
type historyWriting struct {
	classes                       map[historyClass]int32 // their places in the columns
	first                         []int64                // positions, by which they are named
	kinds, types, realms          []string
	surfaces, actors              []string
	positions                     []int64
	places                        []int32 // of the row's class
	actor, requests, correlations []*[16]byte
	hours                         []time.Time
	hourFirst                     []int64 // positions
	counts                        map[historyCount]int64
}

func newHistoryWriting() *historyWriting {
	return &historyWriting{classes: map[historyClass]int32{}, counts: map[historyCount]int64{}}
}

func (w *historyWriting) add(e eventstore.Recorded) {
	r := historyRowOf(e)
	w.positions, w.places = append(w.positions, e.Position), append(w.places, w.place(r.class, e.Position))
	w.actor = append(w.actor, nullable(r.actor))
	w.requests, w.correlations = append(w.requests, nullable(r.request)), append(w.correlations, nullable(r.correlation))
	if hour := e.RecordedAt.UTC().Truncate(time.Hour); len(w.hours) == 0 || !w.hours[len(w.hours)-1].Equal(hour) {
		w.hours, w.hourFirst = append(w.hours, hour), append(w.hourFirst, e.Position)
	}
	for _, c := range r.counts(e.RecordedAt) {
		w.counts[c]++
	}
}

func nullable(of id.ID) *[16]byte {
	if of.IsZero() {
		return nil
	}
	return (*[16]byte)(&of)
}

func (w *historyWriting) place(c historyClass, position int64) int32 {
	place, known := w.classes[c]
	if !known {
		place = int32(len(w.classes) + 1)
		w.classes[c] = place
		w.first = append(w.first, position)
		w.kinds, w.types, w.realms = append(w.kinds, c.Kind), append(w.types, c.Type), append(w.realms, c.Realm)
		w.surfaces, w.actors = append(w.surfaces, c.Surface), append(w.actors, c.Actor)
	}
	return place
}

// queue writes the classes first, since rows name those that are there, or were before.
func (w *historyWriting) queue(batch *pgx.Batch, h History) {
	batch.Queue(`insert into `+h.table("history_classes")+` (class, stream_kind, type, realm, surface, actor)
		select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
		on conflict (stream_kind, type, realm, surface, actor) do nothing`,
		w.first, w.kinds, w.types, w.realms, w.surfaces, w.actors)
	batch.Queue(`with named as materialized (select place, class from
			unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality as c (stream_kind, type, realm, surface, actor, place)
			join `+h.table("history_classes")+` using (stream_kind, type, realm, surface, actor))
		insert into `+h.table("history")+` (position, class, actor, request, correlation)
		select r.position, named.class, r.actor, r.request, r.correlation
		from unnest($6::bigint[], $7::int[], $8::uuid[], $9::uuid[], $10::uuid[]) as r (position, place, actor, request, correlation)
		left join named using (place)`,
		w.kinds, w.types, w.realms, w.surfaces, w.actors, w.positions, w.places, w.actor, w.requests, w.correlations)
	batch.Queue(`insert into `+h.table("history_hours")+` (hour, first) select * from unnest($1::timestamptz[], $2::bigint[])
		on conflict (hour) do nothing`, w.hours, w.hourFirst)
	fields, realms, keys, n := w.counted()
	batch.Queue(`insert into `+h.table("history_counts")+` as c (field, realm, key, events)
		select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
		on conflict (field, realm, key) do update set events = c.events + excluded.events`, fields, realms, keys, n)
}

func (w *historyWriting) counted() (fields, realms, keys []string, n []int64) {
	for c, events := range w.counts {
		fields, realms, keys, n = append(fields, c.field), append(realms, c.realm), append(keys, c.key), append(n, events)
	}
	return fields, realms, keys, n
}

// ClearHistory is SQL that empties the index, for the owner of its tables. The checkpoint is to be taken back after it, in
// the same transaction: so it waits for what a scribe has begun, and a scribe that begins meanwhile waits for it, and finds
// that it has lost its place. The tables are in the order in which a scribe writes to them, or both would wait for ever.
const ClearHistory = "truncate history_classes, history, history_hours, history_counts"
