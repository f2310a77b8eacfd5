package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gesta/domain/id"
	"gesta/eventstore"
)

// malformed are appends that no store can keep as they are, by what is wrong with them.
var malformed = map[string]func(*eventstore.Append){
	"nothing in it":             func(a *eventstore.Append) { *a = eventstore.Append{} },
	"a stream twice":            func(a *eventstore.Append) { a.Writes = append(a.Writes, a.Writes[0]) },
	"no kind":                   func(a *eventstore.Append) { a.Writes[0].Stream.Kind = "" },
	"a kind of two words":       func(a *eventstore.Append) { a.Writes[0].Stream.Kind = "exam paper" },
	"an endless kind":           func(a *eventstore.Append) { a.Writes[0].Stream.Kind = strings.Repeat("k", 4000) },
	"no stream id":              func(a *eventstore.Append) { a.Writes[0].Stream.ID = id.ID{} },
	"a negative version":        func(a *eventstore.Append) { a.Writes[0].Expect = -1 },
	"an event before the first": func(a *eventstore.Append) { a.Writes[0].After = newEvent().ID },
	"no event id":               func(a *eventstore.Append) { a.Writes[0].Events[0].ID = id.Event{} },
	"no type":                   func(a *eventstore.Append) { a.Writes[0].Events[0].Type = "" },
	"bad UTF-8":                 func(a *eventstore.Append) { a.Writes[0].Events[0].Type = "exam\xff" },
	"schema 0":                  func(a *eventstore.Append) { a.Writes[0].Events[0].Schema = 0 },
	"a schema of 33 bits":       func(a *eventstore.Append) { a.Writes[0].Events[0].Schema = 1 << 32 },
	"no data":                   func(a *eventstore.Append) { a.Writes[0].Events[0].Data = nil },
	"half an object":            func(a *eventstore.Append) { a.Writes[0].Events[0].Data = json.RawMessage(`{"a":`) },
	"no metadata":               func(a *eventstore.Append) { a.Writes[0].Events[0].Meta = nil },
	"an empty secret":           func(a *eventstore.Append) { a.Writes[0].Events[0].Secret = json.RawMessage{} },
	"the year 10000": func(a *eventstore.Append) {
		a.Writes[0].Events[0].OccurredAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	},
	"a NUL in a key": func(a *eventstore.Append) {
		a.Idempotency = &eventstore.Idempotency{Scope: "s", Key: "a\x00b", Result: json.RawMessage(`{}`)}
	},
	"no result": func(a *eventstore.Append) { a.Idempotency = &eventstore.Idempotency{Scope: "s", Key: "k"} },
	"an empty subject key": func(a *eventstore.Append) {
		a.Keys = []eventstore.SubjectKey{{Subject: newStream().ID}}
	},
	"nobody that a stream holds": func(a *eventstore.Append) { a.Writes[0].Subjects = []id.ID{{}} },
	"nobody to forget":           func(a *eventstore.Append) { a.Forget = []eventstore.Forgetting{{}} },
	"to forget without an event": func(a *eventstore.Append) {
		*a = eventstore.Append{Forget: []eventstore.Forgetting{{Subject: newStream().ID}}}
	},
	"to forget who gets a key": func(a *eventstore.Append) {
		k := eventstore.SubjectKey{Subject: newStream().ID, Wrapped: []byte{1}}
		a.Keys, a.Forget = []eventstore.SubjectKey{k}, []eventstore.Forgetting{{Subject: k.Subject}}
	},
	"to forget who is held": func(a *eventstore.Append) {
		subject := newStream().ID
		a.Writes[0].Subjects, a.Forget = []id.ID{subject}, []eventstore.Forgetting{{Subject: subject}}
	},
	"two keys of a subject": func(a *eventstore.Append) {
		k := eventstore.SubjectKey{Subject: newStream().ID, Wrapped: []byte{1}}
		a.Keys = []eventstore.SubjectKey{k, k}
	},
}

