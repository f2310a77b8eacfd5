package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// all is more than any exam's store holds.
const all = 1 << 20

func newStream() domain.Stream {
	return domain.Stream{Kind: "exam.paper", ID: id.New(time.Now())}
}

func newEvent() eventstore.NewEvent {
	return eventstore.NewEvent{
		ID: id.Event{ID: id.New(time.Now())}, Type: "exam.paper.marked", Schema: 1,
		Data: json.RawMessage(`{"mark":1}`), Meta: json.RawMessage(`{"actor":"system"}`),
		OccurredAt: time.Now(),
	}
}

func newEvents(n int) (events []eventstore.NewEvent) {
	for range n {
		events = append(events, newEvent())
	}
	return events
}

func newHash() eventstore.Hash { return eventstore.Hash(id.New(time.Now())) }

func newClaim() eventstore.Claim { return eventstore.Claim{Scope: newHash(), Name: newHash()} }

// write is n events on a stream expected at a version.
func write(s domain.Stream, expect int64, n int) eventstore.Write {
	return eventstore.Write{Stream: s, Expect: expect, Events: newEvents(n)}
}

func of(writes ...eventstore.Write) eventstore.Append { return eventstore.Append{Writes: writes} }

// commit appends what must be accepted.
func commit(t *testing.T, s eventstore.Store, a eventstore.Append) eventstore.Receipt {
	t.Helper()
	r, err := s.Append(t.Context(), a)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return r
}

// refuse appends what must be refused with an error of type E, changes nothing, and gives no receipt.
func refuse[E error](t *testing.T, s eventstore.Store, a eventstore.Append) E {
	t.Helper()
	before := head(t, s)
	r, err := s.Append(t.Context(), a)
	refusal, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("append answers %v, not %T", err, refusal)
	}
	if after := head(t, s); r != (eventstore.Receipt{}) || after != before {
		t.Fatalf("a refused append leaves %+v after %+v and answers %+v", after, before, r)
	}
	return refusal
}

// conflict appends what must be refused for a stream's version.
func conflict(t *testing.T, s eventstore.Store, a eventstore.Append, want eventstore.Conflict) {
	t.Helper()
	if got := refuse[*eventstore.Conflict](t, s, a); *got != want {
		t.Fatalf("refused with %+v, not %+v", *got, want)
	}
}

// refuseAs appends what must be refused with the given error.
func refuseAs(t *testing.T, s eventstore.Store, a eventstore.Append, want error) {
	t.Helper()
	if err := refuse[error](t, s, a); !errors.Is(err, want) {
		t.Fatalf("refused with %v, not %v", err, want)
	}
}

func head(t *testing.T, s eventstore.Store) eventstore.Head {
	return must(s.Head(t.Context()))(t)
}

func history(t *testing.T, s eventstore.Store) []eventstore.Recorded {
	t.Helper()
	return must(s.Read(t.Context(), 0, all))(t)
}

func past(t *testing.T, s eventstore.Store, of domain.Stream) []eventstore.Recorded {
	t.Helper()
	return must(s.ReadStream(t.Context(), of, 0, all))(t)
}

// holds checks who holds a claim; the zero stream is nobody.
func holds(t *testing.T, s eventstore.Store, c eventstore.Claim, want domain.Stream) {
	t.Helper()
	got, held, err := s.Holder(t.Context(), c)
	if err != nil || got != want || held != (want != domain.Stream{}) {
		t.Fatalf("the claim is held by %v (%v, %v), not %v", got, held, err, want)
	}
}

// must fails the test when a call has failed.
func must[T any](answer T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
