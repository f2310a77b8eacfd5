package postgres

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
)

func factOf(t *testing.T, f eventstore.EpochForked) eventstore.NewEvent {
	t.Helper()
	enc, err := domain.NewCatalogue(eventstore.Types).Encode(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return eventstore.NewEvent{
		ID: id.Event{ID: id.New(time.Now())}, Type: enc.Type, Schema: enc.Schema, Data: enc.Data,
		Meta: json.RawMessage(`{}`), OccurredAt: time.Now(),
	}
}

// The app's login raises an epoch: fact, head and checkpoints are one.
func TestEpochIsRaisedOnce(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), opened(t, pgtest.AppLogin(t, pgtest.Database(t)))
	for range 3 {
		wantAppend(t, s, position(t, s)+1)
	}
	events, err := s.Read(ctx, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	for follower, m := range map[string]eventstore.Mark{
		"here": events[2].Mark(), "other": {Position: 2, Event: events[2].ID}, "ahead": {Position: 9, Event: events[1].ID},
	} {
		if _, err := s.Pool().Exec(ctx, `insert into checkpoints (follower, position, event_id) values ($1, $2, $3)`,
			follower, m.Position, [16]byte(m.Event.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Pool().Exec(ctx, `insert into timers (policy, event_id, position, due_at)
		values ('here', $1, 3, now()), ('other', $1, 2, now())`, [16]byte(events[2].ID.ID)); err != nil {
		t.Fatal(err)
	}
	if astray, err := s.Strays(ctx); err != nil || !slices.Equal(astray, []Stray{{"ahead", 9}, {"other", 2}}) {
		t.Errorf("astray: %v %v", astray, err)
	}
	first := eventstore.EpochForked{Epoch: 4, Before: 1, CommonPosition: 1, CommonEvent: events[0].ID}
	moved, err := s.RaiseEpoch(ctx, first, 0, factOf(t, first))
	if slices.Sort(moved); err != nil || !slices.Equal(moved, []string{"ahead", "other"}) {
		t.Errorf("moved: %v %v", moved, err)
	}
	if astray, err := s.Strays(ctx); err != nil || len(astray) > 0 {
		t.Errorf("astray: %v %v", astray, err)
	}
	var timers string
	if err := s.Pool().QueryRow(ctx, `select string_agg(policy, ' ') from timers where policy <> ''`).Scan(&timers); err != nil || timers != "here" {
		t.Errorf("timers: %s %v", timers, err)
	}
	if _, err := s.RaiseEpoch(ctx, first, 1, factOf(t, first)); !errors.Is(err, ErrEpochMoved) {
		t.Errorf("raised twice: %v", err)
	}
	second := eventstore.EpochForked{Epoch: 5, Before: 4, CommonPosition: 3}
	if _, err := s.RaiseEpoch(ctx, second, 1, factOf(t, second)); err != nil {
		t.Error(err)
	}
	wantAppend(t, s, 6)
	head, err := s.Head(ctx)
	epochs, err2 := eventstore.LoadEpochs(ctx, s)
	if err != nil || err2 != nil || head.Epoch != 5 || epochs.Current() != 5 || epochs.At(3) != 4 || epochs.At(1) != 1 {
		t.Errorf("%+v %+v %v %v", head, epochs, err, err2)
	}
}
