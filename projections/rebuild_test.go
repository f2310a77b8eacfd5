package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/wait"
	"gesta/projections"
)

func (w *world) rebuilds() projections.Rebuilds {
	return projections.Rebuilds{DB: w.reads, Schema: "gesta"}
}

func (w *world) ask(replace bool) int64 {
	w.t.Helper()
	number, err := w.rebuilds().Request(w.t.Context(), replace)
	if err != nil {
		w.t.Fatal(err)
	}
	return number
}

// ended waits for what becomes of a rebuild.
func (w *world) ended(number int64) (r projections.Rebuild) {
	w.t.Helper()
	wait.Until(w.t, "the rebuild ends", func() bool {
		var err error
		if r, err = w.rebuilds().Get(w.t.Context(), number); err != nil {
			w.t.Fatal(err)
		}
		return r.State.Ended()
	})
	return r
}

// rebuild asks for a rebuild, and checks what becomes of it.
func (w *world) rebuild(replace bool, want projections.RebuildState) {
	w.t.Helper()
	if r := w.ended(w.ask(replace)); r.State != want {
		w.t.Errorf("%+v", r)
	}
}

// lastEnded waits for what becomes of the rebuild that was asked for last.
func (w *world) lastEnded() (r projections.Rebuild) {
	w.t.Helper()
	wait.Until(w.t, "the last rebuild ends", func() bool {
		last, found, err := w.rebuilds().Last(w.t.Context())
		r = last
		return err == nil && found && r.State.Ended()
	})
	return r
}

// awaitFresh waits until what was asked for last is done, and no read model stands still.
func (w *world) awaitFresh() {
	w.t.Helper()
	wait.Until(w.t, "no read model stands still", func() bool {
		last, found, err1 := w.rebuilds().Last(w.t.Context())
		s, err2 := projections.Checkpoint(w.reads, "")(w.t.Context())
		return err1 == nil && err2 == nil && found && last.State == projections.Done && !s.Stale
	})
}

