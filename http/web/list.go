package web

import (
	"cmp"
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
	// Read makes of the text the values that a row must have, all of them; nil for the text itself.
	Read func(text string) ([]string, error)
}

// Order is a word that rows may be sorted by.
type Order struct {
	Word string
	Sort projections.Sort
}

// sortParam tells clients of the words.
func sortParam(orders []Order) Param {
	p := Param{Name: "sort", Text: "What the items are sorted by, with a - the other way round; " + orders[0].Word + " if it is left out."}
	for _, o := range orders {
		p.Enum = append(p.Enum, o.Word)
	}
	return p
}

// Lists reads page and page_size, which default to the first page of the given size, and filters.
func Lists(size, maxSize int, filters ...Filter) Reading[projections.Query] {
	return Sorted(size, maxSize, nil, filters...)
}

// Sorted is Lists with a parameter for the order, of which the first is the one without it.
func Sorted(size, maxSize int, orders []Order, filters ...Filter) Reading[projections.Query] {
	page := Param{Name: "page", Text: "The page, counted from 1.", Least: 1, Most: math.MaxInt32, Default: 1}
	pageSize := Param{Name: "page_size", Text: "How many items a page has.", Least: 1, Most: maxSize, Default: size}
	all := []Param{page, pageSize}
	for _, one := range filters {
		all = append(all, one.Param)
	}
	if len(orders) > 0 {
		all = append(all, sortParam(orders))
	}
	return Reads(func(r *Request) (projections.Query, error) {
		var f Fields
		q := projections.Query{Page: projections.Page{Number: r.Number(&f, page), Size: r.Number(&f, pageSize)}}
		q.Filters = r.filters(&f, filters)
		q.Sort = r.sort(&f, orders)
		return q, f.InQuery()
	}).Asks(all...)
}

// filters are what the text of a filter asks for.
func (one Filter) filters(f *Fields, text string) (all []projections.Filter) {
	if one.Read == nil {
		return []projections.Filter{{Column: one.Column, Value: one.value(f, text)}}
	}
	values, err := one.Read(text)
	if err != nil {
		f.Refuse(one.Name, err.Error())
	}
	for _, v := range values {
		all = append(all, projections.Filter{Column: one.Column, Value: v})
	}
	return all
}

// InPath leaves those rows of a list that have a word of the path in the column of that name.
func InPath[W ~string](name string, parse func(string) (W, error)) func(*Request, projections.Query) (projections.Query, error) {
	return func(r *Request, q projections.Query) (projections.Query, error) {
		word, err := FromPath(r, name, parse)
		q.Filters = append(q.Filters, projections.Filter{Column: name, Value: string(word)})
		return q, err
	}
}

// Words are what a parameter may say.
func Words[W ~string](all []W) []string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return words
}

// sort is the order that is asked for.
func (r *Request) sort(f *Fields, orders []Order) projections.Sort {
	if len(orders) == 0 {
		return projections.Sort{}
	}
	p := sortParam(orders)
	word := cmp.Or(r.Query(p.Name), orders[0].Word)
	i := slices.Index(p.Enum, word)
	if i < 0 {
		f.Refuse(p.Name, "must be one of "+strings.Join(p.Enum, ", "))
		return projections.Sort{}
	}
	return orders[i].Sort
}

func (r *Request) filters(f *Fields, filters []Filter) (asked []projections.Filter) {
	for _, one := range filters {
		if text := r.Query(one.Name); text != "" {
			asked = append(asked, one.filters(f, text)...)
		}
	}
	return asked
}

// Word reads a parameter that has an Enum; "" where it is left out and need not be given.
func (r *Request) Word(f *Fields, p Param) string {
	text := r.Query(p.Name)
	if text != "" || p.Required {
		p.value(f, text)
	}
	return text
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

// Number reads a parameter that is one; its default where it is left out.
func (r *Request) Number(f *Fields, p Param) int {
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
