package checkpoint

import (
	"context"
	"fmt"

	"gesta/eventstore"
)

// Forked says that the store's history is not the one a follower has seen: the store was restored, or
// the follower belongs to another. Stored is what the store has in the place of Seen, or its head when
// it doesn't reach as far.
type Forked struct{ Seen, Stored eventstore.Mark }

// Error stays the same while the store grows, unless what it says becomes another thing.
func (f *Forked) Error() string {
	seen, stored := "event "+f.Seen.Event.String(), "where the store has "+f.Stored.Event.String()
	if f.Seen.Event.IsZero() {
		seen = "a message that is no event"
	}
	if f.Stored.Position < f.Seen.Position {
		stored = "which the store does not reach"
	}
	return fmt.Sprintf("forked: %s was seen at position %d, %s; 'gesta events fork-epoch' repairs this",
		seen, f.Seen.Position, stored)
}

// Verify answers *Forked unless the store has the event where it was seen. The zero Mark is in every
// history.
func Verify(ctx context.Context, store eventstore.Store, seen eventstore.Mark) error {
	if seen == (eventstore.Mark{}) {
		return nil
	}
	events, err := store.Read(ctx, seen.Position-1, 1)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return beyond(ctx, store, seen)
	}
	if stored := events[0].Mark(); stored != seen {
		return &Forked{Seen: seen, Stored: stored}
	}
	return nil
}

// After answers at most limit events that follow what was seen. It reads from there inclusive, and
// answers *Forked, as Verify does, when another event stands in its place: every follower reads like
// this, so that none goes on in a history it has not followed.
func After(
	ctx context.Context, store eventstore.Store, seen eventstore.Mark, limit int,
) ([]eventstore.Recorded, error) {
	if seen == (eventstore.Mark{}) {
		return store.Read(ctx, 0, limit)
	}
	events, err := store.Read(ctx, seen.Position-1, limit+1)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 || events[0].Mark() != seen {
		return nil, Verify(ctx, store, seen)
	}
	return events[1:], nil
}

func beyond(ctx context.Context, store eventstore.Store, seen eventstore.Mark) error {
	head, err := store.Head(ctx)
	if err != nil {
		return err
	}
	return &Forked{Seen: seen, Stored: head.Mark}
}
