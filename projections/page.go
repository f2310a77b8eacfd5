package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore/postgres"
)

// Paged is one page of rows, and how many there are on all pages.
type Paged[T any] struct {
	Rows  []T
	Page  Page
	Total int
}

// pageOf asks for a page in one statement, so that the total and the rows are of one moment. The total is read from a
// counter where what is filtered by, one column or a pair of them, is counted there, or nothing is; and counted otherwise.
// Where no one index has the rows, all that the filters leave are found to be counted, and the page is sorted out of
// these. How they are found is planned for the values that are asked for.
func pageOf[T any](ctx context.Context, db *postgres.Lookups, l *List, q Query) (Paged[T], error) {
	p := Paged[T]{Rows: []T{}, Page: q.Page}
	sql, args, joined, err := l.sql(q)
	if err != nil {
		return p, err
	}
	batch := &pgx.Batch{}
	if joined {
		batch.Queue(`select set_config('plan_cache_mode', 'force_custom_plan', true)`) // In the transaction of the batch.
	}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (one *T, err error) { return shown[T](row, &p.Total) })
		for _, one := range all {
			if one != nil {
				p.Rows = append(p.Rows, *one)
			}
		}
		return err
	})
	return p, understood(postgres.Ask(ctx, db.Pool, batch))
}

// shown reads a row behind the total; nil where there is the total alone, since a page is empty.
func shown[T any](row pgx.CollectableRow, total *int) (*T, error) {
	if row.RawValues()[1] == nil {
		return nil, row.Scan(append([]any{total}, make([]any, len(row.RawValues())-1)...)...)
	}
	return pgx.RowToAddrOfStructByPos[T](behind{row, total})
}

// behind is a row without its first column, which goes to total.
type behind struct {
	pgx.CollectableRow
	total *int
}

func (b behind) RawValues() [][]byte { return b.CollectableRow.RawValues()[1:] }

func (b behind) Scan(into ...any) error {
	return b.CollectableRow.Scan(slices.Insert(into, 0, any(b.total))...)
}

// sql finds the keys of the page in an index first, and looks only at the rows of these: of 200,000 users, the
// hundredth page of 20 takes 105 pages of the server's instead of 771, and the 7,500th half the time. A page behind
// the last one costs nothing. The rows are looked up one by one ("offset 0" keeps the planner from anything else) also
// by a plan that was made for any page, and expects a tenth of the table.
func (l *List) sql(q Query) (sql string, args []any, joined bool, err error) {
	columns, err1 := l.order(q.Sort)
	c, args, err2 := l.conditions(q, []any{q.Page.Size, q.Page.Offset()})
	c = l.led(l.paired(c), columns)
	from := l.from(c)
	total, args := l.total(q, from, args)
	with := "with"
	if c.joined() {
		with = fmt.Sprintf("with matching as materialized (select %s from %s),", strings.Join(columns, ", "), from)
		total, from = "select count(*) from matching", "matching where true"
	}
	return fmt.Sprintf(`%[1]s total as materialized (select (%[2]s)::bigint as n),
		page as (select %[3]s from %[5]s and (select n from total) > $2 order by %[6]s limit $1 offset $2)
		select total.n, shown.* from total left join (page cross join lateral
			(select %[7]s from %[4]s where %[4]s.%[8]s = page.%[8]s offset 0) shown) on true order by %[9]s`,
		with, total, strings.Join(columns, ", "), l.Table, from, q.Sort.of("", columns),
		l.Shown, l.Key, q.Sort.of("page.", columns)), args, c.joined(), errors.Join(err1, err2)
}

// within asks for a page of the few rows of a table that belong to an owner; none where there is no such owner.
// The first two arguments are the page's size and offset.
func within[T any](
	ctx context.Context, db *postgres.Lookups, page Page, none error, columns, table, owner, where, order string, args ...any,
) (Paged[T], error) {
	p := Paged[T]{Rows: []T{}, Page: page}
	sql := fmt.Sprintf(`with owner as materialized (%[1]s),
		owned as materialized (select %[2]s from %[3]s where %[4]s)
		select total.n, shown.* from (select count(*) as n from owned) total
		left join (select * from owned order by %[5]s limit $1 offset $2) shown on true
		where exists (select from owner) order by %[5]s`, owner, columns, table, where, order)
	found := false
	batch := &pgx.Batch{}
	batch.Queue(sql, append([]any{page.Size, page.Offset()}, args...)...).Query(func(rows pgx.Rows) (err error) {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (one *T, err error) { return shown[T](row, &p.Total) })
		for _, one := range all {
			found = true
			if one != nil {
				p.Rows = append(p.Rows, *one)
			}
		}
		return err
	})
	err := understood(postgres.Ask(ctx, db.Pool, batch))
	if err == nil && !found {
		err = none
	}
	return p, err
}
