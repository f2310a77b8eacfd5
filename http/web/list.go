package web

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gesta/projections"
)

// Filter is a parameter of the query that leaves those rows of a list that have its value in a column.
type Filter struct {
	Param
	Column string
}

// Lists reads page and page_size, which default to the first page of the given size, and filters.
func Lists(size, maxSize int, filters ...Filter) Reading[projections.Query] {
	page := Param{Name: "page", Text: "The page, counted from 1.", Least: 1, Most: math.MaxInt32, Default: 1}
	pageSize := Param{Name: "page_size", Text: "How many items a page has.", Least: 1, Most: maxSize, Default: size}
	all := []Param{page, pageSize}
	for _, one := range filters {
		all = append(all, one.Param)
	}
	return Reads(func(r *Request) (projections.Query, error) {
		var f Fields
		q := projections.Query{Page: projections.Page{Number: r.number(&f, page), Size: r.number(&f, pageSize)}}
		q.Filters = r.filters(&f, filters)
		return q, f.in(ErrQuery)
	}).Asks(all...)
}

// Filters reads those that are asked for, of a list that is shown whole.
func (r *Request) Filters(filters ...Filter) ([]projections.Filter, error) {
	var f Fields
	asked := r.filters(&f, filters)
	return asked, f.in(ErrQuery)
}

func (r *Request) filters(f *Fields, filters []Filter) (asked []projections.Filter) {
	for _, one := range filters {
		if text := r.Query(one.Name); text != "" {
			asked = append(asked, projections.Filter{Column: one.Column, Value: one.value(f, text)})
		}
	}
	return asked
}

// value is what a parameter's text stands for.
func (p Param) value(f *Fields, text string) any {
	switch {
	case p.Boolean && text != "true" && text != "false":
		f.Refuse(p.Name, "must be true or false")
	case p.Boolean:
		return text == "true"
	case p.Enum != nil && !slices.Contains(p.Enum, text):
		f.Refuse(p.Name, "must be one of "+strings.Join(p.Enum, ", "))
	}
	return text
}

func (r *Request) number(f *Fields, p Param) int {
	text := r.Query(p.Name)
	if text == "" {
		return p.Default
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < p.Least || n > p.Most {
		f.Refuse(p.Name, fmt.Sprintf("must be a number from %d to %d", p.Least, p.Most))
	}
	return n
}
