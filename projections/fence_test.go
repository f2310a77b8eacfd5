package projections_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gesta/domain"
	"gesta/projections"
)

// fence runs over a checkpoint that the test moves.
func fence(t *testing.T, checkpoint *atomic.Int64) *projections.Fence {
	t.Helper()
	f := &projections.Fence{
		Bound:      2 * time.Second,
		Checkpoint: func(context.Context) (projections.Standing, error) { return at(checkpoint.Load()), nil },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

func at(position int64) projections.Standing { return projections.Standing{Position: position} }

func TestFencePassesWhatTheProjectorHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checkpoint atomic.Int64
		f := fence(t, &checkpoint)
		checkpoint.Store(5)
		f.Passed(at(5))
		if !f.Await(t.Context(), 5) {
			t.Error("a position that is passed is waited for")
		}
	})
}

func TestFenceSeesAProjectorElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checkpoint atomic.Int64
		f := fence(t, &checkpoint)
		began := time.Now()
		time.AfterFunc(30*time.Millisecond, func() { checkpoint.Store(7) })
		if !f.Await(t.Context(), 7) {
			t.Error("never passed")
		}
		if took := time.Since(began); took > 60*time.Millisecond {
			t.Errorf("passed after %s", took)
		}
	})
}

func TestFenceIsBoundedAndThenDoesNotWaitForAProjectorThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checkpoint atomic.Int64
		f := fence(t, &checkpoint)
		began := time.Now()
		if f.Await(t.Context(), 1) || time.Since(began) != 2*time.Second {
			t.Errorf("gave up after %s", time.Since(began))
		}
		began = time.Now()
		if f.Await(t.Context(), 2) || time.Since(began) != 0 {
			t.Errorf("waited %s for a projector that stands still", time.Since(began))
		}
		checkpoint.Store(1)
		<-time.After(time.Second) // Until the fence has looked again.
		time.AfterFunc(100*time.Millisecond, func() { checkpoint.Store(2) })
		if !f.Await(t.Context(), 2) {
			t.Error("a projector that moves again is not waited for")
		}
	})
}

// A projector that catches up would have every write wait in vain until it has: only what it can reach in
// time is waited for.
func TestFenceWaitsOnlyForWhatAProjectorThatLagsCanReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checkpoint atomic.Int64
		f := fence(t, &checkpoint)
		ticks := time.NewTicker(100 * time.Millisecond)
		defer ticks.Stop()
		go func() {
			for range 1000 {
				select {
				case <-ticks.C:
					checkpoint.Add(1)
				case <-t.Context().Done():
					return
				}
			}
		}()
		for _, c := range []struct {
			after, position int64
			passed          bool
			least, most     time.Duration
		}{
			{0, 100, false, 2 * time.Second, 2 * time.Second}, // Nothing is known yet.
			{20, 101, false, 0, 0},
			{40, 102, false, 0, 0},
			{40, 60, true, time.Second, 2 * time.Second},
			{103, 200, false, 2 * time.Second, 2 * time.Second}, // It is level: the next one finds out anew.
		} {
			for checkpoint.Load() < c.after {
				<-time.After(10 * time.Millisecond)
			}
			<-time.After(300 * time.Millisecond) // Until the fence has looked again.
			began := time.Now()
			passed := f.Await(t.Context(), c.position)
			if took := time.Since(began); passed != c.passed || took < c.least || took > c.most {
				t.Errorf("after %d: %d is passed: %t, after %s", c.after, c.position, passed, took)
			}
		}
	})
}

func TestFenceGoesBackWithTheCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checkpoint atomic.Int64
		f := fence(t, &checkpoint)
		f.Passed(at(9))
		f.Wake() // The checkpoint says 0: a crash took it back.
		synctest.Wait()
		if f.Await(t.Context(), 9) {
			t.Error("passed what was taken back")
		}
	})
}

func TestFenceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checkpoint atomic.Int64
		f := fence(t, &checkpoint)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if f.Await(ctx, 1) || time.Since(began) != time.Second {
			t.Errorf("gave up after %s", time.Since(began))
		}
	})
}

func TestFenceSeesThatARebuildIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rebuilt atomic.Bool
		f := &projections.Fence{Bound: time.Second, Checkpoint: func(context.Context) (projections.Standing, error) {
			return projections.Standing{Position: 5, Stale: !rebuilt.Load()}, nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		if f.Await(t.Context(), 5) {
			t.Error("what waits for a rebuild is taken for level")
		}
		rebuilt.Store(true)
		<-time.After(time.Second)
		if !f.Await(t.Context(), 5) {
			t.Error("the rebuild was never noticed")
		}
		cancel()
		<-done
	})
}

// What a request wrote on a parked stream is not to be seen, and what waits for a rebuild neither; whether
// any stream is parked comes with the position, so that the stream is asked for only then.
func TestFenceTellsWhatReadersDoNotSee(t *testing.T) {
	t.Parallel()
	held, free := stream("held"), stream("free")
	asked := 0
	f := &projections.Fence{Bound: time.Second, Parked: func(_ context.Context, streams []domain.Stream) (bool, error) {
		asked++
		return slices.Contains(streams, held), nil
	}}
	for _, c := range []struct {
		name    string
		stands  projections.Standing
		streams []domain.Stream
		sees    bool
		asks    int
	}{
		{"nothing is parked", at(5), []domain.Stream{held}, true, 0},
		{"another stream is parked", projections.Standing{Position: 5, Parked: true}, []domain.Stream{free}, true, 1},
		{"the stream is parked", projections.Standing{Position: 5, Parked: true}, []domain.Stream{free, held}, false, 1},
		{"some read models stand still", projections.Standing{Position: 5, Stale: true}, []domain.Stream{free}, false, 0},
	} {
		asked = 0
		f.Passed(c.stands)
		if sees := f.Settle(t.Context(), 5, c.streams); sees != c.sees || asked != c.asks {
			t.Errorf("%s: %t after %d questions", c.name, sees, asked)
		}
	}
}
