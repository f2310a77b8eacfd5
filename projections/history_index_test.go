package projections_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/wait"
	"gesta/projections"
)

// written is the whole index, as text.
func (a *archive) written() (rows []string) {
	a.Helper()
	for _, table := range []string{"history_classes", "history", "history_hours", "history_counts"} {
		got, err := a.owner.Query(a.Context(), "select '"+table+" ' || t::text from "+table+" t order by 1")
		if err != nil {
			a.Fatal(err)
		}
		some, err := pgx.CollectRows(got, pgx.RowTo[string])
		if err != nil {
			a.Fatal(err)
		}
		rows = append(rows, some...)
	}
	return rows
}

// clear takes the index away as `gesta audit rebuild` does.
func (a *archive) clear() {
	a.Helper()
	err := pgx.BeginFunc(a.Context(), a.owner, func(tx pgx.Tx) error {
		_, err := tx.Exec(a.Context(), projections.ClearHistory+"; delete from checkpoints where follower = '"+projections.HistoryFollower+"'")
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
}

func (a *archive) findings() (all []string) {
	a.Helper()
	if _, err := a.history.Verify(a.Context(), a.store, func(f string) { all = append(all, f) }); err != nil {
		a.Fatal(err)
	}
	return all
}

func TestAnIndexThatIsThrownAwayComesBackTheSame(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(300)...)
	_, stop := a.run()
	a.level()
	a.record(random(50)...)
	a.level()
	before := a.written()
	a.clear()
	a.level()
	if after := a.written(); !slices.Equal(before, after) {
		t.Errorf("%d rows came back as %d", len(before), len(after))
	}
	stop()
	a.exec(projections.ClearHistory)
	a.exec("delete from checkpoints where follower = 'history'")
	a.run()
	a.level()
	if after := a.written(); !slices.Equal(before, after) {
		t.Errorf("%d rows came back as %d", len(before), len(after))
	}
}

// Somebody throws it away again and again while it is written.
func TestAnIndexIsThrownAwayWhileItIsWritten(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.run()
	for range 10 {
		a.record(random(40)...)
		a.clear()
	}
	a.level()
	if found := a.findings(); len(found) > 0 {
		t.Error(found)
	}
}

func TestASoundIndexIsFoundToBeSo(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	if found := a.findings(); len(found) > 0 {
		t.Errorf("an empty one: %q", found)
	}
	a.record(random(700)...)
	for range 1200 {
		a.record(told{stream: stream("hourly"), typ: "a", meta: map[string]string{"realm": "accounts"}, after: time.Hour})
	}
	a.record(random(1500)...)
	a.run()
	a.level()
	if found := a.findings(); len(found) > 0 {
		t.Errorf("%q", found)
	}
}

func TestWhatIsWrongWithAnIndexIsFound(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(300)...)
	a.record(told{stream: stream("hourly"), typ: "last", meta: map[string]string{"realm": "accounts", "actor": "user/" + ulids[0].String()}, after: time.Hour})
	_, stop := a.run()
	a.level()
	stop()
	for _, wrong := range []struct{ do, finding string }{
		{"delete from history where position = 17", "position 17 is not in the index"},
		{"update history set actor = gen_random_uuid() where position = 301", "position 301 is not in the index as what it is"},
		{"update history set class = (select max(class) from history_classes where class <> history.class) where position = 9", "position 9 is not in the index as what it is"},
		{"update history set request = gen_random_uuid() where position = 3", "position 3 is not in the index as what it is"},
		{"update history set correlation = gen_random_uuid() where position = 4", "position 4 is not in the index as what it is"},
		{"insert into history select 302, class from history where position = 1", "the index ends at position 302, and says that it has come to 301"},
		{"update history_counts set events = events + 1 where field = 'type' and key = 'last'", `events by type in realm "accounts", last: 2 are counted, of 1`},
		{"update history_hours set first = first - 1 where first > 1", "an hour does not begin where the index says so"},
		{"update history_hours set first = first + 1 where first = 1", "an hour does not begin where the index says so"},
		{"delete from history_hours where first > 1", "1 hours begin in the index, of "},
		{"delete from history_counts where field = 'type' and key = 'last'", `events by type in realm "accounts", last: 0 are counted, of 1`},
		{"insert into history_counts values ('type', 'x', 'y', 1)", `events by type in realm "x", y: 1 are counted, of none`},
		{"update history_counts set events = events + 1 where field = 'hour' and realm = 'accounts'", `events by hour in realm "accounts", 2026-0`},
		{"insert into history_counts values ('hour', 'x', '2026-01-01T00:00:00Z', 1)", "by hour 302 events are counted, of 301"},
		{"update history_counts set events = events - 1 where field = 'actor' and realm = '' and key = 'system'", `events by actor in realm "", system: `},
		{"insert into history_counts values ('actor', 'x', 'y', 5)", `events by actor in realm "x", y: 5 are counted, of 0`},
		{"delete from history_counts where field = 'actor' and realm = 'promenade' and key = 'system'", "by actor "},
	} {
		a.exec("create table kept as select * from history; create table kept_counts as select * from history_counts; create table kept_hours as select * from history_hours")
		a.exec(wrong.do)
		if found := a.findings(); !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, wrong.finding) }) {
			t.Errorf("%s: %q", wrong.do, found)
		}
		a.exec("truncate history_hours; insert into history_hours select * from kept_hours; drop table kept_hours; truncate history, history_counts; insert into history select * from kept; insert into history_counts select * from kept_counts; drop table kept, kept_counts")
	}
	if found := a.findings(); len(found) > 0 {
		t.Errorf("mended: %q", found)
	}
}

