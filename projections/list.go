package projections

import (
	"cmp"
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
	Pairs   []Pair   // counted together
	// All has every row under the empty value as well, and copies of the columns that are filtered and sorted by. So a page
	// of those with a value is a part of one index, whatever else is asked of these columns: it needs one for each set of
	// those that are filtered by, in each order, that begins with the value. nil for a list whose filters are all of the
	// row itself; other tables of values have copies of what is sorted by.
	All *Values
	// Both has a row for each two values in All: their text with a space between them, the lesser first. It is what pages
	// of rows with both are read from, where nothing else is asked.
	Both *Values
}

// Column is one that rows may be filtered by.
type Column struct {
	Name     string
	Operator string  // between the column and the value; "" for =
	Counted  bool    // the rules count the rows of each of its values, which are few
	In       *Values // where its values are, where a row has several; nil for a column of the row itself
	Prefix   string  // of its values there
}

// Values is a table with a row for each value of each row of a list. Its primary key are Column and the list's Key.
type Values struct{ Table, Column string }

// Pair is two columns of which the rules count the rows of each two values.
type Pair [2]string

// field is how the counters name it.
func (p Pair) field() string { return p[0] + "+" + p[1] }

// Of is what the rules count a row with these two values under.
func (p Pair) Of(first, second any) Filter {
	return Filter{p.field(), Filter{Value: first}.text() + "+" + Filter{Value: second}.text()}
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

// condition is what a query asks of the rows, in the numbers of its arguments.
type condition struct {
	own   []string // of the row itself
	among []among  // of its values in other tables
}

// joined tells that no one index has the rows.
func (c condition) joined() bool { return len(c.among) > 1 }

// among are the rows that have a value in a table of values.
type among struct {
	Column
	value string   // SQL
	own   []string // of the copies in the same row
}

// where is SQL of what holds for a row of the table of values.
func (a among) where(table string) string {
	all := []string{table + "." + a.In.Column + " = " + a.value}
	for _, one := range a.own {
		all = append(all, table+"."+one)
	}
	return strings.Join(all, " and ")
}

// conditions are what holds for the rows of all pages.
func (l *List) conditions(q Query, args []any) (c condition, all []any, err error) {
	if l.Scope != "" {
		args = append(args, q.Scope)
		c.own = append(c.own, l.Scope+" = "+last(args))
	}
	for _, f := range l.narrowing(q.Filters) {
		column, err := l.filter(f)
		if err != nil {
			return c, nil, err
		}
		if column.In != nil {
			args = append(args, column.Prefix+f.text())
			c.among = append(c.among, among{Column: column, value: last(args)})
		} else {
			args = append(args, f.Value)
			c.own = append(c.own, column.Name+" "+column.operator()+" "+last(args))
		}
	}
	return c, args, nil
}

// narrowing puts filters in the order of the list's columns, and of several by one column the longest first.
func (l *List) narrowing(filters []Filter) []Filter {
	return slices.SortedStableFunc(slices.Values(filters), func(a, b Filter) int {
		return cmp.Or(cmp.Compare(l.place(a), l.place(b)), cmp.Compare(len(b.text()), len(a.text())))
	})
}

func (l *List) place(f Filter) int {
	return slices.IndexFunc(l.Filters, func(c Column) bool { return c.Name == f.Column })
}

func (l *List) filter(f Filter) (c Column, err error) {
	i := l.place(f)
	if i < 0 {
		return c, fmt.Errorf("projections: %s are not filtered by %q", l.Table, f.Column)
	}
	return l.Filters[i], nil
}

// paired is the condition by which two values are asked for as one, where nothing else is asked that knows them apart.
func (l *List) paired(c condition) condition {
	if l.Both == nil || len(c.own) > 0 || len(c.among) < 2 || c.among[0].In != l.All || c.among[1].In != l.All {
		return c
	}
	both := among{Column: Column{In: l.Both}, value: fmt.Sprintf(`least(%[1]s collate "C", %[2]s) || ' ' || greatest(%[1]s collate "C", %[2]s)`,
		c.among[0].value, c.among[1].value)}
	c.among = append([]among{both}, c.among[2:]...)
	return c
}

// led is the condition with all that it asks asked of tables of values, of which All comes first where what only it
// knows is asked for, or sorted by.
func (l *List) led(c condition, sortedBy []string) condition {
	known := len(c.own) == 0 && len(c.among) > 0 && (len(sortedBy) == 1 || c.among[0].In != l.Both)
	if l.All == nil || known {
		return c
	}
	i := slices.IndexFunc(c.among, func(a among) bool { return a.In == l.All })
	if i < 0 {
		i = len(c.among)
		c.among = append(c.among, among{Column: Column{In: l.All}, value: "''"})
	}
	c.among[i].own, c.own = c.own, nil
	c.among[0], c.among[i] = c.among[i], c.among[0]
	return c
}

// from is all rows of a condition: in the table of the first value if there is any, an index of which has them in the
// order of the page.
func (l *List) from(c condition) string {
	table, all := l.Table, slices.Concat([]string{"true"}, c.own)
	for i, a := range c.among {
		if i == 0 {
			table, all = a.In.Table, []string{a.where(a.In.Table)}
		} else {
			all = append(all, fmt.Sprintf("%s in (select %[1]s from %s other where %s)", l.Key, a.In.Table, a.where("other")))
		}
	}
	return table + " where " + strings.Join(all, " and ")
}

func (c Column) operator() string {
	if c.Operator == "" {
		return "="
	}
	return c.Operator
}

// last is how SQL names the last of the arguments.
func last(args []any) string { return "$" + strconv.Itoa(len(args)) }

// total counts the rows of all pages, which are from somewhere, or finds the counter that has done so.
func (l *List) total(q Query, from string, args []any) (string, []any) {
	of, counted := l.counter(l.narrowing(q.Filters))
	if !counted {
		return "select count(*) from " + from, args
	}
	args = append(args, l.scope(q.Scope), of.Column, of.text())
	n := len(args)
	return fmt.Sprintf("coalesce((select n from %s where scope = $%d and field = $%d and value = $%d), 0)", l.countsName(), n-2, n-1, n), args
}

// counter is what the rules count the rows under that filters leave.
func (l *List) counter(filters []Filter) (of Filter, counted bool) {
	switch len(filters) {
	case 0:
		return Filter{Value: ""}, true
	case 1:
		c, err := l.filter(filters[0])
		return filters[0], err == nil && c.Counted
	case 2:
		p := Pair{filters[0].Column, filters[1].Column}
		return p.Of(filters[0].Value, filters[1].Value), slices.Contains(l.Pairs, p)
	}
	return of, false
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