func (w *world) ask1(sql string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.reads.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// schemas waits until only these are left of the read models' schemas.
func (w *world) schemas(want ...string) {
	w.t.Helper()
	wait.Until(w.t, fmt.Sprintf("schemas %v", want), func() bool {
		rows, _ := w.reads.Query(w.t.Context(), `select nspname::text from pg_namespace where nspname like 'gesta_read%' order by 1`)
		have, err := pgx.CollectRows(rows, pgx.RowTo[string])
		return err == nil && slices.Equal(have, want)
	})
}

// While read models are rebuilt, again and again, nobody who reads notices: no question fails, none is
// answered from an older state than one before, and no event is lost or counted twice.
func TestRebuildsUnderLoad(t *testing.T) {
	t.Parallel()
	w, _ := populated(t, 1200)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var written atomic.Int64
	load.Go(func() {
		for ctx.Err() == nil {
			w.hits(30)
			w.awaitStanding(1200 + written.Add(30))
		}
	})
	for range 3 {
		load.Go(func() { w.readOn(ctx) })
	}
	for i := range 4 {
		w.rebuild(i%2 == 1, projections.Done)
	}
	stop()
	load.Wait()
	w.expect(1200+written.Load(), 1200+written.Load())
	w.schemas("gesta_read")
}

// readOn reads until ctx ends; every event is one hit, so that the two are always the same.
func (w *world) readOn(ctx context.Context) {
	var last int64
	for ctx.Err() == nil {
		var at, n int64
		err := w.reads.QueryRow(ctx, `select c.position, (select sum(n)::bigint from hits) from checkpoints c`).Scan(&at, &n)
		if ctx.Err() != nil {
			return
		}
		if err != nil || at != n || at < last {
			w.t.Errorf("%d hits at position %d after %d: %v", n, at, last, err)
			return
		}
		last = at
	}
}

func TestADifferenceKeepsTheOldReadModelsUntilTheyAreReplaced(t *testing.T) {
	t.Parallel()
	w, _ := populated(t, 9)
	w.exec(`update hits set n = 1000 where name = '0'`)
	w.exec(`delete from hits where name = '1'`)
	w.exec(`insert into hits values ('x', 1)`)
	want := []projections.Difference{
		{Table: "hits", Key: []string{"0"}, Columns: []string{"n"}},
		{Table: "hits", Key: []string{"1"}, Only: "new"},
		{Table: "hits", Key: []string{"x"}, Only: "old"},
	}
	r := w.ended(w.ask(false))
	if r.State != projections.Different || !cmp.Equal(r.Detail.Differences, want) {
		t.Errorf("%+v", r)
	}
	w.expect(9, 1004)
	w.schemas("gesta_read")
	if r := w.ended(w.ask(true)); r.State != projections.Done || r.Position != 9 {
		t.Errorf("%+v", r)
	}
	w.expect(9, 9)
	w.hits(1)
	w.expect(10, 10)
}

// More rows than are compared at once, of a table whose key has two columns.
func TestDifferencesAreFoundInLargeTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.projector(projections.Projection{
		Name:   "pairs",
		Tables: `create table pairs (a int not null, b text not null, extra json, primary key (b, a))`,
		Rules: []projections.Rule{projections.On(func(w projections.Write, e hit) {
			w.Exec(`insert into pairs select i, $1::text || i % 7, '{"a": 1}' from generate_series(1, 2500) i`, e.Name)
		})},
	}))
	w.hits(3)
	w.awaitStanding(3)
	w.exec(`update pairs set extra = '{"a":1}' where a = 7 and b = '20'`)
	w.exec(`delete from pairs where a = 2500 and b = '21'`)
	want := []projections.Difference{
		{Table: "pairs", Key: []string{"20", "7"}, Columns: []string{"extra"}},
		{Table: "pairs", Key: []string{"21", "2500"}, Only: "new"},
	}
	if r := w.ended(w.ask(false)); r.State != projections.Different || !cmp.Equal(r.Detail.Differences, want) {
		t.Errorf("%+v", r)
	}
	w.exec(`delete from pairs`)
	if r := w.ended(w.ask(false)); len(r.Detail.Differences) != 100 {
		t.Errorf("%d differences are told", len(r.Detail.Differences))
	}
}

// Types without equality, with one that takes different values for the same, or of a schema's own; and keys of
// which not all sort as their text does.
func TestDifferencesAreFoundInColumnsOfAnyType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.projector(projections.Projection{
		Name: "types",
		Tables: `create type mood as enum ('good', 'bad');
			create table types (at timestamptz not null, n numeric(9, 2) not null, f float8 not null, name text collate "C" not null,
				spot point, area box, note json, mood mood, loud text generated always as (name || '!') stored, maybe int,
				primary key (f, at, name, n))`,
		Rules: []projections.Rule{projections.On(func(w projections.Write, _ hit) {
			w.Exec(`insert into types select timestamptz '2026-01-01 00:00:00.000001Z' + i * interval '1 hour', i / 7.0, sin(i), chr(60 + i % 30),
				point(i, 1), box(point(0, 0), point(i, 1)), '{"a": 1}', 'good' from generate_series(1, 4500) i`)
		})},
	})
	w.run(p)
	w.hits(1)
	w.awaitStanding(1)
	w.rebuild(false, projections.Done)
	changed := map[string]string{"spot": `point(1, 2)`, "area": `box(point(0, 0), point(1, sqrt(area(area))))`, "note": `'{"a":1}'`, "mood": `'bad'`, "maybe": `0`}
	for column, value := range changed {
		w.exec(`update types set ` + column + ` = ` + value + ` where f = sin(4000)`)
		r := w.ended(w.ask(false))
		if d := r.Detail.Differences; r.State != projections.Different || len(d) != 1 || !slices.Equal(d[0].Columns, []string{column}) {
			t.Errorf("%s: %+v", column, r)
		}
		w.ended(w.ask(true))
	}
}

