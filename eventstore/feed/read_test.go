package feed_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/feed"
	"gesta/eventstore/relay/relaytest"
)

// asked tells which places were read from.
type asked struct {
	*relaytest.History
	after chan int64
}

func (a asked) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	a.after <- after
	return a.History.Read(ctx, after, limit)
}

// While the first page is dealt with, the second is read; it is not read again when it is wanted.
func TestPagesAreReadAhead(t *testing.T) {
	t.Parallel()
	history := asked{&relaytest.History{Name: "ours"}, make(chan int64, 10)}
	history.Grow(10)
	pages, last, got := feed.Pages{Read: feed.Published(history)}, eventstore.Mark{}, []eventstore.Recorded(nil)
	for _, reads := range [][]int64{{0, 3}, {7}, {}} { // Each begins with the last event before it.
		events, err := pages.After(t.Context(), last, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range reads {
			if after := <-history.after; after != want {
				t.Errorf("read after %d, not %d", after, want)
			}
		}
		got, last = slices.Concat(got, events), events[len(events)-1].Mark()
	}
	want, err := feed.Read(t.Context(), history, eventstore.Mark{}, 11)
	if diff := cmp.Diff(want, got); diff != "" || err != nil || len(history.after) > 1 {
		t.Error(diff, err, len(history.after))
	}
}

// What was read ahead is of no use to who has gone on elsewhere, and what went wrong is asked again.
func TestPagesOfElsewhere(t *testing.T) {
	t.Parallel()
	ours, theirs := &relaytest.History{Name: "ours"}, &relaytest.History{Name: "theirs"}
	ours.Grow(10)
	pages := feed.Pages{Read: feed.Published(ours)}
	if events, err := pages.After(t.Context(), eventstore.Mark{}, 4); err != nil || len(events) != 4 {
		t.Fatal(len(events), err)
	}
	if events, err := pages.After(t.Context(), ours.One(8).Mark(), 4); err != nil || len(events) != 2 {
		t.Error(len(events), err)
	}
	if _, err := pages.After(t.Context(), theirs.One(8).Mark(), 4); !errors.As(err, new(*checkpoint.Forked)) {
		t.Error(err)
	}
	away := errors.New("no route to host")
	ours.SetAway(away)
	if _, err := pages.After(t.Context(), ours.One(8).Mark(), 4); !errors.Is(err, away) {
		t.Error(err)
	}
	ours.SetAway(nil)
	if events, err := pages.After(t.Context(), ours.One(8).Mark(), 4); err != nil || len(events) != 2 {
		t.Error(len(events), err)
	}
}