// Where the store has another history than was indexed, nothing is answered, and the scribe says why it stops.
func TestAnIndexOfAnotherHistory(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(10)...)
	_, stop := a.run()
	a.level()
	stop()
	a.exec("alter table events disable trigger events_are_facts")
	a.exec("update events set event_id = gen_random_uuid() where position = 10")
	s, _ := a.run()
	wait.Until(t, "the scribe says so", func() bool {
		forked := (*checkpoint.Forked)(nil)
		return errors.As(s.Err(), &forked)
	})
	_, err := a.history.Events(t.Context(), projections.HistoryQuery{})
	if fault := (*domain.Fault)(nil); !errors.As(err, &fault) || fault.Code != "history_forked" || fault.Kind != domain.Unavailable {
		t.Error(err)
	}
	a.clear()
	a.level()
	if p := a.events(projections.HistoryQuery{}); len(p.Events) != 10 {
		t.Error(len(p.Events))
	}
}

// Waiting ends when the position is reached, and after two seconds in any case.
func TestWaitingForAPosition(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(10)...)
	begin := time.Now()
	err := a.history.Await(t.Context(), 10)
	if fault := (*domain.Fault)(nil); !errors.As(err, &fault) || fault.Code != "position_not_reached" || time.Since(begin) < 2*time.Second {
		t.Error(err, time.Since(begin))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.history.Await(ctx, 10); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	a.run()
	a.level()
	if err := a.history.Await(t.Context(), 10); err != nil {
		t.Error(err)
	}
}

// Pages end where the history ended when the first was read, whatever is added meanwhile.
func TestPagesAreStableWhileEventsAreAdded(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(200)...)
	a.run()
	a.level()
	for _, q := range []projections.HistoryQuery{{Limit: 30}, {Limit: 30, Descending: true}, {Limit: 7, Type: "identity.*"}, {Limit: 7, Type: "identity.*", Descending: true}} {
		want := naive(a.all(), q)
		var got []int64
		for p, err := range a.history.Pages(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range p.Events {
				got = append(got, e.Position)
			}
			a.record(random(5)...)
			a.level()
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %d events of %d", q, len(got), len(want))
		}
	}
}

// A tail shows each event once, those there are and those that come, and ends with its context.
func TestATailShowsWhatComes(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(60)...)
	a.run()
	for _, q := range []projections.HistoryQuery{{Limit: 10}, {Limit: 10, Realm: "accounts"}, {Stream: domain.Stream{Kind: "crm.customer", ID: ulids[0]}}, {Type: "nothing"}} {
		ctx, cancel := context.WithCancel(t.Context())
		var got []int64
		var empty atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			for p, err := range a.history.Tail(ctx, q) {
				if err != nil {
					t.Error(err)
				}
				if len(p.Events) == 0 {
					empty.Add(1)
				}
				for _, e := range p.Events {
					got = append(got, e.Position)
				}
			}
		}()
		for range 3 {
			seen := empty.Load()
			wait.Until(t, "nothing comes any more", func() bool { return empty.Load() > seen+2 })
			a.record(random(25)...)
			a.level()
		}
		seen := empty.Load()
		wait.Until(t, "all has come", func() bool { return empty.Load() > seen+2 })
		cancel()
		<-done
		if want := naive(a.all(), q); !slices.Equal(got, want) {
			t.Errorf("%+v: %d events of %d", q, len(got), len(want))
		}
	}
}