// tally is hits in another table.
func tally(revision int) projections.Projection {
	return projections.Projection{
		Name: "tally", Revision: revision,
		Tables: `create table tally (single int not null primary key, n bigint not null)`,
		Rules: []projections.Rule{projections.On(func(w projections.Write, _ hit) {
			w.Exec(`insert into tally values (1, $1) on conflict (single) do update set n = tally.n + excluded.n`, revision)
		})},
	}
}

// While one read model is built by new rules and another for the first time, a third goes on; what was
// written to it by other hands keeps all as it is.
func TestUnchangedReadModelsGoOnWhileOthersAreBuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.run(w.projector(hits(1, "1"), tally(1)))
	w.hits(20)
	w.expect(20, 20)
	w.exec(`update hits set n = 8 where name = '0'`) // it was 7
	stop()
	stop = w.run(w.projector(hits(1, "1"), tally(2)))
	r := w.lastEnded()
	if r.State != projections.Different || len(r.Detail.Differences) != 1 {
		t.Errorf("%+v", r)
	}
	w.hits(1)
	w.expect(21, 22)
	if n := w.ask1(`select n from tally`); n != 20 {
		t.Errorf("what waits for a rebuild was written: %d", n)
	}
	if s := w.awaitStanding(21); !s.Stale {
		t.Errorf("%+v", s)
	}
	w.exec(`update hits set n = 8 where name = '0'`)
	stop()
	w.run(w.projector(hits(1, "1"), tally(2))) // The same rules don't ask again.
	w.hits(1)
	w.expect(22, 22)
	if last, _, err := w.rebuilds().Last(t.Context()); err != nil || last.ID != r.ID {
		t.Errorf("asked again: %+v %v", last, err)
	}
	w.rebuild(false, projections.Done)
	w.awaitFresh()
	w.expect(22, 22)
	if n := w.ask1(`select n from tally`); n != 44 {
		t.Errorf("%d", n)
	}
}

// interrupting is a store that ends everything when it is asked for the nth time.
type interrupting struct {
	eventstore.Store
	left *atomic.Int64
	end  func()
}

func (i interrupting) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	i.asked()
	return i.Store.Read(ctx, after, limit)
}

func (i interrupting) Head(ctx context.Context) (eventstore.Head, error) {
	i.asked()
	return i.Store.Head(ctx)
}

func (i interrupting) asked() {
	if i.left.Add(-1) == 0 {
		i.end()
	}
}

// Wherever a rebuild is interrupted, it comes to the same end.
func TestARebuildIsInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hits(1200)
	total, interrupted := int64(1200), 0
	for n := range 24 {
		number := w.ask(n%2 == 0)
		ctx, cancel := context.WithCancel(t.Context())
		p := w.projector(hits(1, "1"))
		left := &atomic.Int64{}
		left.Store(int64(n/2) + 1)
		p.Store = interrupting{w.store, left, cancel}
		go func() {
			defer cancel()
			w.waitFor(ctx, number)
		}()
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if left.Load() <= 0 {
			interrupted++
		}
		w.hits(2)
		total += 2
		stop := w.run(w.projector(hits(1, "1")))
		if r := w.ended(number); r.State != projections.Done {
			t.Errorf("%+v", r)
		}
		w.expect(total, total)
		stop()
	}
	if interrupted < 10 {
		t.Errorf("interrupted only %d times", interrupted)
	}
	w.run(w.projector(hits(1, "1")))
	w.schemas("gesta_read")
}

