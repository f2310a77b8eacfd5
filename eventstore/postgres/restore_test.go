package postgres

import (
	"errors"
	"testing"

	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
	"gesta/migrations"
)

// A schema that is restored under an open connection takes streams back: nothing is appended after events
// that are no longer there.
func TestARestoreUnderTheAppenderLeavesNoGap(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.Database(t)
	s, stream := opened(t, url), someStream()
	for version := range int64(3) {
		if _, err := s.Append(ctx, someAppend(stream, version)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := connected(t, url).Exec(ctx, `drop schema gesta, gesta_keys cascade`); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(ctx, url, DefaultSchema); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(t, url).Append(ctx, someAppend(stream, 0)); err != nil {
		t.Fatal(err)
	}
	var conflict *eventstore.Conflict
	if _, err := s.Append(ctx, someAppend(stream, 3)); !errors.As(err, &conflict) || conflict.Actual != 1 {
		t.Errorf("appended at version 4 of a stream that has 1: %v", err)
	}
	if _, err := s.Append(ctx, someAppend(stream, 1)); err != nil {
		t.Error(err)
	}
}
