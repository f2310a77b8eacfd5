package projections_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/scribe"
	"gesta/eventstore/wait"
	"gesta/projections"
)

// archive is a history in a database, with whoever writes its index and whoever asks it.
type archive struct {
	*testing.T
	store   *postgres.Store
	owner   *pgx.Conn
	history projections.History
	last    time.Time // at which an event was recorded
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	owner := pgtest.Database(t)
	url := pgtest.AppLogin(t, owner)
	store, err := postgres.Open(t.Context(), postgres.Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	reads, err := projections.Open(t.Context(), url, "gesta")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reads.Close)
	a := &archive{T: t, store: store, owner: pgtest.Connect(t, owner), last: time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)}
	a.history = projections.History{DB: &postgres.Lookups{Pool: reads}, Truth: "gesta"}
	a.exec("set search_path = gesta")
	return a
}

func (a *archive) exec(sql string, args ...any) {
	a.Helper()
	if _, err := a.owner.Exec(context.Background(), sql, args...); err != nil {
		a.Fatalf("%s: %v", sql, err)
	}
}

// told is an event with what is looked for.
type told struct {
	stream domain.Stream
	typ    string
	meta   any // as JSON
	after  time.Duration
}

// record adds events to the history, at times of their own.
func (a *archive) record(all ...told) []eventstore.Recorded {
	a.Helper()
	head, err := a.store.Head(a.Context())
	if err != nil {
		a.Fatal(err)
	}
	batch := &pgx.Batch{}
	for _, e := range all {
		meta, err := json.Marshal(e.meta)
		if err != nil {
			a.Fatal(err)
		}
		a.last = a.last.Add(e.after)
		batch.Queue(`insert into events select 1 + coalesce((select max(position) from events), 0), $1, $2,
			1 + (select count(*) from events where stream_id = $2 and stream_kind = $1), $3, $4, 1, '{}', null, $5, $6, $6`,
			e.stream.Kind, [16]byte(e.stream.ID), [16]byte(id.New(time.Now())), e.typ, string(meta), a.last)
	}
	if err := a.owner.SendBatch(a.Context(), batch).Close(); err != nil {
		a.Fatal(err)
	}
	events, err := a.store.Read(a.Context(), head.Position, len(all))
	if err != nil || len(events) != len(all) {
		a.Fatal(len(events), err)
	}
	return events
}

func (a *archive) scribe() *scribe.Scribe {
	return &scribe.Scribe{
		Name: projections.HistoryFollower, Store: a.store, Pool: a.store.Pool(), Write: a.history.Write, Log: slog.New(slog.DiscardHandler),
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
	}
}

// run writes the index until the test ends, or stop is called.
func (a *archive) run() (s *scribe.Scribe, stop func()) {
	s = a.scribe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			a.Error(err)
		}
	})
	a.Cleanup(stop)
	return s, stop
}

// level waits until the index has come to the end.
func (a *archive) level() {
	a.Helper()
	head, err := a.store.Head(a.Context())
	if err != nil {
		a.Fatal(err)
	}
	wait.Until(a, "the index is level", func() bool {
		at, err := a.history.Indexed(a.Context())
		if err != nil {
			a.Fatal(err)
		}
		return at == head.Position
	})
}

func (a *archive) events(q projections.HistoryQuery) projections.HistoryPage {
	a.Helper()
	p, err := a.history.Events(a.Context(), q)
	if err != nil {
		a.Fatalf("%+v: %v", q, err)
	}
	return p
}

func (a *archive) all() []eventstore.Recorded {
	a.Helper()
	all, err := a.store.Read(a.Context(), 0, 1<<20)
	if err != nil {
		a.Fatal(err)
	}
	return all
}

