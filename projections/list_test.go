package projections_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
	"gesta/projections"
)

// listed is a world in which so many things are here, and one of each hundred there.
func listed(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t)
	if err := w.projector(things, projections.UsersProjection).Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.exec(`insert into things select md5(i::text)::uuid, case when i % 100 = 0 then 'there' else 'here' end,
		(array['a', 'b', 'c', 'd'])[1 + i % 4], i % 10, case when i % 5 = 0 then array['old', 'red'] else array['old'] end from generate_series(0, $1::int - 1) i`, n)
	w.exec(`insert into things_counts ` + counted["things_counts"])
	w.exec(`insert into users (id, realm, name, email, email_verified, phone, role, status, created_at, updated_at, version)
		select md5(i::text)::uuid, 'here', '', md5(i::text) || '@example.com', false, '+55', 'CU', case when i % 7 > 0 then 'active' else 'deactivated' end,
			now(), now(), 1 from generate_series(0, $1::int - 1) i`, n)
	w.exec(`insert into users_counts ` + counted["users_counts"])
	wait.Until(t, "all rows are known to be visible to all", func() bool { // As long as nobody who came by sees older ones.
		w.exec(`vacuum analyze things`)
		w.exec(`vacuum analyze users`)
		return w.ask1(`select count(*) from pg_class where oid in ('things'::regclass, 'users'::regclass) and relallvisible < relpages`) == 0
	})
	return w
}

func filter(column string, value any) projections.Filter {
	return projections.Filter{Column: column, Value: value}
}

func TestPagesAndTotals(t *testing.T) {
	t.Parallel()
	w := listed(t, 2000)
	for name, c := range map[string]struct {
		query       projections.Query
		rows, total int
		holds       func(thing) bool
	}{
		"no filter":                 {projections.Query{Scope: "here"}, 20, 1980, func(thing) bool { return true }},
		"elsewhere":                 {projections.Query{Scope: "there"}, 20, 20, func(thing) bool { return true }},
		"nowhere":                   {projections.Query{Scope: "nowhere"}, 0, 0, func(thing) bool { return false }},
		"a counted column":          {projections.Query{Scope: "here", Filters: []projections.Filter{filter("kind", "a")}}, 20, 480, func(o thing) bool { return o.Kind == "a" }},
		"a value that nothing has":  {projections.Query{Scope: "here", Filters: []projections.Filter{filter("kind", "x")}}, 0, 0, func(thing) bool { return false }},
		"a column that is not":      {projections.Query{Scope: "here", Filters: []projections.Filter{filter("size", 3)}}, 20, 200, func(o thing) bool { return o.Size == 3 }},
		"another operator":          {projections.Query{Scope: "here", Filters: []projections.Filter{filter("tags", []string{"red"})}}, 20, 380, func(o thing) bool { return o.Size%5 == 0 }},
		"two columns":               {projections.Query{Scope: "here", Filters: []projections.Filter{filter("kind", "a"), filter("size", 4)}}, 20, 100, func(o thing) bool { return o.Kind == "a" && o.Size == 4 }},
		"two that exclude another":  {projections.Query{Scope: "here", Filters: []projections.Filter{filter("kind", "a"), filter("size", 3)}}, 0, 0, func(thing) bool { return false }},
		"the last page":             {projections.Query{Scope: "there", Page: projections.Page{Number: 3, Size: 8}}, 4, 20, func(thing) bool { return true }},
		"a page behind the last":    {projections.Query{Scope: "there", Page: projections.Page{Number: 4, Size: 8}}, 0, 20, func(thing) bool { return true }},
		"a page far behind the end": {projections.Query{Scope: "here", Page: projections.Page{Number: 1<<31 - 1, Size: 100}}, 0, 1980, func(thing) bool { return true }},
	} {
		if c.query.Page == (projections.Page{}) {
			c.query.Page = projections.Page{Number: 1, Size: 20}
		}
		p, err := projections.Ask[thing](t.Context(), &postgres.Lookups{Pool: w.reads}, thingList, c.query)
		if err != nil || len(p.Rows) != c.rows || p.Total != c.total || p.Page != c.query.Page {
			t.Errorf("%s: %d rows of %d: %v", name, len(p.Rows), p.Total, err)
		}
		if i := slices.IndexFunc(p.Rows, func(o thing) bool { return !c.holds(o) }); i >= 0 {
			t.Errorf("%s: %+v", name, p.Rows[i])
		}
	}
}

