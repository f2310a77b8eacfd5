package projections_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/domain/id"
	"gesta/projections"
)

func (w *world) verify(p *projections.Projector) projections.Verification {
	w.t.Helper()
	v, err := projections.Verify(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// Verifying finds nothing while all moves and is right, and just the row that is wrong while all moves.
func TestVerifyWhileAllMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.projector(hits(1, "1"), tally(1))
	w.run(p)
	w.hits(900)
	w.expect(900, 900)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var written atomic.Int64
	load.Go(func() {
		for ctx.Err() == nil {
			w.hits(10)
			w.awaitStanding(900 + written.Add(10))
		}
	})
	for range 5 {
		if v := w.verify(p); !v.Sound() || v.Position < 900 || !cmp.Equal(v.Tables, []string{"hits", "tally"}) {
			t.Errorf("%+v", v)
		}
	}
	w.exec(`update hits set n = n + 1 where name = '2'`)
	want := []projections.Difference{{Table: "hits", Key: []string{"2"}, Columns: []string{"n"}}}
	if v := w.verify(p); !cmp.Equal(v.Differences, want) || v.Sound() {
		t.Errorf("%+v", v)
	}
	stop()
	load.Wait()
	w.expect(900+written.Load(), 901+written.Load())
	w.schemas("gesta_read")
}

// It needs nobody who projects, and says what keeps the read models from being all of the history.
func TestVerifySaysWhatStandsStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mended atomic.Bool
	p := w.projector(brittle(&mended))
	if _, err := projections.Verify(t.Context(), p); err == nil {
		t.Error("nothing is verified")
	}
	stop := w.run(p)
	bad := stream("bad")
	for version, data := range []string{`{"name":"b"}`, `{"name":"encode"}`, `{"name":"b"}`} {
		w.appendTo(bad, int64(version), "test.counter.hit", data)
	}
	w.expect(3, 1)
	stop()
	w.hits(5)
	if v := w.verify(p); len(v.Parked) != 1 || v.Parked[0].Stream != bad || len(v.Differences) > 0 || v.Sound() {
		t.Errorf("%+v", v)
	}
	mended.Store(true)
	if v := w.verify(p); len(v.Parked) != 1 || len(v.Differences) != 1 {
		t.Errorf("%+v", v)
	}
	changed := brittle(&mended)
	changed.Revision = 1
	if v := w.verify(w.projector(changed)); !v.Stale || v.Sound() || len(v.Tables) > 0 {
		t.Errorf("%+v", v)
	}
	w.exec(`update checkpoints set event_id = $1`, [16]byte(id.Named("another history")))
	if v := w.verify(p); v.Forked == nil || v.Sound() {
		t.Errorf("%+v", v)
	}
}
