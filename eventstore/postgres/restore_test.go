package postgres

import (
	"errors"
	"testing"
	"time"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
	"gesta/migrations"
)

// restored has the schema be lost, with all that is in it, and begun anew.
func restored(t *testing.T, url string) {
	t.Helper()
	if _, err := connected(t, url).Exec(t.Context(), `drop schema gesta, gesta_keys cascade`); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), url, DefaultSchema); err != nil {
		t.Fatal(err)
	}
}

// What an appender knows to be there it does not ask for, batch after batch, until a restore has taken it back: also
// where others have appended as much since.
func TestARestoreEndsTheTrail(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.Database(t)
	a := idle(t, url, nil)
	streams := []domain.Stream{someStream(), someStream()}
	batch := func(expect int64) (jobs []*job) {
		for _, s := range streams {
			jobs = append(jobs, newJob(ctx, someAppend(s, expect)))
		}
		a.judgeUntil = time.Time{}
		a.commit(jobs)
		return jobs
	}
	for expect := range int64(3) {
		if expect > 0 && !a.trail.stands(someAppend(streams[0], expect).Writes[0]) {
			t.Error("it knows nothing")
		}
		for _, j := range batch(expect) {
			if j.err != nil {
				t.Error(j.err)
			}
		}
	}
	restored(t, url)
	other := opened(t, url)
	for n := int64(1); n <= 6; n++ {
		wantAppend(t, other, n)
	}
	for _, j := range batch(3) {
		var conflict *eventstore.Conflict
		if !errors.As(j.err, &conflict) || conflict.Actual != 0 {
			t.Errorf("appended at version 4 of a stream that has none: %v", j.err)
		}
	}
	for _, j := range batch(0) {
		if j.err != nil {
			t.Error(j.err)
		}
	}
}

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
	restored(t, url)
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
