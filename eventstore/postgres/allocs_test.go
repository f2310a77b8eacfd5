package postgres

import (
	"testing"

	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
)

// What one append of one event allocates, the appender's part included: 31 were measured with Go 1.26. It
// does not run beside other tests, since everybody's allocations count.
func TestAllocationsOfAnAppend(t *testing.T) {
	pgtest.SkipUnderRace(t)
	s := opened(t, pgtest.Database(t))
	appends := make([]eventstore.Append, 501)
	for i := range appends {
		appends[i] = someAppend(someStream(), 0)
	}
	const most = 34
	next := 0
	if n := testing.AllocsPerRun(len(appends)-1, func() {
		if _, err := s.Append(t.Context(), appends[next]); err != nil {
			t.Error(err)
		}
		next++
	}); n > most {
		t.Errorf("%.0f allocations, more than %d", n, most)
	}
}
