package seal

import (
	"context"

	"gesta/domain/id"
	"gesta/eventstore"
)

// Ahead is a store for who reads the history page by page, and the next page while one is dealt with: with it come the
// keys of those who have the ids of its streams, which are most often the persons that the events are about. (Asked for
// when the page is opened, they made read models catch up in 1.35 times the time they take in clear.)
type Ahead struct {
	eventstore.Store
	Vault *Vault
}

// Read asks for keys beside a page that is worth it. Where that fails, whoever opens the page is told.
func (a Ahead) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	events, err := a.Store.Read(ctx, after, limit)
	if err != nil || len(events) < bulk {
		return events, err
	}
	persons := make([]id.ID, 0, len(events))
	seen := make(map[id.ID]bool, len(events))
	for _, r := range events {
		if !seen[r.Stream.ID] {
			seen[r.Stream.ID] = true
			persons = append(persons, r.Stream.ID)
		}
	}
	a.Vault.Keys.readAhead(ctx, persons)
	return events, nil
}

func (k *Keyring) readAhead(ctx context.Context, persons []id.ID) {
	missing := k.Missing(persons...)
	if len(missing) == 0 {
		return
	}
	fetched, before, err := k.fetch(ctx, missing)
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if before == k.drops {
		k.ahead, k.behind = fetched, k.ahead
	}
}
