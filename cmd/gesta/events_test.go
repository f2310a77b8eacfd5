package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gesta/eventstore"
	"gesta/eventstore/relay/relaytest"
)

// flaky is a store that is away at every other read.
type flaky struct {
	eventstore.Store
	reads int
}

func (f *flaky) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	if f.reads++; f.reads%2 == 0 {
		return nil, eventstore.ErrUnavailable
	}
	return f.Store.Read(ctx, after, limit)
}

// Whoever goes on after a store was away prints each event once.
func TestPrintingGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	const n = 2*exportPage + 10
	history := &relaytest.History{Name: "printed"}
	history.Grow(n)
	store := &flaky{Store: history}
	var out strings.Builder
	var after int64
	for tries, err := 0, eventstore.ErrUnavailable; errors.Is(err, eventstore.ErrUnavailable); tries++ {
		if after, err = printEvents(t.Context(), store, &out, after, "*"); tries > n {
			t.Fatal("never done")
		}
	}
	if got := strings.Count(out.String(), "\n"); after != n || got != n {
		t.Errorf("%d lines up to position %d, not %d", got, after, n)
	}
}
