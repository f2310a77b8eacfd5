package projections_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/projections"
)

// behind makes read models that lack the last event of the history.
func behind(t *testing.T) *world {
	t.Helper()
	w, stop := populated(t, 1)
	stop()
	w.exec(`insert into gesta.events (position, stream_kind, stream_id, version, event_id, type, schema, data, metadata, occurred_at, recorded_at)
		values (2, 'test.counter', gen_random_uuid(), 1, gen_random_uuid(), 'test.counter.hit', 1, '{}', '{}', now(), now())`)
	return w
}

// newcomer is a connection of a process that has none yet.
func (w *world) newcomer() *pgxpool.Pool {
	w.t.Helper()
	db, err := projections.Open(w.t.Context(), w.url, "gesta")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(db.Close)
	return db
}

func TestANewConnectionWaitsForTheProjector(t *testing.T) {
	t.Parallel()
	w := behind(t)
	seen := make(chan int64, 1)
	db := w.newcomer()
	go func() {
		position, err := projections.Checkpoint(db, "")(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Error(err)
		}
		seen <- position.Position
	}()
	select {
	case position := <-seen:
		t.Fatalf("it sees position %d at once", position)
	case <-time.After(100 * time.Millisecond):
	}
	w.exec(`update checkpoints set position = 2`)
	if position := <-seen; position != 2 {
		t.Errorf("it sees position %d", position)
	}
}

func TestAProjectorThatStandsStillIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	w := behind(t)
	db := w.newcomer()
	var took [2]time.Duration
	for i := range took {
		began := time.Now()
		if _, err := projections.Checkpoint(db, "")(t.Context()); err != nil {
			t.Fatal(err)
		}
		took[i] = time.Since(began)
		db.Reset()
	}
	if took[0] < 900*time.Millisecond || took[1] > 900*time.Millisecond {
		t.Errorf("waited %s", took)
	}
}