// All pages together are all rows, each once, in order.
func TestPagesFollowEachOther(t *testing.T) {
	t.Parallel()
	w := listed(t, 400)
	order := map[string]func(a, b thing) bool{
		"":     func(a, b thing) bool { return strings.Compare(a.ID.UUID(), b.ID.UUID()) < 0 },
		"size": func(a, b thing) bool { return a.Size < b.Size || a.Size == b.Size && a.ID.UUID() < b.ID.UUID() },
	}
	for by, less := range order {
		for _, descending := range []bool{false, true} {
			var all []thing
			for number := 1; len(all) < 396; number++ {
				p, err := projections.Ask[thing](t.Context(), &postgres.Lookups{Pool: w.reads}, thingList, projections.Query{
					Scope: "here", Sort: projections.Sort{By: by, Descending: descending}, Page: projections.Page{Number: number, Size: 50},
				})
				if err != nil || len(p.Rows) == 0 {
					t.Fatalf("page %d by %q: %v", number, by, err)
				}
				all = append(all, p.Rows...)
			}
			for i := range all[1:] {
				if less(all[i], all[i+1]) == descending || all[i] == all[i+1] {
					t.Fatalf("by %q (descending: %t): %+v, %+v", by, descending, all[i], all[i+1])
				}
			}
		}
	}
}

// What a list does not know becomes no SQL.
func TestOnlyColumnsOfTheListAreAskedFor(t *testing.T) {
	t.Parallel()
	for _, q := range []projections.Query{
		{Filters: []projections.Filter{filter("size; drop table things", 1)}},
		{Filters: []projections.Filter{filter("kind", "a"), filter("id", 1)}},
		{Sort: projections.Sort{By: "kind"}},
	} {
		if _, _, err := thingList.SQL(q); err == nil {
			t.Errorf("%+v", q)
		}
	}
}

// plan is how Postgres answers a question, with parameters in view or by a plan that was made for any.
func (w *world) plan(l *projections.List, q projections.Query, mode string) (text string, pages int) {
	w.t.Helper()
	db := pgtest.Connect(w.t, w.url)
	sql, args, err := l.SQL(q)
	if err != nil {
		w.t.Fatal(err)
	}
	var literals []string
	for _, a := range args {
		literals = append(literals, fmt.Sprintf("'%v'", a))
	}
	for _, one := range []string{"set search_path = gesta_read", "set plan_cache_mode = " + mode, "prepare page as " + sql} {
		if _, err := db.Exec(w.t.Context(), one); err != nil {
			w.t.Fatal(err)
		}
	}
	rows, _ := db.Query(w.t.Context(), "explain (analyze, buffers, timing off) execute page("+strings.Join(literals, ", ")+")", pgx.QueryExecModeSimpleProtocol)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	touched := regexp.MustCompile(`shared hit=(\d+)(?: read=(\d+))?`).FindStringSubmatch(strings.Join(lines, "\n"))
	if touched == nil {
		w.t.Fatalf("%s", strings.Join(lines, "\n"))
	}
	var hit, read int
	_, _ = fmt.Sscan(touched[1], &hit)
	_, _ = fmt.Sscan(touched[2], &read)
	return strings.Join(lines, "\n"), hit + read
}

// The first pages and their totals take as much of a large table as of a small one, in whatever order, also by a plan
// that was made for any page: what is looked at is an index, so many rows, and a counter.
func TestCostOfAPage(t *testing.T) {
	t.Parallel()
	small, large := listed(t, 4000), listed(t, 40_000)
	here := projections.Query{Scope: "here"}
	nobody := projections.Query{Scope: "here", Filters: []projections.Filter{filter("role", "BO")}}
	inactive := projections.Query{Scope: "here", Filters: []projections.Filter{filter("active", false)}}
	bySize := projections.Query{Scope: "here", Sort: projections.Sort{By: "size"}}
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		for _, c := range []struct {
			list   *projections.List
			query  projections.Query
			number int
			most   int // pages of the server's
		}{
			{thingList, here, 1, 100},
			{thingList, here, 100, 130},
			{thingList, here, 1 << 30, 10},
			{thingList, bySize, 1, 100},
			{thingList, bySize, 100, 130},
			{projections.UsersPages, here, 1, 100},
			{projections.UsersPages, here, 100, 130},
			{projections.UsersPages, nobody, 1, 100},
			{projections.UsersPages, inactive, 1, 100},
			{projections.UsersPages, inactive, 20, 130},
		} {
			c.query.Page = projections.Page{Number: c.number, Size: 20}
			_, before := small.plan(c.list, c.query, mode)
			plan, after := large.plan(c.list, c.query, mode)
			if strings.Contains(plan, "Seq Scan on "+c.list.Table+" ") || after > c.most || after > before+20 {
				t.Errorf("%s %+v: %d pages of a small table, %d of a large one:\n%s", mode, c.query, before, after, plan)
			}
		}
	}
}
