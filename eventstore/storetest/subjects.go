package storetest

import (
	"bytes"
	"slices"
	"testing"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// holding is a stream with an event about somebody.
func holding(s domain.Stream, version int64, subjects ...id.ID) eventstore.Write {
	w := write(s, version, 1)
	w.Subjects = subjects
	return w
}

func keyed(subject id.ID, writes ...eventstore.Write) eventstore.Append {
	return eventstore.Append{Writes: writes, Keys: []eventstore.SubjectKey{{Subject: subject, Wrapped: []byte("wrapped")}}}
}

func forgetting(subject id.ID, streams int, writes ...eventstore.Write) eventstore.Append {
	return eventstore.Append{Writes: writes, Forget: []eventstore.Forgetting{{Subject: subject, Streams: streams}}}
}

// wantKeys wants so many streams to hold the subject, and that key.
func wantKey(t *testing.T, s eventstore.Store, subject id.ID, want string, streams ...domain.Stream) {
	t.Helper()
	keys, err := s.Keys(t.Context(), []id.ID{newStream().ID, subject})
	if err != nil || len(keys) != 1 || keys[0].Subject != subject || !bytes.Equal(keys[0].Wrapped, []byte(want)) {
		t.Errorf("keys %v (%v), not %q", keys, err, want)
	}
	slices.SortFunc(streams, domain.Stream.Compare)
	if held, err := s.StreamsOf(t.Context(), subject); err != nil || !slices.Equal(held, streams) {
		t.Errorf("streams %v (%v), not %v", held, err, streams)
	}
}

var subjects = []question{
	{"a subject is found by the streams that hold it", func(t *testing.T, s eventstore.Store) {
		a, b, subject, other := newStream(), newStream(), newStream().ID, newStream().ID
		commit(t, s, keyed(subject, holding(a, 0, subject)))
		both := keyed(other, holding(b, 0, subject, other))
		commit(t, s, both)
		commit(t, s, of(holding(a, 1, subject), holding(b, 1, subject)))
		wantKey(t, s, subject, "wrapped", a, b)
		wantKey(t, s, other, "wrapped", b)
		if none, err := s.Keys(t.Context(), nil); err != nil || len(none) != 0 {
			t.Errorf("nobody's keys are %v, %v", none, err)
		}
	}},
	{"a key of the house is kept once", func(t *testing.T, s eventstore.Store) {
		for _, key := range []string{"first", "second"} {
			if err := s.KeepHouseKey(t.Context(), "name", []byte(key)); err != nil {
				t.Fatal(err)
			}
		}
		keys, err := s.HouseKeys(t.Context())
		if err != nil || len(keys) != 1 || string(keys["name"]) != "first" {
			t.Errorf("%q, %v", keys, err)
		}
		subject := newStream().ID
		commit(t, s, forgetting(subject, 0, write(newStream(), 0, 1)))
		if again, err := s.HouseKeys(t.Context()); err != nil || len(again) != 1 {
			t.Errorf("%q, %v", again, err)
		}
	}},
	{"whom streams hold gets no other key", func(t *testing.T, s eventstore.Store) {
		a, subject := newStream(), newStream().ID
		commit(t, s, keyed(subject, holding(a, 0, subject)))
		if err := s.KeepHouseKey(t.Context(), "n", []byte("k")); err != nil {
			t.Fatal(err)
		}
		refuse[*eventstore.KeyExists](t, s, keyed(subject, write(a, 1, 1)))
	}},
	{"claims are known by who holds them", func(t *testing.T, s eventstore.Store) {
		a, b := newStream(), newStream()
		one, two, three := newClaim(), newClaim(), newClaim()
		for of, claims := range map[domain.Stream][]eventstore.Claim{a: {one, two}, b: {three}} {
			w := write(of, 0, 1)
			w.Take = claims
			commit(t, s, eventstore.Append{Writes: []eventstore.Write{w}})
		}
		got, err := s.ClaimsOf(t.Context(), []domain.Stream{a, newStream()})
		if err != nil || len(got) != 1 || len(got[a]) != 2 || !slices.Contains(got[a], one) || !slices.Contains(got[a], two) {
			t.Errorf("%v, %v", got, err)
		}
	}},
	{"a stream holds nobody without a key", func(t *testing.T, s eventstore.Store) {
		a, subject := newStream(), newStream().ID
		if gone := refuse[*eventstore.KeyGone](t, s, of(holding(a, 0, subject))); gone.Subject != subject {
			t.Errorf("refused for %v", gone.Subject)
		}
		if held, err := s.StreamsOf(t.Context(), subject); err != nil || len(held) != 0 {
			t.Errorf("held by %v, %v", held, err)
		}
	}},
	{"who is forgotten has no key, and never gets one", func(t *testing.T, s eventstore.Store) {
		a, b, subject := newStream(), newStream(), newStream().ID
		claim := newClaim()
		first := holding(a, 0, subject)
		first.Take = []eventstore.Claim{claim}
		commit(t, s, keyed(subject, first))
		last := write(a, 1, 1)
		last.Release = first.Take
		commit(t, s, forgetting(subject, 1, last))
		wantKey(t, s, subject, "", a)
		if _, held, err := s.Holder(t.Context(), claim); held || err != nil {
			t.Errorf("the claim is held: %v, %v", held, err)
		}
		refuse[*eventstore.KeyGone](t, s, of(holding(b, 0, subject)))
		refuse[*eventstore.KeyExists](t, s, keyed(subject, holding(b, 0, subject)))
		commit(t, s, of(write(a, 2, 1))) // What is not about him goes on.
		commit(t, s, forgetting(subject, 1, write(a, 3, 1)))
	}},
	{"nobody is forgotten while other streams hold him", func(t *testing.T, s eventstore.Store) {
		a, b, subject := newStream(), newStream(), newStream().ID
		commit(t, s, keyed(subject, holding(a, 0, subject)))
		commit(t, s, of(holding(b, 0, subject)))
		refuse[*eventstore.SubjectMoved](t, s, forgetting(subject, 1, write(a, 1, 1)))
		wantKey(t, s, subject, "wrapped", a, b)
		commit(t, s, forgetting(subject, 2, write(a, 1, 1), write(b, 1, 1)))
	}},
	{"who has no key can be forgotten beforehand", func(t *testing.T, s eventstore.Store) {
		a, subject := newStream(), newStream().ID
		commit(t, s, forgetting(subject, 0, write(a, 0, 1)))
		wantKey(t, s, subject, "")
		refuse[*eventstore.KeyExists](t, s, keyed(subject, holding(newStream(), 0, subject)))
	}},
	{"a refused forgetting leaves the key", func(t *testing.T, s eventstore.Store) {
		a, subject := newStream(), newStream().ID
		commit(t, s, keyed(subject, holding(a, 0, subject)))
		conflict(t, s, forgetting(subject, 1, write(a, 0, 1)), eventstore.Conflict{Stream: a, Expected: 0, Actual: 1})
		wantKey(t, s, subject, "wrapped", a)
	}},
}
