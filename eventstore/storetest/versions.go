package storetest

import (
	"testing"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

var versions = []question{
	{"a stream's versions grow by one", func(t *testing.T, s eventstore.Store) {
		a := newStream()
		commit(t, s, of(write(a, 0, 2)))
		commit(t, s, of(write(newStream(), 0, 1)))
		commit(t, s, of(write(a, 2, 1)))
		for i, e := range past(t, s, a) {
			if e.Version != int64(i)+1 || e.Stream != a {
				t.Errorf("event %d is %v at %d", i, e.Stream, e.Version)
			}
		}
	}},
	{"streams of another kind or id are others", func(t *testing.T, s eventstore.Store) {
		a := newStream()
		for _, other := range []domain.Stream{a, {Kind: "exam.board", ID: a.ID}, {Kind: a.Kind, ID: newStream().ID}} {
			commit(t, s, of(write(other, 0, 1)))
			if got := past(t, s, other); len(got) != 1 {
				t.Errorf("%v holds %d events", other, len(got))
			}
		}
	}},
	{"a stream that is not new is refused as new", func(t *testing.T, s eventstore.Store) {
		a := newStream()
		commit(t, s, of(write(a, 0, 3)))
		conflict(t, s, of(write(a, 0, 1)), eventstore.Conflict{Stream: a, Expected: 0, Actual: 3})
	}},
	{"an old version is refused", func(t *testing.T, s eventstore.Store) {
		a := newStream()
		commit(t, s, of(write(a, 0, 3)))
		conflict(t, s, of(write(a, 2, 1)), eventstore.Conflict{Stream: a, Expected: 2, Actual: 3})
	}},
	{"a version beyond the end is refused", func(t *testing.T, s eventstore.Store) {
		a := newStream()
		conflict(t, s, of(write(a, 1, 1)), eventstore.Conflict{Stream: a, Expected: 1})
		commit(t, s, of(write(a, 0, 3)))
		conflict(t, s, of(write(a, 5, 2)), eventstore.Conflict{Stream: a, Expected: 5, Actual: 3})
		conflict(t, s, of(write(a, 4, 2)), eventstore.Conflict{Stream: a, Expected: 4, Actual: 3})
	}},
	{"a write without events checks the version", func(t *testing.T, s eventstore.Store) {
		a, b := newStream(), newStream()
		if r := commit(t, s, of(write(a, 0, 0))); r != (eventstore.Receipt{}) {
			t.Errorf("it stands at %+v", r)
		}
		commit(t, s, of(write(a, 0, 2)))
		for _, wrong := range []int64{0, 1, 3} {
			conflict(t, s, of(write(a, wrong, 0)), eventstore.Conflict{Stream: a, Expected: wrong, Actual: 2})
			conflict(t, s, of(write(b, 0, 1), write(a, wrong, 0)),
				eventstore.Conflict{Stream: a, Expected: wrong, Actual: 2})
		}
		commit(t, s, of(write(a, 2, 0)))
		commit(t, s, of(write(a, 2, 0), write(b, 0, 1)))
	}},
	{"a version by another event is refused", func(t *testing.T, s eventstore.Store) {
		a := newStream()
		first := write(a, 0, 2)
		commit(t, s, of(first))
		for _, events := range []int{0, 1} {
			w := write(a, 2, events)
			for _, wrong := range []id.Event{newEvent().ID, first.Events[0].ID} {
				w.After = wrong
				conflict(t, s, of(w), eventstore.Conflict{Stream: a, Expected: 2, Actual: 2})
				conflict(t, s, of(write(newStream(), 0, 1), w), eventstore.Conflict{Stream: a, Expected: 2, Actual: 2})
			}
			w.After = first.Events[1].ID
			commit(t, s, of(w))
		}
	}},
	{"an append on several streams commits whole or not at all", func(t *testing.T, s eventstore.Store) {
		a, b, c := newStream(), newStream(), newStream()
		commit(t, s, of(write(b, 0, 1)))
		conflict(t, s, of(write(a, 0, 2), write(b, 0, 1), write(c, 0, 1)), eventstore.Conflict{Stream: b, Actual: 1})
		if len(past(t, s, a))+len(past(t, s, c)) > 0 {
			t.Error("a part of it is there")
		}
		commit(t, s, of(write(a, 0, 2), write(b, 1, 1), write(c, 0, 1)))
		if got := history(t, s); len(got) != 5 || got[1].Stream != a || got[3].Stream != b || got[4].Stream != c {
			t.Errorf("the history is %v", got)
		}
	}},
	{"the first stream in conflict is named", func(t *testing.T, s eventstore.Store) {
		a, b := newStream(), newStream()
		conflict(t, s, of(write(a, 3, 1), write(b, 4, 1)), eventstore.Conflict{Stream: a, Expected: 3})
	}},
	{"an event's id may come twice", func(t *testing.T, s eventstore.Store) {
		w := write(newStream(), 0, 2)
		w.Events[1].ID = w.Events[0].ID
		commit(t, s, of(w))
	}},
}
