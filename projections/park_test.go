package projections_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/wait"
	"gesta/projections"
)

// brittle counts hits of each stream, and can't take some names.
func brittle(mended *atomic.Bool) projections.Projection {
	return projections.Projection{
		Name: "hits",
		Tables: `create table hits (name text not null primary key, n bigint not null check (n < 1000), small smallint, large text);
			create index on hits (large)`,
		Rules: []projections.Rule{projections.On(func(w projections.Write, e hit) {
			n, small, large := any(1), 0, 0
			if !mended.Load() {
				switch e.Name {
				case "panic":
					panic("a secret")
				case "check":
					n = 1000
				case "range":
					n = "9999999999999999999"
				case "encode":
					small = 1 << 20
				case "index":
					large = 500
				}
			}
			w.Exec(`insert into hits select $1, $2::text::bigint, $3, string_agg(md5(i::text), '') from generate_series(1, $4) i
				on conflict (name) do update set n = hits.n + excluded.n, large = excluded.large`,
				w.Event.Stream.ID.String(), fmt.Sprint(n), small, large)
		})},
	}
}

// awaitStanding waits until the read models are at a position.
func (w *world) awaitStanding(position int64) (s projections.Standing) {
	w.t.Helper()
	wait.Until(w.t, fmt.Sprintf("at position %d", position), func() bool {
		var err error
		s, err = projections.Checkpoint(w.reads, "")(w.t.Context())
		return err == nil && s.Position == position
	})
	return s
}

func (w *world) parked() []projections.Parked {
	w.t.Helper()
	all, err := projections.ParkedStreams(w.t.Context(), w.reads, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// retry waits for the outcome of trying streams again.
func (w *world) retry(streams ...domain.Stream) {
	w.t.Helper()
	if _, err := projections.Retry(w.t.Context(), w.reads, streams...); err != nil {
		w.t.Fatal(err)
	}
	wait.Until(w.t, "tried again", func() bool {
		is, err := projections.IsRetried(w.t.Context(), w.reads)
		return err == nil && !is
	})
}

// An event that can't be written parks its stream and no other; what follows in it is held, and comes
// in order once the rule is mended.
func TestAPoisonedEventParksItsStream(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		`{"name":"panic"}`:     "the rule panicked with a string",
		`{"name":"check"}`:     "SQLSTATE 23514 table hits constraint hits_n_check",
		`{"name":"range"}`:     "SQLSTATE 22003",
		`{"name":"index"}`:     "SQLSTATE 54000",
		`{"name":"encode"}`:    "a value does not fit its column",
		`{"name":{"a":"b"}}`:   "data is no test.counter.hit of schema 1 in field name",
		`["a secret, no hit"]`: "data is no test.counter.hit of schema 1",
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var mended atomic.Bool
			p := w.projector(brittle(&mended))
			w.run(p)
			good, bad := stream("good"), stream("bad")
			w.appendTo(good, 0, "test.counter.hit", `{"name":"a"}`)
			w.appendTo(bad, 0, "test.counter.hit", `{"name":"b"}`)
			w.appendTo(bad, 1, "test.counter.hit", name)
			w.appendTo(good, 1, "test.counter.hit", `{"name":"a"}`)
			w.appendTo(bad, 2, "test.counter.hit", `{"name":"b"}`)
			if s := w.awaitStanding(5); !s.Parked {
				t.Errorf("%+v", s)
			}
			wait.Until(t, "all is well", func() bool { return p.Err() == nil })
			w.expect(5, 3)
			w.expectParked(bad, 3, says)
			w.retry()
			w.expectParked(bad, 3, says)
			mended.Store(true)
			w.retry(bad)
			if strings.Contains(says, "data is no") {
				w.expectParked(bad, 3, says)
				return
			}
			if parked := w.parked(); len(parked) > 0 {
				t.Errorf("still parked: %+v", parked)
			}
			w.expect(5, 5)
			w.appendTo(bad, 3, "test.counter.hit", `{"name":"b"}`)
			w.expect(6, 6)
		})
	}
}