var refusals = []question{
	{"what is malformed is refused and harmless", func(t *testing.T, s eventstore.Store) {
		for wrong, spoil := range malformed {
			a := of(write(newStream(), 0, 1), write(newStream(), 0, 1))
			spoil(&a)
			if _, err := s.Append(t.Context(), a); !errors.Is(err, eventstore.ErrMalformed) {
				t.Errorf("%s: %v", wrong, err)
			}
		}
		if r := commit(t, s, of(write(newStream(), 0, 1))); r.First != 1 {
			t.Errorf("the next append stands at %+v", r)
		}
	}},
	{"the largest is kept and what is larger refused", func(t *testing.T, s eventstore.Store) {
		sized := func(n int) eventstore.NewEvent {
			e := newEvent()
			e.Data = fill(n - len(e.Meta))
			return e
		}
		w := write(newStream(), 0, 0)
		w.Events = append(w.Events, sized(eventstore.MaxEventBytes+1))
		refuseAs(t, s, of(w), eventstore.ErrTooLarge)
		w.Events = nil
		for range eventstore.MaxAppendBytes / eventstore.MaxEventBytes {
			w.Events = append(w.Events, sized(eventstore.MaxEventBytes))
		}
		commit(t, s, of(w))
		w.Stream = newStream()
		w.Events = append(w.Events, newEvent())
		refuseAs(t, s, of(w), eventstore.ErrTooLarge)
	}},
	{"a caller who has gone is not served", func(t *testing.T, s eventstore.Store) {
		ctx := cancelled(t)
		gone := func(what string, err error) {
			if !errors.Is(err, eventstore.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := s.Append(ctx, of(write(newStream(), 0, 1)))
		gone("append", err)
		_, err = s.Read(ctx, 0, 1)
		gone("read", err)
		_, err = s.ReadStream(ctx, newStream(), 0, 1)
		gone("read stream", err)
		_, err = s.Head(ctx)
		gone("head", err)
		_, _, err = s.Holder(ctx, newClaim())
		gone("holder", err)
		_, err = s.Holders(ctx, newHash())
		gone("holders", err)
		_, err = s.Keys(ctx, []id.ID{newStream().ID})
		gone("keys", err)
		_, err = s.StreamsOf(ctx, newStream().ID)
		gone("streams of", err)
		_, _, err = s.Idempotent(ctx, "s", "k")
		gone("idempotent", err)
		if h := head(t, s); h.Position != 0 {
			t.Errorf("the head is %+v", h)
		}
	}},
	{"what is refused is refused by name", func(t *testing.T, s eventstore.Store) {
		a, key := newStream(), eventstore.SubjectKey{Subject: newStream().ID, Wrapped: []byte{1}}
		w := write(a, 0, 1)
		w.Take = []eventstore.Claim{newClaim()}
		commit(t, s, eventstore.Append{Writes: []eventstore.Write{w}, Keys: []eventstore.SubjectKey{key}})
		for _, want := range []struct {
			a       eventstore.Append
			refusal error
		}{
			{of(write(a, 3, 1)), &eventstore.Conflict{Stream: a, Expected: 3, Actual: 1}},
			{
				of(eventstore.Write{Stream: newStream(), Take: w.Take}),
				&eventstore.ClaimTaken{Claim: w.Take[0], Holder: a},
			},
			{eventstore.Append{Keys: []eventstore.SubjectKey{key}}, &eventstore.KeyExists{Subject: key.Subject}},
		} {
			if got := refuse[error](t, s, want.a); got.Error() != want.refusal.Error() {
				t.Errorf("%q, not %q", got, want.refusal)
			}
		}
	}},
}

// fill is a JSON string of n bytes.
func fill(n int) json.RawMessage {
	return json.RawMessage(`"` + string(bytes.Repeat([]byte("x"), n-2)) + `"`)
}
