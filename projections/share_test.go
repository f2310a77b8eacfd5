package projections_test

import (
	"testing"

	"gesta/projections"
)

// Who reads meanwhile waits no longer than for a small batch.
func TestARebuildWritesLittleAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hits(1200)
	w.run(w.projector(projections.Projection{
		Name: "lines", Tables: `create table lines (position bigint not null primary key)`,
		Rules: []projections.Rule{projections.On(func(w projections.Write, _ hit) {
			w.Exec(`insert into lines values ($1)`, w.Event.Position)
		})},
	}))
	w.awaitStanding(1200)
	w.rebuild(false, projections.Done)
	if most := w.ask1(`select max(n) from (select count(*) n from lines group by xmin) each`); most > 100 {
		t.Errorf("%d events were written together", most)
	}
	if n := w.ask1(`select count(*) from lines`); n != 1200 {
		t.Errorf("%d events of 1200", n)
	}
}
