package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/memory"
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
	store := &flaky{Store: &memory.Store{}}
	const n = 2*exportPage + 10
	for range n {
		_, err := store.Append(t.Context(), eventstore.Append{Writes: []eventstore.Write{{
			Stream: domain.Stream{Kind: "test.counter", ID: id.New(time.Now())},
			Events: []eventstore.NewEvent{{
				ID: id.Event{ID: id.New(time.Now())}, Type: "test.counter.hit", Schema: 1,
				Data: json.RawMessage(`{}`), Meta: json.RawMessage(`{}`), OccurredAt: time.Now(),
			}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
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
