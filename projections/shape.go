package projections

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// shape is what there is to know about a table to compare it.
type shape struct {
	name    string
	key     []column // the primary key's, in its order
	columns []column
}

type column struct{ name, typ string }

func (c column) quoted() string { return pgx.Identifier{c.name}.Sanitize() }

func shapeOf(ctx context.Context, db querier, schema, table string) (shape, error) {
	s := shape{name: table}
	rows, err := db.Query(ctx, `select a.attname::text, format_type(a.atttypid, a.atttypmod),
			coalesce(array_position(i.indkey::int2[], a.attnum), -1)::int
		from pg_attribute a join pg_index i on i.indrelid = a.attrelid and i.indisprimary
		where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped
		order by 3, a.attnum`, pgx.Identifier{schema, table}.Sanitize())
	if err != nil {
		return s, err
	}
	var one column
	var place int
	_, err = pgx.ForEachRow(rows, []any{&one.name, &one.typ, &place}, func() error {
		if s.columns = append(s.columns, one); place >= 0 {
			s.key = append(s.key, one)
		}
		return nil
	})
	if err == nil && len(s.key) == 0 {
		err = fmt.Errorf("%w: %s", errNoKey, table)
	}
	return s, err
}

// sql answers, for the next keys of either side, those rows that differ and the last one.
func (s shape) sql(old, new string, bounded bool) string {
	var keys, texts, bounds, cases []string
	for i, k := range s.key {
		keys, texts = append(keys, k.quoted()), append(texts, "k."+k.quoted()+"::text")
		bounds = append(bounds, fmt.Sprintf("$%d::text::%s", i+1, k.typ))
	}
	for _, c := range s.columns {
		cases = append(cases, fmt.Sprintf("case when %s then %s end", c.differs(), literal(c.name)))
	}
	where, key := "", strings.Join(keys, ", ")
	if bounded {
		where = "where (" + key + ") > (" + strings.Join(bounds, ", ") + ")"
	}
	side := func(schema string) string {
		return fmt.Sprintf("(select %[1]s from %[2]s %[3]s order by %[1]s limit %[4]d)", key, s.in(schema), where, compareChunk)
	}
	first := s.key[0].quoted()
	return fmt.Sprintf(`
with keys as (select * from (%[1]s union %[2]s) u order by %[3]s limit %[4]d),
rows as (select array[%[5]s] as key, row_number() over (order by %[6]s) as n, count(*) over () as total,
	case when l.%[7]s is null then 'new' when s.%[7]s is null then 'old' else '' end as side,
	array_remove(array[%[8]s], null) as columns
	from keys k left join %[9]s l using (%[3]s) left join %[10]s s using (%[3]s))
select key, side, case when side = '' then columns end, side <> '' or columns <> '{}', total
from rows where n = total or side <> '' or columns <> '{}' order by n`,
		side(old), side(new), key, compareChunk, strings.Join(texts, ", "), "k."+strings.Join(keys, ", k."), first,
		strings.Join(cases, ", "), s.in(old), s.in(new))
}

func (s shape) in(schema string) string { return pgx.Identifier{schema, s.name}.Sanitize() }

// differs compares what readers would see: not every type has an equality, or one that tells all apart.
func (c column) differs() string {
	return fmt.Sprintf("l.%[1]s::text is distinct from s.%[1]s::text", c.quoted())
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