// The range begins and ends with the first of several events of the same time.
func TestTimesAreFoundAtTheEndsAndAmongEqualOnes(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	first := a.last
	q := func(from, to time.Time) []int64 {
		var got []int64
		for _, e := range a.events(projections.HistoryQuery{From: from, To: to}).Events {
			got = append(got, e.Position)
		}
		return got
	}
	none := time.Time{}
	if got := q(first, first.Add(time.Hour)); len(got) > 0 {
		t.Errorf("an empty history has %d", got)
	}
	e := told{stream: stream("s"), typ: "t", meta: domain.Meta{}}
	second := e
	second.after = time.Second
	a.record(e, e, e, second, e, second) // At 0, 0, 0, 1, 1 and 2 s.
	at := func(seconds int) time.Time { return first.Add(time.Duration(seconds) * time.Second) }
	for _, c := range []struct {
		from, to time.Time
		want     string
	}{
		{none, none, "[1 2 3 4 5 6]"},
		{at(0), none, "[1 2 3 4 5 6]"},
		{at(-1), at(9), "[1 2 3 4 5 6]"},
		{none, at(0), "[]"},
		{at(0), at(1), "[1 2 3]"},
		{at(1), at(2), "[4 5]"},
		{at(1).Add(-time.Nanosecond), at(2), "[4 5]"},
		{at(0).Add(time.Nanosecond), at(1).Add(time.Nanosecond), "[4 5]"},
		{at(2), none, "[6]"},
		{at(3), none, "[]"},
		{at(2), at(1), "[]"},
		{time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), "[1 2 3 4 5 6]"},
	} {
		if got := fmt.Sprint(q(c.from, c.to)); got != c.want {
			t.Errorf("%s to %s: %s, not %s", c.from, c.to, got, c.want)
		}
	}
}

// A position that no event will ever have is beyond all of them.
func TestBeyondAllPositions(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.record(random(20)...)
	a.run()
	a.level()
	for _, q := range []projections.HistoryQuery{{}, {Stream: a.all()[0].Stream}, {Kind: "identity.user"}, {Actor: "user/" + ulids[0].String()}, {Request: ulids[0]}} {
		q.After = math.MaxInt64
		if p := a.events(q); len(p.Events) > 0 || p.More {
			t.Errorf("%+v: %d events", q, len(p.Events))
		}
		q.After, q.Before = 0, math.MaxInt64
		if got, want := positionsOf(a.events(q).Events), naive(a.all(), q); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, not %v", q, got, want)
		}
	}
}

// caused is an event that says what caused it.
func caused(by eventstore.Recorded, request, correlation id.ID) told {
	m := domain.Meta{Correlation: correlation.String(), Actor: "policy/p"}
	if !request.IsZero() {
		m.Request = request.String()
	}
	if !by.ID.IsZero() {
		m.Causation = by.ID.String()
	}
	return told{stream: stream("s"), typ: "t", meta: m}
}

func shape(all []*projections.Caused) (text string) {
	for _, one := range all {
		text += fmt.Sprint(one.Event.Position)
		if len(one.Caused) > 0 {
			text += "(" + shape(one.Caused) + ")"
		}
		text += " "
	}
	return strings.TrimSpace(text)
}

func TestARequestIsATreeOfWhatItCaused(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	r, other := ulids[0], ulids[1]
	none := eventstore.Recorded{}
	e := a.record(caused(none, r, r), caused(none, other, other), caused(none, r, r))                        // 1, 2, 3
	e = append(e, a.record(caused(e[2], id.ID{}, r), caused(e[0], id.ID{}, r), caused(e[1], id.ID{}, r))...) // 4, 5, 6: the last is caused by another request's
	a.record(caused(e[4], id.ID{}, r), caused(e[4], r, other), caused(e[1], id.ID{}, other))                 // 7, 8, 9
	self := a.record(caused(none, r, r))[0]                                                                  // 10
	a.exec("alter table events disable trigger events_are_facts")
	a.exec(`update events set metadata = json_build_object('correlation', $1::text, 'causation', $2::text) where position = 10`, r.String(), self.ID.String())
	a.run()
	a.level()
	for of, want := range map[id.ID]string{r: "1(5(7 8)) 3(4) 6 10", other: "2(9) 8", ulids[2]: ""} {
		tree, err := a.history.Request(t.Context(), of)
		if err != nil || shape(tree.Roots) != want || tree.More || tree.Indexed != 10 {
			t.Errorf("%s: %s, not %s: %v", of, shape(tree.Roots), want, err)
		}
	}
}

func TestALongRequestSaysThatThereIsMore(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	for range 1001 {
		a.record(caused(eventstore.Recorded{}, ulids[0], ulids[0]))
	}
	a.run()
	a.level()
	tree, err := a.history.Request(t.Context(), ulids[0])
	if err != nil || !tree.More || tree.Events != 1000 || len(tree.Roots) != 1000 {
		t.Error(tree.More, tree.Events, len(tree.Roots), err)
	}
}