// What events of a random history are of.
var (
	ulids = func() (all []id.ID) {
		for n := range 6 {
			all = append(all, id.Named(fmt.Sprint("ulid", n)))
		}
		return all
	}()
	someKinds    = []string{"identity.user", "crm.customer", "unheard.of"}
	someTypes    = []string{"identity.user.registered", "identity.user.signed_in", "identity.user.signedXin", "crm.customer.created", `unheard.of.thing\%`}
	somePatterns = []string{"*", "identity.*", "identity.user.*", "*.created", "*user*", "identity.user.signed_in", "identity.user.signed_*", "crm.customer.created", `*\%`, "nothing.*", "nothing"}
	someRealms   = []string{"", "accounts", "promenade"}
	someFaces    = []string{"", "accounts", "cli"}
	someActors   = []string{"", "system", "policy/renew", "user/" + ulids[0].String(), "user/" + ulids[1].String(), "admin/" + ulids[0].String(), strings.ToLower("user/" + ulids[2].String())}
)

// random is a history of so many events, some of which say strange things of themselves.
func random(n int) (all []told) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for range n {
		m := map[string]any{"actor": pick(someActors), "realm": pick(someRealms), "surface": pick(someFaces), "request": "", "correlation": ""}
		request := ulids[r.IntN(len(ulids))].String()
		switch r.IntN(5) {
		case 0: // by nobody's request
			m["correlation"] = request
		case 1:
			m["request"] = request
		case 2:
			m["request"], m["correlation"] = request, ulids[r.IntN(len(ulids))].String()
		case 3:
			m["request"], m["correlation"] = request, request
		case 4:
			m["request"] = "no ULID"
		}
		e := told{stream: domain.Stream{Kind: pick(someKinds), ID: ulids[r.IntN(2)]}, typ: pick(someTypes), meta: m}
		switch r.IntN(20) {
		case 0:
			m["realm"] = "accounts\x00"
		case 1:
			m["actor"] = 7
		case 2:
			e.meta = []string{"no metadata"}
		case 3:
			m["surface"] = strings.Repeat("é", 300)
		}
		if r.IntN(40) == 0 {
			e.after = time.Duration(r.IntN(5000)) * time.Second
		} else if r.IntN(3) == 0 {
			e.after = time.Duration(r.IntN(3)) * time.Microsecond
		}
		all = append(all, e)
	}
	return all
}

// holds is what a query says, read off the event itself.
func holds(q projections.HistoryQuery, e eventstore.Recorded) bool {
	var m domain.Meta
	_ = json.Unmarshal(e.Meta, &m)
	m.Realm = strings.TrimSuffix(m.Realm, "\x00") // No text of a database holds it.
	is := func(wanted, has string) bool { return wanted == "" || wanted == has }
	same := func(wanted id.ID, has string) bool {
		of, err := id.Parse(has)
		return wanted.IsZero() || err == nil && wanted == of
	}
	pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(q.Type), `\*`, ".*") + "$")
	_, bare, _ := strings.Cut(m.Actor, "/")
	return (q.Stream == domain.Stream{} || q.Stream == e.Stream) && is(q.Kind, e.Stream.Kind) && (q.Type == "" || pattern.MatchString(e.Type)) &&
		(is(q.Realm, m.Realm) || q.Realm == projections.NoRealm && m.Realm == "") && is(q.Surface, m.Surface) && (is(q.Actor, m.Actor) || strings.EqualFold(q.Actor, m.Actor) || strings.EqualFold(q.Actor, bare)) &&
		same(q.Request, m.Request) && same(q.Correlation, m.Correlation) &&
		e.Position > q.After && (q.Before == 0 || e.Position < q.Before) &&
		!e.RecordedAt.Before(q.From) && (q.To.IsZero() || e.RecordedAt.Before(q.To))
}

func naive(all []eventstore.Recorded, q projections.HistoryQuery) (positions []int64) {
	for _, e := range all {
		if holds(q, e) {
			positions = append(positions, e.Position)
		}
	}
	if q.Descending {
		slices.Reverse(positions)
	}
	return positions
}