func (w *world) expectParked(s domain.Stream, position int64, says string) {
	w.t.Helper()
	parked := w.parked()
	if len(parked) != 1 || parked[0].Stream != s || parked[0].Position != position || parked[0].Error != says {
		w.t.Errorf("parked: %+v", parked)
	}
}

// While programs are replaced, an older one may lead that can't read what a newer one has written: it must
// not be passed over for ever.
func TestANewerSchemaWaitsForANewerProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.projector(hits(1, "1"))
	stop := w.run(old)
	s := stream("s")
	_, err := w.store.Append(t.Context(), eventstore.Append{Writes: []eventstore.Write{{Stream: s, Events: []eventstore.NewEvent{{
		ID: id.Event{ID: id.New(time.Now())}, Type: "test.counter.hit", Schema: 2, Data: json.RawMessage(`{"name":"a"}`),
		Meta: json.RawMessage(`{}`), OccurredAt: time.Now(),
	}}}}})
	if err != nil {
		t.Fatal(err)
	}
	w.appendTo(s, 1, "test.counter.hit", `{"name":"a"}`)
	w.hits(3)
	w.expect(5, 3)
	w.expectParked(s, 1, "its schema is newer than this program")
	stop()
	newer := w.projector(hits(1, "1"))
	newer.Vault.Catalogue = domain.NewCatalogue([]domain.Type{domain.TypeOf[hit](domain.From(func(old hit) hit { return old }))})
	w.run(newer)
	wait.Until(t, "what was held is written", func() bool { return len(w.parked()) == 0 })
	w.expect(5, 5)
}

// More events are held than fit one transaction; one among them fails in its turn.
func TestAReleaseGoesOnInPartsAndStopsAtTheNextFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mended atomic.Bool
	bad := stream("bad")
	w.appendTo(bad, 0, "test.counter.hit", `{"name":"panic"}`)
	for version := range int64(700) {
		data := `{"name":"b"}`
		if version == 599 {
			data = `["damaged"]`
		}
		w.appendTo(bad, version+1, "test.counter.hit", data)
	}
	w.run(w.projector(brittle(&mended)))
	w.expect(701, 0)
	mended.Store(true)
	w.retry(bad)
	w.expectParked(bad, 601, "data is no test.counter.hit of schema 1")
	w.expect(701, 600)
}

// Each who asks is told of what was asked, however far the projector is with it and with what others ask.
func TestARetryAnswersWhatItAsksFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := stream("a"), stream("b")
	w.appendTo(b, 0, "test.counter.hit", `["damaged"]`)
	w.appendTo(a, 0, "test.counter.hit", `["damaged"]`)
	stop := w.run(w.projector(hits(1, "1")))
	w.awaitStanding(2)
	stop()
	for _, c := range []struct{ streams, asked []domain.Stream }{
		{[]domain.Stream{a}, []domain.Stream{a}},
		{[]domain.Stream{b, stream("c")}, []domain.Stream{b}},
		{nil, []domain.Stream{b, a}},
	} {
		all, err := projections.Retry(t.Context(), w.reads, c.streams...)
		var asked []domain.Stream
		for _, p := range all {
			asked = append(asked, p.Stream)
		}
		if err != nil || !slices.Equal(asked, c.asked) {
			t.Errorf("%v: %v, %v", c.streams, asked, err)
		}
	}
	first, err1 := projections.ParkedStreams(t.Context(), w.reads, 1)
	if n, err2 := projections.CountParked(t.Context(), w.reads); n != 2 || len(first) != 1 || first[0].Stream != b {
		t.Errorf("%d, %+v: %v %v", n, first, err1, err2)
	}
}

// What is wrong with the database is no event's fault.
func TestADamagedTableParksNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.projector(hits(1, "1"))
	w.run(p)
	w.hits(3)
	w.expect(3, 3)
	w.exec(`alter table hits rename to misses`)
	w.hits(1)
	wait.Until(t, "the projector says that it stands still", func() bool { return p.Err() != nil })
	if parked := w.parked(); len(parked) > 0 {
		t.Errorf("parked: %+v", parked)
	}
	w.exec(`alter table misses rename to hits`)
	w.expect(4, 4)
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.reads.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}