// waitFor returns when the rebuild has ended, or ctx.
func (w *world) waitFor(ctx context.Context, number int64) {
	for {
		r, err := w.rebuilds().Get(ctx, number)
		if err != nil || r.State.Ended() {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
}

// balky is a store that can't be read beyond a position.
type balky struct {
	eventstore.Store
	end int64
}

func (b balky) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	if after+int64(limit) > b.end {
		return nil, eventstore.ErrUnavailable
	}
	return b.Store.Read(ctx, after, limit)
}

// A projector that no longer leads may find out late: what the one that does has ended stays ended, what
// it builds is not dropped, and nothing else is put in place.
func TestARebuildThatSomebodyElseHasEndedIsLeft(t *testing.T) {
	t.Parallel()
	for n := range int64(5) { // A rebuild asks so often, at least.
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, stop := populated(t, 600)
			stop()
			number := w.ask(true)
			p := w.projector(hits(1, "1"))
			left := &atomic.Int64{}
			left.Store(n + 1)
			p.Store = interrupting{w.store, left, func() { w.exec(`update gesta.rebuilds set state = 'failed'`) }}
			w.run(p)
			w.ended(number)
			w.schemas("gesta_read")
			if r := w.ended(number); r.State != projections.Failed || w.ask1(`select rebuild from checkpoints`) != 0 {
				t.Errorf("%+v is in place", r)
			}
		})
	}
}

// heads is a store of which somebody wants to know how often its head was asked for.
type heads struct {
	eventstore.Store
	asked func(times int64)
	times *atomic.Int64
}

func (h heads) Head(ctx context.Context) (eventstore.Head, error) {
	head, err := h.Store.Head(ctx)
	h.asked(h.times.Add(1))
	return head, err
}

// A projector from which the read models were taken over puts nothing in the place of what the other writes:
// readers would be taken back.
func TestReadersAreNotTakenBackByWhoWasTakenOverFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hits(10)
	p := w.projector(hits(1, "1"))
	stop := w.run(p)
	w.expect(10, 10)
	stop()
	var other *projections.Hand
	turn, reached := w.ask1(`select turn from checkpoints`), int64(10)
	p.Store = heads{w.store, func(times int64) {
		switch times {
		case 1: // The rebuild begins.
			wait.Until(t, "the projector writes", func() bool { return w.ask1(`select turn from checkpoints`) > turn })
			var err error
			if other, err = projections.ByHand(t.Context(), w.projector(hits(1, "1"))); err != nil {
				t.Error(err)
			}
			wait.Until(t, "it notices that another does", func() bool { return p.Err() != nil })
		case 2: // It looks for the end of the history for the last time.
			w.hits(1)
			events, err := w.store.Read(t.Context(), 10, 1)
			if err == nil && other.Apply(t.Context(), events) == nil {
				reached = 11
			}
		}
	}, &atomic.Int64{}}
	number := w.ask(true)
	w.run(p)
	if r := w.ended(number); r.State != projections.Done || r.Position < reached {
		t.Errorf("taken back from %d: %+v", reached, r)
	}
	_ = other.Close(context.Background())
}

// Whoever wrote read models that were replaced is refused by those in their place.
func TestARebuiltSchemaKnowsNoEarlierTurn(t *testing.T) {
	t.Parallel()
	w, _ := populated(t, 3)
	before := w.ask1(`update checkpoints set turn = turn + 1000 returning turn`)
	w.ended(w.ask(true))
	if after := w.ask1(`select turn from checkpoints`); after <= before {
		t.Errorf("turn %d follows %d", after, before)
	}
}

func TestAGapIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hand := byHand(t, w.projector(hits(1, "1")))
	w.hits(3)
	events, err := w.store.Read(t.Context(), 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := hand.Apply(t.Context(), events[1:]); err == nil {
		t.Error("event 2 was written before event 1")
	}
	if err := hand.Apply(t.Context(), events); err != nil {
		t.Error(err)
	}
	w.expect(3, 3)
}

func TestWhatIsBeingRebuiltIsNotSweptAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.projector(hits(1, "1"))
	hand := byHand(t, p)
	w.ask(false)
	w.exec(`create schema gesta_read_next`)
	for _, left := range []int64{1, 0} {
		if err := hand.Sweep(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if n := w.ask1(`select count(*) from pg_namespace where nspname = 'gesta_read_next'`); n != left {
			t.Errorf("%d are left, not %d", n, left)
		}
		w.exec(`update gesta.rebuilds set state = 'failed'`)
	}
}

