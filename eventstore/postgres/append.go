package postgres

import (
	"context"

	"gesta/eventstore"
)

// Append hands a to the appender and awaits its verdict as long as ctx allows. The bytes that a holds
// belong to the store from then on. An append whose ctx ends before its turn is never applied.
func (s *Store) Append(ctx context.Context, a eventstore.Append) (eventstore.Receipt, error) {
	if err := a.Check(); err != nil {
		return eventstore.Receipt{}, err
	}
	if ctx.Err() != nil {
		return eventstore.Receipt{}, late(ctx)
	}
	j := newJob(ctx, a)
	if err := s.appender.queue.put(j); err != nil {
		return eventstore.Receipt{}, err
	}
	return j.wait(ctx)
}
