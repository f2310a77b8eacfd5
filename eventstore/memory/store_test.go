package memory_test

import (
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/storetest"
)

func TestExam(t *testing.T) {
	storetest.Run(t, func(*testing.T) eventstore.Store { return &memory.Store{} })
}

func someAppend() eventstore.Append {
	now := time.Now()
	return eventstore.Append{Writes: []eventstore.Write{{
		Stream: domain.Stream{Kind: "exam.paper", ID: id.New(now)},
		Events: []eventstore.NewEvent{{
			ID: id.Event{ID: id.New(now)}, Type: "exam.paper.marked", Schema: 1,
			Data: []byte(`{}`), Meta: []byte(`{}`), OccurredAt: now,
		}},
	}}}
}

func TestTheClockNeverGoesBack(t *testing.T) {
	late := time.Date(2026, 1, 1, 12, 0, 0, 1500, time.UTC)
	clock := []time.Time{late, late.Add(-time.Hour), late.Add(time.Hour)}
	s := &memory.Store{Now: func() time.Time {
		defer func() { clock = clock[1:] }()
		return clock[0]
	}}
	for i, want := range []time.Time{late.Truncate(time.Microsecond), late.Truncate(time.Microsecond), late.Add(time.Hour).Truncate(time.Microsecond)} {
		r, err := s.Append(t.Context(), someAppend())
		if err != nil || !r.RecordedAt.Equal(want) {
			t.Errorf("append %d was recorded at %v (%v), not %v", i, r.RecordedAt, err, want)
		}
	}
}

func TestWhatIsCommittedIsOffered(t *testing.T) {
	s := &memory.Store{Handoff: &eventstore.Handoff{}}
	offers, end := s.Handoff.Subscribe(2)
	defer end()
	var after eventstore.Mark
	for position := range int64(2) {
		if _, err := s.Append(t.Context(), someAppend()); err != nil {
			t.Fatal(err)
		}
		got := <-offers
		if got.After != after || len(got.Events) != 1 || got.Last() != position+1 {
			t.Errorf("offered %v", got)
		}
		after = got.Events[0].Mark()
	}
}
