package eventstore_test

import (
	"encoding/json"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/spec"
	"gesta/eventstore"
	"gesta/eventstore/memory"
)

func event(name string) id.Event { return id.Event{ID: id.Named(name)} }

func TestEvents(t *testing.T) {
	spec.Examples(t, eventstore.Types, []domain.Event{eventstore.EpochForked{
		Epoch: 3, Before: 2, CommonPosition: 41, CommonEvent: event("common"), LostPosition: 60, LostEvent: event("lost"),
	}})
}

// forked appends the fact of a fork, as the next event.
func forked(t *testing.T, s eventstore.Store, f eventstore.EpochForked) {
	t.Helper()
	known, err := s.ReadStream(t.Context(), eventstore.EpochStream, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := domain.NewCatalogue(eventstore.Types).Encode(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Append(t.Context(), eventstore.Append{Writes: []eventstore.Write{{
		Stream: eventstore.EpochStream, Expect: int64(len(known)), Events: []eventstore.NewEvent{{
			ID: id.Event{ID: id.New(time.Now())}, Type: enc.Type, Schema: enc.Schema, Data: enc.Data,
			Meta: json.RawMessage(`{}`), OccurredAt: time.Now(),
		}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEpochOfAPosition(t *testing.T) {
	for name, c := range map[string]struct {
		forks []eventstore.EpochForked
		at    map[int64]int64
	}{
		"never restored":  {nil, map[int64]int64{1: 1, 100: 1}},
		"once":            {[]eventstore.EpochForked{{Epoch: 2, CommonPosition: 10}}, map[int64]int64{1: 1, 10: 1, 11: 2, 100: 2}},
		"nothing common":  {[]eventstore.EpochForked{{Epoch: 2}}, map[int64]int64{1: 2}},
		"twice":           {[]eventstore.EpochForked{{Epoch: 2, CommonPosition: 10}, {Epoch: 5, CommonPosition: 20}}, map[int64]int64{10: 1, 20: 2, 21: 5}},
		"an earlier part": {[]eventstore.EpochForked{{Epoch: 2, CommonPosition: 20}, {Epoch: 3, CommonPosition: 10}}, map[int64]int64{10: 1, 11: 3, 21: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &memory.Store{}
			for _, f := range c.forks {
				forked(t, s, f)
			}
			is, err := eventstore.LoadEpochs(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			for position, epoch := range c.at {
				if got := is.At(position); got != epoch {
					t.Errorf("position %d is in epoch %d, not %d", position, got, epoch)
				}
			}
			if head, err := s.Head(t.Context()); err != nil || head.Epoch != is.Current() || head.Epoch != is.At(1<<40) {
				t.Errorf("the head is in epoch %d (%v)", head.Epoch, err)
			}
		})
	}
}

func TestNewsAboutEpochs(t *testing.T) {
	s := &memory.Store{}
	forked(t, s, eventstore.EpochForked{Epoch: 2})
	known, err := eventstore.LoadEpochs(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	forked(t, s, eventstore.EpochForked{Epoch: 3})
	events, err := s.Read(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if !known.Know(events[0]) || known.Know(events[1]) || !known.Know(eventstore.Recorded{Version: 9}) {
		t.Error("news are not told from what is known")
	}
}
