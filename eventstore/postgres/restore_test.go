package postgres

import (
	"errors"
	"slices"
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
// where as much has been appended since, by others or by itself.
func TestARestoreEndsTheTrail(t *testing.T) {
	t.Parallel()
	for name, grow := range map[string]func(*testing.T, string, *appender, int64){
		"by others": func(t *testing.T, url string, _ *appender, n int64) { wantAppend(t, opened(t, url), n) },
		"by itself": func(t *testing.T, _ string, a *appender, n int64) {
			j := newJob(t.Context(), someAppend(someStream(), 0))
			if a.commit([]*job{j}); j.err != nil || j.receipt.First != n {
				t.Errorf("%+v, %v", j.receipt, j.err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Database(t)
			a := idle(t, url, nil)
			streams := []domain.Stream{someStream(), someStream()}
			for expect := range int64(3) {
				if expect > 0 && !a.trail.stands(someAppend(streams[0], expect).Writes[0]) {
					t.Error("it knows nothing")
				}
				for _, err := range together(t, a, streams, expect) {
					if err != nil {
						t.Error(err)
					}
				}
			}
			restored(t, url)
			for n := int64(1); n <= 7; n++ {
				grow(t, url, a, n)
			}
			for _, err := range together(t, a, streams, 3) {
				var conflict *eventstore.Conflict
				if !errors.As(err, &conflict) || conflict.Actual != 0 {
					t.Errorf("appended at version 4 of a stream that has none: %v", err)
				}
			}
			for _, err := range together(t, a, streams, 0) {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// together commits an event on each of some streams as one batch.
func together(t *testing.T, a *appender, streams []domain.Stream, expect int64) (errs []error) {
	t.Helper()
	var jobs []*job
	for _, s := range streams {
		jobs = append(jobs, newJob(t.Context(), someAppend(s, expect)))
	}
	a.judgeUntil = time.Time{}
	a.commit(jobs)
	for _, j := range jobs {
		errs = append(errs, j.err)
	}
	return errs
}

// The trail is of what was appended alone, and of what stands there by the very event.
func TestTheTrailKnowsNoMoreThanIsThere(t *testing.T) {
	t.Parallel()
	a := idle(t, pgtest.Database(t), nil)
	early, there, never := someStream(), someStream(), someStream()
	commit := func(all ...eventstore.Append) (errs []error) {
		var jobs []*job
		for _, one := range all {
			jobs = append(jobs, newJob(t.Context(), one))
		}
		a.judgeUntil = time.Time{}
		a.commit(slices.Clone(jobs))
		for _, j := range jobs {
			errs = append(errs, j.err)
		}
		return errs
	}
	if errs := commit(someAppend(early, 0), someAppend(someStream(), 0)); errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	if errs := commit(someAppend(there, 0), someAppend(never, 5)); errs[0] != nil || errs[1] == nil {
		t.Fatal(errs)
	}
	if a.trail.stands(someAppend(early, 1).Writes[0]) {
		t.Error("a contradiction leaves the trail as it was: it may be what is wrong")
	}
	if errs := commit(someAppend(there, 1), someAppend(never, 6)); errs[0] != nil || errs[1] == nil {
		t.Fatal(errs)
	}
	other := someAppend(there, 2)
	other.Writes[0].After = someEvent().ID
	if errs := commit(someAppend(someStream(), 0), other); errs[0] != nil || errs[1] == nil {
		t.Fatal(errs)
	}
}

func TestTheTrailIsBounded(t *testing.T) {
	t.Parallel()
	trail := newTrail()
	for range maxTrail + 1 {
		trail.end(someAppend(someStream(), 0).Writes[0])
	}
	if n := len(trail.ends); n != 1 {
		t.Errorf("it knows of %d streams", n)
	}
}

// What was committed before an answer was lost need not go together with the rest.
func TestCommitsAreHandedOverByWhatTheyFollow(t *testing.T) {
	t.Parallel()
	handoff := &eventstore.Handoff{}
	commits, end := handoff.Subscribe(4)
	defer end()
	after := func(after eventstore.Mark) *job {
		j := newJob(t.Context(), someAppend(someStream(), 0))
		j.settle(place{last: after})
		return j
	}
	found := after(eventstore.Mark{Position: 4})
	first := after(eventstore.Mark{Position: 8, Event: someEvent().ID})
	second := after(eventstore.Mark{Position: 9, Event: first.lastEvent()})
	(&appender{handoff: handoff}).pass([]*job{found, first, second})
	for _, want := range [][]*job{{found}, {first, second}} {
		c := <-commits
		if len(c.Events) != len(want) || c.After != want[0].after || c.Events[0].Position != want[0].receipt.First {
			t.Errorf("%+v", c)
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
