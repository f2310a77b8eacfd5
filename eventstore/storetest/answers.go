package storetest

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"gesta/eventstore"
)

func newAnswer() eventstore.Idempotency {
	return eventstore.Idempotency{
		Scope: "exam", Key: newStream().ID.String(),
		Fingerprint: []byte{0, 1, 254}, Result: json.RawMessage(`{ "id" : "1" }`),
	}
}

func answering(i eventstore.Idempotency, writes ...eventstore.Write) eventstore.Append {
	return eventstore.Append{Writes: writes, Idempotency: &i}
}

// sameAnswer compares by what counts: no fingerprint is an empty one.
func sameAnswer(a, b eventstore.Idempotency) bool {
	return a.Scope == b.Scope && a.Key == b.Key &&
		bytes.Equal(a.Fingerprint, b.Fingerprint) && bytes.Equal(a.Result, b.Result)
}

var answers = []question{
	{"an answer is recorded once", func(t *testing.T, s eventstore.Store) {
		first := newAnswer()
		if _, found, err := s.Idempotent(t.Context(), first.Scope, first.Key); found || err != nil {
			t.Errorf("found before: %v, %v", found, err)
		}
		commit(t, s, answering(first, write(newStream(), 0, 1)))
		got, found, err := s.Idempotent(t.Context(), first.Scope, first.Key)
		if err != nil || !found || !sameAnswer(got, first) {
			t.Errorf("%+v (%v, %v)", got, found, err)
		}
		second := first
		second.Fingerprint, second.Result = []byte("another"), json.RawMessage(`2`)
		again := refuse[*eventstore.Repeated](t, s, answering(second, write(newStream(), 0, 1)))
		if !sameAnswer(again.First, first) {
			t.Errorf("repeated %+v", again.First)
		}
	}},
	{"scope and key together name an answer", func(t *testing.T, s eventstore.Store) {
		first := newAnswer()
		commit(t, s, answering(first))
		other := first
		other.Scope = "elsewhere"
		commit(t, s, answering(other))
	}},
	{"an answer needs no event and no fingerprint", func(t *testing.T, s eventstore.Store) {
		first := newAnswer()
		first.Fingerprint = nil
		if r := commit(t, s, answering(first)); r.First != 0 {
			t.Errorf("it stands at %+v", r)
		}
		if got, found, err := s.Idempotent(t.Context(), first.Scope, first.Key); !found || !sameAnswer(got, first) {
			t.Errorf("%+v (%v, %v)", got, found, err)
		}
	}},
	{"a repeated request is no conflict", func(t *testing.T, s eventstore.Store) {
		first, a := newAnswer(), newStream()
		commit(t, s, answering(first, write(a, 0, 1)))
		refuse[*eventstore.Repeated](t, s, answering(first, write(a, 0, 1)))
	}},
	{"a refused append leaves no answer", func(t *testing.T, s eventstore.Store) {
		first, a := newAnswer(), newStream()
		conflict(t, s, answering(first, write(a, 1, 1)), eventstore.Conflict{Stream: a, Expected: 1})
		if _, found, err := s.Idempotent(t.Context(), first.Scope, first.Key); found || err != nil {
			t.Errorf("found: %v, %v", found, err)
		}
	}},
	{"requests are forgotten, and nothing else is", func(t *testing.T, s eventstore.Store) {
		kept, request := newAnswer(), newAnswer()
		request.Scope = eventstore.RequestScope
		commit(t, s, answering(kept))
		commit(t, s, answering(request))
		known := func(i eventstore.Idempotency) bool {
			_, found, err := s.Idempotent(t.Context(), i.Scope, i.Key)
			if err != nil {
				t.Error(err)
			}
			return found
		}
		if n, err := s.ForgetRequests(t.Context(), time.Hour, 10); n != 0 || err != nil || !known(request) {
			t.Errorf("%d young ones, %v", n, err)
		}
		other := newAnswer()
		other.Scope = eventstore.RequestScope
		commit(t, s, answering(other))
		for n := 1; known(request) || known(other); {
			forgotten, err := s.ForgetRequests(t.Context(), -time.Hour, 1)
			if err != nil || forgotten != n {
				t.Fatalf("%d, %v", forgotten, err)
			}
		}
		if !known(kept) {
			t.Error("another record is gone")
		}
		commit(t, s, answering(request))
	}},
	{"a subject has one key", func(t *testing.T, s eventstore.Store) {
		key := eventstore.SubjectKey{Subject: newStream().ID, Wrapped: []byte("wrapped")}
		other := eventstore.SubjectKey{Subject: newStream().ID, Wrapped: []byte("wrapped")}
		keys := func(k ...eventstore.SubjectKey) eventstore.Append { return eventstore.Append{Keys: k} }
		commit(t, s, keys(key))
		got := refuse[*eventstore.KeyExists](t, s, keys(other, key))
		if got.Subject != key.Subject {
			t.Errorf("refused for %v", got.Subject)
		}
		commit(t, s, keys(other))
	}},
}