// What was filled for a request is kept for it, and for no other, and only where the rules are the same.
func TestARebuildGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then projections.Projection
		ends string
		sum  int64
	}{
		"the same rules": {hits(1, "1"), "", 1700},
		"other rules":    {hits(2, "1"), "", 700},
		"another asks":   {hits(1, "1"), `update gesta.rebuilds set state = 'failed'`, 700},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hits(700)
			p := w.projector(hits(1, "1"))
			p.Store = balky{w.store, 600}
			stop := w.run(p)
			w.expect(700, 700)
			number := w.ask(true)
			wait.Until(t, "some is filled", func() bool {
				_, err := w.reads.Exec(t.Context(), `update gesta_read_next.hits set n = n + 1000 where name = '0'`)
				return err == nil && w.ask1(`select position from gesta_read_next.checkpoints`) == 600
			})
			stop()
			w.exec(`update gesta_read_next.hits set n = 1200 where name = '0'`)
			if c.ends != "" {
				w.exec(c.ends)
				number = w.ask(true)
			}
			w.run(w.projector(c.then))
			w.ended(number)
			w.awaitFresh()
			w.expect(700, c.sum)
		})
	}
}

// Read models of another history stand still and say so; only replacing them helps.
func TestAForkIsHealedByReplacing(t *testing.T) {
	t.Parallel()
	for name, position := range map[string]int64{"within": 5, "beyond": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, stop := populated(t, 10)
			stop()
			w.exec(`update checkpoints set position = $1, event_id = $2`, position, [16]byte(id.Named("another history")))
			p := w.projector(hits(1, "1"))
			w.run(p)
			wait.Until(t, "the projector says that it is forked", func() bool {
				forked := (*checkpoint.Forked)(nil)
				return errors.As(p.Err(), &forked)
			})
			w.rebuild(false, projections.Failed)
			w.rebuild(true, projections.Done)
			w.expect(10, 10)
			w.hits(1)
			w.expect(11, 11)
		})
	}
}

// Damage heals by replacing as well, and books that are lost or kept otherwise by themselves.
func TestDamageIsHealed(t *testing.T) {
	t.Parallel()
	for _, damage := range []string{
		`drop table hits`, `drop table built`, `alter table checkpoints drop column turn`, `delete from checkpoints`,
	} {
		t.Run(damage, func(t *testing.T) {
			t.Parallel()
			w, stop := populated(t, 10)
			stop()
			w.exec(damage)
			w.hits(1)
			w.run(w.projector(hits(1, "1")))
			if damage == `drop table hits` {
				w.ask(true)
			}
			w.expect(11, 11)
		})
	}
}

func TestATableWithoutKeyIsRefused(t *testing.T) {
	t.Parallel()
	w, stop := populated(t, 1)
	stop()
	bad := projections.Projection{Name: "bad", Tables: `create table bad (n int)`}
	w.run(w.projector(hits(1, "1"), bad))
	wait.Until(t, "the rebuild fails", func() bool {
		r, _, err := w.rebuilds().Last(t.Context())
		return err == nil && r.State == projections.Failed
	})
	w.hits(1)
	w.expect(2, 2)
}

// A rule that is mended releases what it could not write.
func TestAMendedRuleReleasesParkedStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var broken, mended atomic.Bool
	mended.Store(true)
	was := brittle(&broken)
	was.Name, was.Tables = "brittle", `create table brittle (name text not null primary key, n bigint)`
	was.Rules = []projections.Rule{projections.On(func(w projections.Write, e hit) {
		if e.Name == "bad" {
			panic("bad")
		}
		w.Exec(`insert into brittle values ($1, 1) on conflict (name) do update set n = brittle.n + 1`, e.Name)
	})}
	is := was
	is.Revision, is.Rules = 1, []projections.Rule{projections.On(func(w projections.Write, e hit) {
		w.Exec(`insert into brittle values ($1, 1) on conflict (name) do update set n = brittle.n + 1`, e.Name)
	})}
	s := stream("s")
	stop := w.run(w.projector(hits(1, "1"), was))
	for version, name := range []string{"good", "bad", "good"} {
		w.appendTo(s, int64(version), "test.counter.hit", fmt.Sprintf(`{"name":%q}`, name))
	}
	w.expect(3, 1)
	stop()
	w.run(w.projector(hits(1, "1"), is))
	w.awaitFresh()
	w.expect(3, 3)
	if parked := w.parked(); len(parked) > 0 || w.ask1(`select sum(n)::bigint from brittle`) != 3 {
		t.Errorf("%+v", parked)
	}
}

