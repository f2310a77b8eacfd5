// Package storetest is the exam that every eventstore.Store sits.
package storetest

import (
	"testing"

	"gesta/eventstore"
)

// question is one thing a store promises, asked of a store that holds nothing yet.
type question struct {
	promise string
	ask     func(t *testing.T, s eventstore.Store)
}

// Run asks every question in parallel, each of a store that open makes for it: an empty one that
// nobody else writes to, and that ends with the test.
func Run(t *testing.T, open func(t *testing.T) eventstore.Store) {
	for _, questions := range [][]question{events, versions, refusals, claims, answers, subjects, reads, models} {
		for _, q := range questions {
			t.Run(q.promise, func(t *testing.T) {
				t.Parallel()
				q.ask(t, open(t))
			})
		}
	}
}