func asked(t *rapid.T, all []eventstore.Recorded) (q projections.HistoryQuery) {
	maybe := func(name string, what func()) {
		if rapid.IntRange(0, 3).Draw(t, name) == 0 {
			what()
		}
	}
	text := func(from []string) string { return rapid.SampledFrom(from).Draw(t, "text") }
	ulid := func() id.ID { return rapid.SampledFrom(ulids).Draw(t, "ulid") }
	position := func() int64 { return rapid.Int64Range(1, int64(len(all))+3).Draw(t, "position") }
	at := func() time.Time {
		e := rapid.SampledFrom(all).Draw(t, "event")
		return e.RecordedAt.Add(time.Duration(rapid.IntRange(-1100, 1100).Draw(t, "ns")))
	}
	maybe("stream", func() { q.Stream = domain.Stream{Kind: text(someKinds), ID: ulid()} })
	maybe("kind", func() { q.Kind = text(someKinds) })
	maybe("type", func() { q.Type = text(somePatterns) })
	maybe("realm", func() { q.Realm = text(append(someRealms, projections.NoRealm)) })
	maybe("surface", func() { q.Surface = text(append(someFaces, strings.Repeat("é", 300))) })
	maybe("actor", func() { q.Actor = text(append(someActors, ulids[0].String(), "user/"+ulids[5].String(), "nobody")) })
	maybe("request", func() { q.Request = ulid() })
	maybe("correlation", func() { q.Correlation = ulid() })
	maybe("after", func() { q.After = position() })
	maybe("before", func() { q.Before = position() })
	maybe("from", func() { q.From = at() })
	maybe("to", func() { q.To = at() })
	q.Descending = rapid.Bool().Draw(t, "descending")
	return q
}

// Whatever is asked for, all pages together are what a look at each event finds: each once, in order.
func TestAnyFiltersFindWhatALookAtEachEventFinds(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(700)...)
	a.run()
	a.level()
	all := a.all()
	rapid.Check(t, func(t *rapid.T) {
		q := asked(t, all)
		q.Limit = rapid.SampledFrom([]int{0, 1, 7, 1000}).Draw(t, "limit")
		want, limit := naive(all, q), q.Limit
		if limit == 0 {
			limit = 100
		}
		var got []int64
		for next, more := q, true; more; {
			p := a.events(next)
			for _, e := range p.Events {
				if got = append(got, e.Position); string(e.Meta) != string(all[e.Position-1].Meta) || e.ID != all[e.Position-1].ID {
					t.Fatalf("position %d is not as it is stored", e.Position)
				}
			}
			if len(p.Events) > limit || p.More && len(p.Events) < limit || p.More != (len(got) < len(want)) || p.Indexed != int64(len(all)) {
				t.Fatalf("%+v: a page of %d, more: %t, %d of %d, up to %d", next, len(p.Events), p.More, len(got), len(want), p.Indexed)
			}
			more, next = p.More, next.Beyond(p)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v:\n got %v\nwant %v", q, got, want)
		}
	})
}

// What a stream has is found at once, also where nothing is indexed.
func TestAStreamIsReadWithoutTheIndex(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(300)...)
	s := a.all()[150].Stream
	for _, q := range []projections.HistoryQuery{{}, {Limit: 1}, {Limit: 3, After: 20}, {Before: 200, Limit: 2}, {After: 50, Before: 250}, {After: 300}, {Before: 1}} {
		for _, q.Descending = range []bool{false, true} {
			q.Stream = s
			want, got := naive(a.all(), q), []int64(nil)
			for more := true; more; {
				p, err := a.history.Stream(t.Context(), q)
				if err != nil || len(p.Events) > max(q.Limit, projections.DefaultHistoryLimit) {
					t.Fatal(len(p.Events), err)
				}
				got, more, q = append(got, positionsOf(p.Events)...), p.More, q.Beyond(p)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v: %v, not %v", q, got, want)
			}
		}
	}
}
