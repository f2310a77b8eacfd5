// Package spec states the rules of the business: given what happened, when somebody asks for
// something, then this happens or that is refused.
package spec

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
)

// At is when everything in a spec happens.
var At = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Past is what a spec begins with.
type Past[S domain.State[S]] struct{ state S }

// Outcome is what came of a command.
type Outcome[S domain.State[S]] struct {
	State  S // after the events
	events []domain.Event
	err    error
}

// Given folds a past, which may be empty.
func Given[S domain.State[S]](past ...domain.Event) Past[S] {
	var s S
	return Past[S]{state: fold(s, past)}
}

// When asks for something.
func (p Past[S]) When(c domain.Command[S]) Outcome[S] {
	events, err := c.Decide(p.state)
	return Outcome[S]{State: fold(p.state, events), events: events, err: err}
}

// Then expects exactly these events.
func (o Outcome[S]) Then(t *testing.T, want ...domain.Event) Outcome[S] {
	t.Helper()
	if o.err != nil {
		t.Fatalf("refused: %v", o.err)
	}
	if diff := cmp.Diff(want, o.events); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	return o
}

// Nothing expects that there was nothing to do.
func (o Outcome[S]) Nothing(t *testing.T) { t.Helper(); o.Then(t) }

// Refused expects that refusal.
func (o Outcome[S]) Refused(t *testing.T, want error) {
	t.Helper()
	if !errors.Is(o.err, want) {
		t.Fatalf("got %v and %v, want the refusal %v", o.events, o.err, want)
	}
}

func fold[S domain.State[S]](s S, events []domain.Event) S {
	for _, e := range events {
		s = s.Evolve(e, At)
	}
	return s
}
