package web

import (
	"context"
	"slices"
	"strings"
)

// Whole is a list that is kept in memory and shown without pages: all of it, or what is left by what its items are.
type Whole[T any] struct {
	All    []T
	Traits []Trait[T]
}

// Trait is a parameter of the query that leaves those items of a list that are so, in any case.
type Trait[T any] struct {
	Param
	Of func(T) string
}

// List is for the query alone. What nothing is like leaves an empty list, and is not refused: releases bring other words.
func (l Whole[T]) List() Handler { return l.ListOf("") }

// ListOf takes one of the traits from the path.
func (l Whole[T]) ListOf(param string) Handler {
	var params []Param
	for _, t := range l.Traits {
		if t.Name != param {
			params = append(params, t.Param)
		}
	}
	read := func(r *Request) (is []func(T) bool, err error) {
		var f Fields
		for _, t := range l.Traits {
			text := r.Query(t.Name)
			if t.Name == param {
				text = r.Param(param)
			}
			if text != "" || t.Name == param {
				t.value(&f, text)
				is = append(is, func(one T) bool { return strings.EqualFold(t.Of(one), text) })
			}
		}
		return is, f.in(ErrQuery)
	}
	return Handle(Reads(read).Asks(params...), l.find, func(found []T) []T { return found })
}

// find leaves what is all that is asked for.
func (l Whole[T]) find(_ context.Context, is []func(T) bool) ([]T, error) {
	return slices.DeleteFunc(slices.Clone(l.All), func(one T) bool {
		return slices.ContainsFunc(is, func(is func(T) bool) bool { return !is(one) })
	}), nil
}
