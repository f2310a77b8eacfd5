package domain

import (
	"slices"
	"time"
)

// Aggregate is how a stream of one kind is folded by whoever does not know the type of its state. Each
// context lists its aggregates once.
type Aggregate struct {
	Kind   string // of its streams, as in "identity.user"
	Zero   any    // the state of an empty past
	evolve func(state any, e Event, at time.Time) any
}

// AggregateOf describes the streams of a kind by the state S that they are folded into, and that can be shown.
func AggregateOf[S interface {
	State[S]
	Showing
}](kind string,
) Aggregate {
	var zero S
	return Aggregate{
		Kind: kind, Zero: zero,
		evolve: func(state any, e Event, at time.Time) any { return state.(S).Evolve(e, at) },
	}
}

// Evolve is what e means for a state, which is Zero or what Evolve answered before.
func (a Aggregate) Evolve(state any, e Event, at time.Time) any { return a.evolve(state, e, at) }

// Aggregates holds those of all contexts by kind.
type Aggregates map[string]Aggregate

// NewAggregates joins the lists of all contexts. A kind that stands in two of them is a programmer's
// mistake and panics.
func NewAggregates(contexts ...[]Aggregate) Aggregates {
	all := Aggregates{}
	for _, a := range slices.Concat(contexts...) {
		if _, twice := all[a.Kind]; twice {
			panic("domain: two aggregates are of the kind " + a.Kind)
		}
		all[a.Kind] = a
	}
	return all
}
