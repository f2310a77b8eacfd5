package storetest

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gesta/eventstore"
)

// spans are what a reader asks for and the first and last number it is answered; zeros for none.
var spans = []struct {
	after       int64
	limit       int
	first, last int64
}{
	{0, 3, 1, 3},
	{3, 1, 4, 4},
	{3, 100, 4, 5},
	{4, 1, 5, 5},
	{-9, 2, 1, 2},
	{5, 5, 0, 0},
	{100, 5, 0, 0},
	{math.MaxInt64, 1, 0, 0},
	{0, 0, 0, 0},
	{0, -1, 0, 0},
}

var reads = []question{
	{"reading goes on after a position, up to a limit", func(t *testing.T, s eventstore.Store) {
		commit(t, s, of(write(newStream(), 0, 3), write(newStream(), 0, 2)))
		for _, want := range spans {
			var got []int64
			for _, e := range must(s.Read(t.Context(), want.after, want.limit))(t) {
				got = append(got, e.Position)
			}
			runs(t, got, want.first, want.last)
		}
	}},
	{"reading a stream goes on after a version, up to a limit", func(t *testing.T, s eventstore.Store) {
		a := newStream()
		commit(t, s, of(write(newStream(), 0, 2), write(a, 0, 3)))
		commit(t, s, of(write(newStream(), 0, 2), write(a, 3, 2)))
		for _, want := range spans {
			var got []int64
			for _, e := range must(s.ReadStream(t.Context(), a, want.after, want.limit))(t) {
				got = append(got, e.Version)
			}
			runs(t, got, want.first, want.last)
		}
		if got := past(t, s, newStream()); len(got) != 0 {
			t.Errorf("a stream that is not there holds %v", got)
		}
	}},
	{"a survey is answered as each of its questions is", func(t *testing.T, s eventstore.Store) {
		a, b, scope := newStream(), newStream(), newHash()
		commit(t, s, of(write(a, 0, 3), taking(b, 0, eventstore.Claim{Scope: scope, Name: newHash()})))
		q := eventstore.Survey{
			Tails:  []eventstore.Tail{{Stream: b, Limit: 9}, {Stream: newStream(), Limit: 9}, {Stream: a, After: 1, Limit: 1}},
			Scopes: []eventstore.Hash{newHash(), scope},
		}
		got := must(q.Ask(t.Context(), s))(t)
		for i, tail := range q.Tails {
			want := must(s.ReadStream(t.Context(), tail.Stream, tail.After, tail.Limit))(t)
			if diff := cmp.Diff(want, got.Tails[i], cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
		for i, scope := range q.Scopes {
			if want := must(s.Holders(t.Context(), scope))(t); !slices.Equal(want, got.Holders[i]) {
				t.Errorf("%v, not %v", got.Holders[i], want)
			}
		}
	}},
}

// runs checks that numbers run from first to last.
func runs(t *testing.T, got []int64, first, last int64) {
	t.Helper()
	for i, n := range got {
		if n != first+int64(i) {
			t.Errorf("%v do not run from %d to %d", got, first, last)
			return
		}
	}
	if first > 0 && int64(len(got)) != last-first+1 || first == 0 && len(got) > 0 {
		t.Errorf("%v do not run from %d to %d", got, first, last)
	}
}
