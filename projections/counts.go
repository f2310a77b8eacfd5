package projections

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// countsName is the table of a list's counters: of all rows of each scope, where field and value are empty, and of
// those with each value of a counted column. It is one of the projection's own tables, so that it is compared, built
// anew and put in place with the rows that it counts.
func (l *List) countsName() string { return l.Table + "_counts" }

// CountsTable is SQL that creates the counters.
func (l *List) CountsTable() string {
	return `create table ` + l.countsName() + ` (
		scope text not null, field text not null, value text not null, n bigint not null, primary key (scope, field, value))`
}

// scope is how the counters name one.
func (l *List) scope(named string) string {
	if l.Scope == "" {
		return ""
	}
	return named
}

// Counts adds to the counters of a list, in one scope.
type Counts struct {
	list  *List
	scope string
	row   [16]byte // in whose scope, where none is named
	added tallies
}

// Counts adds to the counters of a scope, which is anything for a list without one.
func (w Write) Counts(l *List, scope string) Counts {
	return Counts{list: l, scope: l.scope(scope), added: w.counts}
}

// OwnCounts adds to the counters of the scope that the event's own row has at the end of the batch. It is for events
// that don't say in which scope they happened, on rows that neither go nor change it. Without a row nothing is added.
func (w Write) OwnCounts(l *List) Counts {
	c := Counts{list: l, added: w.counts}
	if l.Scope != "" {
		c.row = w.key()
	}
	return c
}

// Add counts n rows more, with the values that they have in counted columns; for a row that goes, n is -1.
func (c Counts) Add(n int64, values ...Filter) {
	c.add(n, "", "")
	for _, v := range values {
		c.add(n, v.Column, v.text())
	}
}

// Move counts a row under another value of a column than before.
func (c Counts) Move(column string, from, to any) {
	c.add(-1, column, Filter{Value: from}.text())
	c.add(1, column, Filter{Value: to}.text())
}

func (c Counts) add(n int64, field, value string) {
	c.added[counter{c.list, c.scope, c.row, field, value}] += n
}

// counter is one row of a list's counters.
type counter struct {
	list         *List
	scope        string
	row          [16]byte
	field, value string
}

// tallies are gathered while the rules write about a batch, so that a counter is written once for all of it: in one
// transaction each version of a row is passed by who looks for the next one. One to which nothing is added in the end
// is written as well, or its row would be there in some batches and not in others.
//
// While a snapshot is open elsewhere, as that of a dump, versions can't be removed, and each batch that counts passes
// those that batches before it have left: with 20,000 of them it takes 0.3 ms. Batches grow meanwhile.
type tallies map[counter]int64

// queue adds to the counters, one statement for each list.
func (t tallies) queue(batch *pgx.Batch) {
	for l, a := range t.byList() {
		batch.Queue(l.countsSQL(), a.scopes, a.rows, a.fields, a.values, a.n)
	}
}

// additions are tallies of one list, column by column.
type additions struct {
	scopes, fields, values []string
	rows                   [][16]byte
	n                      []int64
}

func (t tallies) byList() map[*List]*additions {
	lists := map[*List]*additions{}
	for c, n := range t {
		a := lists[c.list]
		if a == nil {
			a = &additions{}
			lists[c.list] = a
		}
		a.scopes, a.rows, a.n = append(a.scopes, c.scope), append(a.rows, c.row), append(a.n, n)
		a.fields, a.values = append(a.fields, c.field), append(a.values, c.value)
	}
	return lists
}

// countsSQL finds the scope of those that have no other than their row's.
func (l *List) countsSQL() string {
	scope, rows := "d.scope", ""
	if l.Scope != "" {
		scope = "coalesce(r." + l.Scope + ", d.scope)"
		rows = fmt.Sprintf("left join %s r on r.%[2]s = d.key where r.%[2]s is not null or d.key = '00000000-0000-0000-0000-000000000000'", l.Table, l.Key)
	}
	return fmt.Sprintf(`insert into %[1]s (scope, field, value, n)
		select %[2]s, d.field, d.value, sum(d.n)::bigint
		from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bigint[]) d (scope, key, field, value, n) %[3]s group by 1, 2, 3
		on conflict (scope, field, value) do update set n = %[1]s.n + excluded.n`, l.countsName(), scope, rows)
}

// texts say what is added to what.
func (t tallies) texts() (all []string) {
	for c, n := range t {
		all = append(all, fmt.Sprintf("%q %q %q %d", c.list.countsSQL(), c.field, c.value, n))
	}
	slices.Sort(all)
	return all
}
