package projections_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/eventstore/postgres/pgtest"
	"gesta/projections"
)

// Things are made in a place, change their kind, and go.
type (
	made struct {
		Place string `json:"place" privacy:"public"`
		Kind  string `json:"kind" privacy:"public"`
	}
	became struct {
		Place string `json:"place" privacy:"public"`
		From  string `json:"from" privacy:"public"`
		To    string `json:"to" privacy:"public"`
	}
	gone struct {
		Place string `json:"place" privacy:"public"`
		Kind  string `json:"kind" privacy:"public"`
	}
)

func (made) EventType() string   { return "test.thing.made" }
func (became) EventType() string { return "test.thing.became" }
func (gone) EventType() string   { return "test.thing.gone" }

var thingTypes = []domain.Type{domain.TypeOf[made](), domain.TypeOf[became](), domain.TypeOf[gone]()}

type thing struct {
	ID   id.ID
	Kind string
	Size int
}

var thingList = &projections.List{
	Table: "things", Scope: "place", Key: "id", Shown: "id, kind, size",
	Filters: []projections.Column{{Name: "kind", Counted: true}, {Name: "size"}, {Name: "tags", Operator: "@>"}},
	Sorts:   []string{"size"},
}

var things = projections.Projection{
	Name: "things",
	Tables: `create table things (id uuid primary key, place text not null, kind text not null, size int not null, tags text[] not null default '{}');
		create index on things (place, id); create index on things (place, size, id); ` + thingList.CountsTable(),
	Rules: []projections.Rule{
		projections.On(func(w projections.Write, e made) {
			w.Exec(`insert into things values ($1, $2, $3, 0)`, thingKey(w), e.Place, e.Kind)
			w.Counts(thingList, e.Place).Add(1, projections.Filter{Column: "kind", Value: e.Kind})
		}),
		projections.On(func(w projections.Write, e became) {
			w.Exec(`update things set kind = $2 where id = $1`, thingKey(w), e.To)
			w.Counts(thingList, e.Place).Move("kind", e.From, e.To)
		}),
		projections.On(func(w projections.Write, e gone) {
			w.Exec(`delete from things where id = $1`, thingKey(w))
			w.Counts(thingList, e.Place).Add(-1, projections.Filter{Column: "kind", Value: e.Kind})
		}),
	},
}

// allThings are in one place, which has no name.
var allThings = &projections.List{Table: "all_things", Key: "id", Shown: "id, kind, 0"}

var everywhere = projections.Projection{
	Name:   "everywhere",
	Tables: `create table all_things (id uuid primary key, kind text not null); ` + allThings.CountsTable(),
	Rules: []projections.Rule{
		projections.On(func(w projections.Write, e made) {
			w.Exec(`insert into all_things values ($1, $2)`, thingKey(w), e.Kind)
			w.OwnCounts(allThings).Add(1)
		}),
		projections.On(func(w projections.Write, _ gone) {
			w.Exec(`delete from all_things where id = $1`, thingKey(w))
			w.OwnCounts(allThings).Add(-1)
		}),
	},
}

func thingKey(w projections.Write) [16]byte { return w.Event.Stream.ID }

// drawLife draws what may happen to a thing or to a user, as their rules allow it.
func drawLife(t *rapid.T) history {
	h := history{Stream: drawnStream(t, rapid.SampledFrom([]string{"crm.customer", "identity.user", "test.thing"}).Draw(t, "kind"))}
	switch h.Stream.Kind {
	case "crm.customer":
		return h.with(t, drawCustomer(t, h.Stream.ID))
	case "identity.user":
		return h.with(t, drawUser(t, h.Stream.ID))
	}
	was := made{Place: word(t), Kind: word(t)}
	all := []domain.Event{was}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		to := word(t)
		all, was.Kind = append(all, became{Place: was.Place, From: was.Kind, To: to}), to
	}
	if rapid.Bool().Draw(t, "goes") {
		all = append(all, gone(was))
	}
	return h.with(t, all)
}

func drawUser(t *rapid.T, who id.ID) []domain.Event {
	all := []domain.Event{facts["identity.user"].begins[0](t, who)}
	is := identity.Active
	for range rapid.IntRange(0, 5).Draw(t, "changes") {
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			all = append(all, privacy.SubjectForgotten{SubjectID: privacy.SubjectID{ID: who}})
		case 1:
			all = append(all, identity.UserEmailChanged{UserID: identity.UserID{ID: who}, Email: email(t)})
		default:
			e, to := turn(t, is)
			all, is = append(all, e), to
		}
	}
	return all
}