// New rules that can't write what is there would hold back streams that are seen now: the old read models
// are kept, until it is said that they are not to be.
func TestRulesThatParkMoreStreamsAreNotLetIn(t *testing.T) {
	t.Parallel()
	w, stop := populated(t, 9)
	stop()
	w.run(w.projector(hits(1, "1"), tally(1).After(func(r eventstore.Recorded) {
		if r.Position > 6 {
			panic("not these")
		}
	})))
	r := w.lastEnded()
	if r.State != projections.Different || len(r.Detail.Differences) != 3 || len(w.parked()) > 0 {
		t.Errorf("%+v", r)
	}
	w.expect(9, 9)
	w.ended(w.ask(true))
	w.expect(9, 6)
	if parked := w.parked(); len(parked) != 3 {
		t.Errorf("%+v", parked)
	}
	if s := w.awaitStanding(9); s.Stale || !s.Parked {
		t.Errorf("%+v", s)
	}
}

// pages notes the largest page that was read of a store.
type pages struct {
	eventstore.Store
	largest *atomic.Int64
}

func (p pages) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	for was := p.largest.Load(); int64(limit) > was && !p.largest.CompareAndSwap(was, int64(limit)); was = p.largest.Load() {
	}
	return p.Store.Read(ctx, after, limit)
}

func TestARebuildWorksInSmallPiecesWhileOthersRead(t *testing.T) {
	t.Parallel()
	w, stop := populated(t, 1200)
	for _, c := range []struct {
		read bool
		page int64
	}{{true, 101}, {false, 501}} {
		stop()
		if !c.read {
			if _, err := w.reads.Exec(t.Context(), "drop schema gesta_read cascade"); err != nil {
				t.Fatal(err)
			}
		}
		p, largest := w.projector(hits(1, "1")), &atomic.Int64{}
		p.Store = pages{w.store, largest}
		stop = w.lead(p)
		if c.read {
			w.rebuild(false, projections.Done)
		}
		w.expect(1200, 1200)
		if n := largest.Load(); n != c.page {
			t.Errorf("read by others %t: a page of %d, not %d", c.read, n, c.page)
		}
	}
}

// Read models that are gone are away until they are there again as a whole: what is half filled would be
// taken for all there is. What became of earlier rebuilds is no reason to leave them away.
func TestLostReadModelsAreNotSeenHalfFilled(t *testing.T) {
	t.Parallel()
	for _, lose := range []string{
		`drop schema gesta_read cascade`, `delete from gesta_read.checkpoints`, `drop table gesta_read.built`,
	} {
		t.Run(lose, func(t *testing.T) {
			t.Parallel()
			w, stop := populated(t, 1300)
			w.exec(`update gesta_read.hits set n = 0`)
			w.rebuild(false, projections.Different)
			w.rebuild(true, projections.Done)
			stop()
			w.exec(lose)
			w.lead(w.projector(hits(1, "1")))
			wait.Until(t, "they are there again", func() bool {
				var sum, position int64
				err := w.reads.QueryRow(t.Context(), `select (select coalesce(sum(n), 0) from hits), (select position from checkpoints)`).Scan(&sum, &position)
				if err == nil && sum != 1300 {
					t.Fatalf("%d hits are seen", sum)
				}
				return err == nil && position == 1300
			})
		})
	}
}
