package projections

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// List is a table that is shown page by page. What clients may filter and sort by stands here: no word of theirs
// becomes SQL. Each of Sorts needs an index of Scope, the column and Key, and so does each filter whose pages are not
// to be looked for among all rows.
type List struct {
	Table   string
	Scope   string // the column of text that every question names a value of, as the realm; "" for none
	Key     string // the column with the id of the stream that a row is keyed by; rows are sorted by it last
	Shown   string // SQL of the columns that are shown, the key first
	Filters []Column
	Sorts   []string // columns that rows may be sorted by, beside Key
}

// Column is one that rows may be filtered by.
type Column struct {
	Name     string
	Operator string // between the column and the value; "" for =
	Counted  bool   // the rules count the rows of each of its values, which are few
}

// Filter leaves the rows with a value in a column.
type Filter struct {
	Column string
	Value  any
}

func (f Filter) text() string {
	if s, is := f.Value.(string); is {
		return s
	}
	return fmt.Sprint(f.Value)
}

// Sort is an order of rows; the zero Sort is that of the keys, which begin with the time they were made.
type Sort struct {
	By         string
	Descending bool
}

// Query asks for a page of those rows of a list that all filters leave.
type Query struct {
	Scope   string
	Filters []Filter
	Sort    Sort
	Page    Page
}

// of is the order by some columns of a table.
func (s Sort) of(table string, columns []string) string {
	direction := " asc"
	if s.Descending {
		direction = " desc"
	}
	return table + strings.Join(columns, direction+", "+table) + direction
}

// where is what holds for the rows of all pages.
func (l *List) where(q Query, args []any) (string, []any, error) {
	all := []string{"true"}
	if l.Scope != "" {
		args = append(args, q.Scope)
		all = append(all, l.Scope+" = "+last(args))
	}
	for _, f := range q.Filters {
		i := slices.IndexFunc(l.Filters, func(c Column) bool { return c.Name == f.Column })
		if i < 0 {
			return "", nil, fmt.Errorf("projections: %s are not filtered by %q", l.Table, f.Column)
		}
		args = append(args, f.Value)
		all = append(all, l.Filters[i].Name+" "+l.Filters[i].operator()+" "+last(args))
	}
	return strings.Join(all, " and "), args, nil
}

func (c Column) operator() string {
	if c.Operator == "" {
		return "="
	}
	return c.Operator
}

// last is how SQL names the last of the arguments.
func last(args []any) string { return "$" + strconv.Itoa(len(args)) }

// total counts the rows of all pages, or finds the counter that has done so.
func (l *List) total(q Query, where string, args []any) (string, []any) {
	var of Filter
	switch {
	case len(q.Filters) == 1 && l.counts(q.Filters[0]):
		of = q.Filters[0]
	case len(q.Filters) > 0:
		return "select count(*) from " + l.Table + " where " + where, args
	default:
		of.Value = ""
	}
	args = append(args, l.scope(q.Scope), of.Column, of.text())
	n := len(args)
	return fmt.Sprintf("coalesce((select n from %s where scope = $%d and field = $%d and value = $%d), 0)", l.countsName(), n-2, n-1, n), args
}

func (l *List) counts(f Filter) bool {
	return slices.ContainsFunc(l.Filters, func(c Column) bool { return c.Name == f.Column && c.Counted })
}

// order answers the columns that rows are sorted by.
func (l *List) order(s Sort) ([]string, error) {
	switch {
	case s.By == "", s.By == l.Key:
		return []string{l.Key}, nil
	case slices.Contains(l.Sorts, s.By):
		return []string{s.By, l.Key}, nil
	}
	return nil, fmt.Errorf("projections: %s are not sorted by %q", l.Table, s.By)
}
