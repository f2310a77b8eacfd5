package relaytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/memory"
)

// History is a store in memory that grows on demand. The event of a position is the same each time a
// history is made under the same name.
type History struct {
	eventstore.Store
	Name    string
	Begin   time.Time // when the first event was recorded; zero for some day in 2023
	Handoff eventstore.Handoff
	Reads   atomic.Int64 // how often Read was called

	mu   sync.Mutex
	head int64
	away error
}

// Grow appends n events in this process, a few in each commit.
func (h *History) Grow(n int) {
	for n > 0 {
		some := min(n, 7)
		h.mu.Lock()
		h.Handoff.Offer(h.grow(some))
		h.mu.Unlock()
		n -= some
	}
}

// GrowElsewhere appends n events in another process: nothing is handed over.
func (h *History) GrowElsewhere(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.grow(n)
}

func (h *History) grow(n int) eventstore.Commit {
	var a eventstore.Append
	for i := range int64(n) {
		r := h.One(h.head + i + 1)
		a.Writes = append(a.Writes, eventstore.Write{Stream: r.Stream, Events: []eventstore.NewEvent{r.NewEvent}})
	}
	if n == 0 {
		return eventstore.Commit{}
	}
	store, ctx := h.store(), context.Background()
	before, err := store.Head(ctx)
	if err != nil {
		panic(err)
	}
	if _, err := store.Append(ctx, a); err != nil {
		panic(err)
	}
	events, err := store.Read(ctx, h.head, n)
	if err != nil {
		panic(err)
	}
	h.head += int64(n)
	return eventstore.Commit{After: before.Mark, Events: events}
}

func (h *History) store() eventstore.Store {
	if h.Store == nil {
		h.Store = &memory.Store{Now: func() time.Time { return h.at(h.head + 1) }}
	}
	return h.Store
}

func (h *History) at(position int64) time.Time {
	begin := h.Begin
	if begin.IsZero() {
		begin = time.Unix(1_700_000_000, 0)
	}
	return begin.Add(time.Duration(position) * time.Microsecond).UTC().Truncate(time.Microsecond)
}

// One is the event of a position, whether or not it has happened.
func (h *History) One(position int64) eventstore.Recorded {
	return eventstore.Recorded{
		NewEvent: eventstore.NewEvent{
			ID:         id.Event{ID: id.Named(fmt.Sprint(h.Name, position))},
			Type:       "work.task.assigned",
			Schema:     1,
			Data:       json.RawMessage(fmt.Sprintf(`{ "n":%d}`, position)),
			Secret:     json.RawMessage(`{"pin":"0000"}`),
			Meta:       json.RawMessage(`{"actor":"system","realm":"accounts","surface":"accounts","request":"r"}`),
			OccurredAt: h.at(position),
		},
		Position: position,
		Stream:   domain.Stream{Kind: "work.task", ID: id.Named(fmt.Sprint("task", position))},
		Version:  1, RecordedAt: h.at(position),
	}
}

// Restore puts the history back to where it had n events. From there on it goes another way.
func (h *History) Restore(n int, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Store, h.head = nil, 0
	h.grow(n)
	h.Name = name
}

// All answers every event.
func (h *History) All() []eventstore.Recorded {
	h.mu.Lock()
	defer h.mu.Unlock()
	events, err := h.store().Read(context.Background(), 0, math.MaxInt32)
	if err != nil {
		panic(err)
	}
	return events
}

// SetAway has every question fail with err, until it is nil again.
func (h *History) SetAway(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = err
}

// Read is Store.Read.
func (h *History) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	h.Reads.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away != nil {
		return nil, errors.Join(eventstore.ErrUnavailable, h.away)
	}
	return h.store().Read(ctx, after, limit)
}

// ReadStream is Store.ReadStream.
func (h *History) ReadStream(
	ctx context.Context, s domain.Stream, after int64, limit int,
) ([]eventstore.Recorded, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away != nil {
		return nil, errors.Join(eventstore.ErrUnavailable, h.away)
	}
	return h.store().ReadStream(ctx, s, after, limit)
}

// Fork appends the fact that a fork was repaired.
func (h *History) Fork(f eventstore.EpochForked) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx := context.Background()
	known, err := h.store().ReadStream(ctx, eventstore.EpochStream, 0, math.MaxInt32)
	if err != nil {
		panic(err)
	}
	fact := h.One(h.head + 1).NewEvent
	enc, err := domain.NewCatalogue(eventstore.Types).Encode(f, nil)
	if err != nil {
		panic(err)
	}
	fact.Type, fact.Data, fact.Secret = enc.Type, enc.Data, nil
	_, err = h.store().Append(ctx, eventstore.Append{Writes: []eventstore.Write{{
		Stream: eventstore.EpochStream, Expect: int64(len(known)), Events: []eventstore.NewEvent{fact},
	}}})
	if err != nil {
		panic(err)
	}
	h.head++
}

// Head is Store.Head.
func (h *History) Head(ctx context.Context) (eventstore.Head, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away != nil {
		return eventstore.Head{}, errors.Join(eventstore.ErrUnavailable, h.away)
	}
	return h.store().Head(ctx)
}
