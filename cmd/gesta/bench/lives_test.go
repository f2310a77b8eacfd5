package bench

import (
	"testing"

	"gesta/domain/identity"
	"gesta/eventstore/memory"
)

func TestLivesBringAsManyEventsAsAreAskedFor(t *testing.T) {
	const events = 760
	s := &memory.Store{}
	f, err := newFiller(t.Context(), s, Installation{MasterKey: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}, events)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.fill(t.Context(), func(int) {}); err != nil {
		t.Fatal(err)
	}
	if head, err := s.Head(t.Context()); err != nil || head.Position != events {
		t.Errorf("%d events, %v", head.Position, err)
	}
	for n, l := range f.lives {
		want := 3
		if n%longEvery == 0 {
			want = 20
		}
		if is, err := s.ReadStream(t.Context(), identity.UserStream(l.user), 0, 100); err != nil || len(is) != want {
			t.Errorf("user %d has %d events instead of %d, %v", n, len(is), want, err)
		}
	}
}
