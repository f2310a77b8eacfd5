package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// Read answers copies of the events; the bytes in them are the store's own.
func (s *Store) Read(ctx context.Context, after int64, limit int) ([]eventstore.Recorded, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return some(s.events, after, limit), awaited(ctx, "read")
}

// ReadStream answers copies of the events; the bytes in them are the store's own.
func (s *Store) ReadStream(
	ctx context.Context, of domain.Stream, after int64, limit int,
) ([]eventstore.Recorded, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return some(s.streams[of], after, limit), awaited(ctx, "read")
}

// some relies on positions and versions being dense: the event numbered n stands at n-1.
func some(events []eventstore.Recorded, after int64, limit int) []eventstore.Recorded {
	left := events[min(max(after, 0), int64(len(events))):]
	return slices.Clone(left[:min(max(limit, 0), len(left))])
}

// Head is in the epoch that the events of eventstore.EpochStream say.
func (s *Store) Head(ctx context.Context) (eventstore.Head, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	epochs, err := eventstore.EpochsOf(s.streams[eventstore.EpochStream])
	if err != nil {
		return eventstore.Head{}, err
	}
	h := eventstore.Head{Epoch: epochs.Current()}
	if n := len(s.events); n > 0 {
		h.Mark, h.RecordedAt = s.events[n-1].Mark(), s.events[n-1].RecordedAt
	}
	return h, awaited(ctx, "head")
}

// Holder answers from the facts.
func (s *Store) Holder(ctx context.Context, c eventstore.Claim) (domain.Stream, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	holder, held := s.facts.Holders[c]
	return holder, held, awaited(ctx, "holder")
}

// ClaimsOf walks all claims there are.
func (s *Store) ClaimsOf(ctx context.Context, streams []domain.Stream) (map[domain.Stream][]eventstore.Claim, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := map[domain.Stream][]eventstore.Claim{}
	for c, holder := range s.facts.Holders {
		if slices.Contains(streams, holder) {
			all[holder] = append(all[holder], c)
		}
	}
	return all, awaited(ctx, "claims of")
}

// Holders walks all claims there are.
func (s *Store) Holders(ctx context.Context, scope eventstore.Hash) ([]domain.Stream, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var holders []domain.Stream
	for c, holder := range s.facts.Holders {
		if c.Scope == scope {
			holders = append(holders, holder)
		}
	}
	slices.SortFunc(holders, domain.Stream.Compare)
	return slices.Compact(holders), awaited(ctx, "holders")
}

// Keys answers copies; the bytes in them are the store's own.
func (s *Store) Keys(ctx context.Context, subjects []id.ID) (keys []eventstore.SubjectKey, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, one := range subjects {
		if wrapped, had := s.keys[one]; had {
			keys = append(keys, eventstore.SubjectKey{Subject: one, Wrapped: wrapped})
		}
	}
	return keys, awaited(ctx, "keys")
}

// HouseKeys answers a copy; the bytes in it are the store's own.
func (s *Store) HouseKeys(ctx context.Context) (map[string][]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.house), awaited(ctx, "house keys")
}

// KeepHouseKey keeps a key unless there is one of the name.
func (s *Store) KeepHouseKey(ctx context.Context, name string, wrapped []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	if _, there := s.house[name]; !there {
		s.house[name] = bytes.Clone(wrapped)
	}
	return awaited(ctx, "house keys")
}

// StreamsOf walks all there are.
func (s *Store) StreamsOf(ctx context.Context, subject id.ID) (streams []domain.Stream, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for h := range s.facts.Held {
		if h.Subject == eventstore.SubjectID(subject) {
			streams = append(streams, h.Stream)
		}
	}
	slices.SortFunc(streams, domain.Stream.Compare)
	return streams, awaited(ctx, "streams of")
}

// ForgetRequests walks all there are.
func (s *Store) ForgetRequests(ctx context.Context, age time.Duration, limit int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.facts.Answers {
		if key.Scope == eventstore.RequestScope && n < limit && s.answered[key].Before(s.clock().Add(-age)) {
			delete(s.facts.Answers, key)
			delete(s.answered, key)
			n++
		}
	}
	return n, awaited(ctx, "forget requests")
}

// Idempotent answers from the facts; the bytes are the store's own.
func (s *Store) Idempotent(ctx context.Context, scope, key string) (eventstore.Idempotency, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, found := s.facts.Answers[eventstore.AnswerKey{Scope: scope, Key: key}]
	return i, found, awaited(ctx, "idempotent")
}