// turn is something that can happen to a user of a status, and the one that he has then.
func turn(t *rapid.T, is identity.Status) (domain.Event, identity.Status) {
	switch {
	case is == identity.Active:
		to := rapid.SampledFrom([]identity.Status{identity.Inactive, identity.IsSuspended, identity.IsBanned}).Draw(t, "out")
		return map[identity.Status]domain.Event{
			identity.Inactive: identity.UserDeactivated{}, identity.IsSuspended: identity.UserSuspended{}, identity.IsBanned: identity.UserBanned{Was: is},
		}[to], to
	case is == identity.IsSuspended && rapid.Bool().Draw(t, "ban"):
		return identity.UserBanned{Was: is}, identity.IsBanned
	case is == identity.Inactive:
		is = ""
	}
	return identity.UserReactivated{Was: is}, identity.Active
}

// counted are the rows of some lists, counted one by one.
var counted = map[string]string{
	"users_counts": `select realm, '', '', count(*) from users group by 1
		union all select realm, 'role', role, count(*) from users group by 1, 3
		union all select realm, 'status', status, count(*) from users group by 1, 3
		union all select realm, 'active', active::text, count(*) from users group by 1, 3`,
	"things_counts":     `select place, '', '', count(*) from things group by 1 union all select place, 'kind', kind, count(*) from things group by 1, 3`,
	"customers_counts":  customersCounted,
	"all_things_counts": `select '', '', '', count(*) from all_things having count(*) > 0`,
}

// together is one text of all rows.
func together(questions []string) string {
	return `(select coalesce(string_agg(t::text, ' ' order by t::text), '') from (` + strings.Join(questions, " union all ") + `) t)`
}

// Counters say what counting would, and marks what customers do, after every transaction: whichever streams are parked and released, in whatever
// batches events come.
func TestCountersCount(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	o := newOrdering(t, url, "one", append([]projections.Projection{things, everywhere}, projections.All...))
	db := pgtest.Connect(t, url)
	if _, err := db.Exec(t.Context(), `set search_path = one_read`); err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for table, sql := range counted {
		have = append(have, `select '`+table+`', scope, field, value, n from `+table+` where n <> 0`)
		want = append(want, `select '`+table+`', * from (`+sql+`) t`)
	}
	for is, should := range customersMarked {
		have, want = append(have, is), append(want, should)
	}
	sql := `select ` + together(have) + `, ` + together(want)
	rows := 0
	o.after = func(rt *rapid.T) {
		var have, want string
		check(rt, db.QueryRow(rt.Context(), sql).Scan(&have, &want))
		if have != want {
			rt.Fatalf("%s, and should be %s", have, want)
		}
		rows += strings.Count(want, "(")
	}
	rapid.Check(t, func(rt *rapid.T) {
		o.rows(rt, rapid.SliceOfNDistinct(rapid.Custom(drawLife), 1, 8, func(h history) domain.Stream { return h.Stream }).Draw(rt, "lives"), true)
	})
	if o.parked == 0 || rows == 0 {
		t.Errorf("parked %d times, %d counters", o.parked, rows)
	}
}

// A rebuild holds the counters against those that it has counted itself.
func TestARebuildCountsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.projector(things)
	p.Vault.Catalogue = domain.NewCatalogue(thingTypes)
	w.run(p)
	for i := range 700 {
		s := domain.Stream{Kind: "test.thing", ID: id.Named(fmt.Sprint(i))}
		w.appendTo(s, 0, "test.thing.made", `{"place":"here","kind":"a"}`)
		if i%3 == 0 {
			w.appendTo(s, 1, "test.thing.became", `{"place":"here","from":"a","to":"b"}`)
		}
	}
	w.awaitStanding(934)
	w.rebuild(false, projections.Done)
	w.exec(`update things_counts set n = n + 1 where field = 'kind' and value = 'b'`)
	want := []projections.Difference{{Table: "things_counts", Key: []string{"here", "kind", "b"}, Columns: []string{"n"}}}
	if r := w.ended(w.ask(false)); r.State != projections.Different || !cmp.Equal(r.Detail.Differences, want) {
		t.Errorf("%+v", r)
	}
	if v := w.verify(p); !cmp.Equal(v.Differences, want) {
		t.Errorf("%+v", v)
	}
	w.rebuild(true, projections.Done)
	if n := w.ask1(`select n from things_counts where field = 'kind' and value = 'b'`); n != 234 {
		t.Errorf("%d", n)
	}
}

// Rules that count otherwise are other rules, also where they write the same.
func TestOtherCountersBuildTheReadModelsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.run(w.projector(things))
	stop()
	other := things
	other.Rules = append([]projections.Rule{projections.On(func(w projections.Write, e made) {
		w.Exec(`insert into things values ($1, $2, $3, 0)`, thingKey(w), e.Place, e.Kind)
		w.Counts(thingList, e.Place).Add(1)
	})}, things.Rules[1:]...)
	if v := w.verify(w.projector(things)); v.Stale {
		t.Errorf("%+v", v)
	}
	if v := w.verify(w.projector(other)); !v.Stale {
		t.Errorf("%+v", v)
	}
}
