package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gesta/cmd/gesta/loadgen"
	"gesta/projections"
)

// What goes on while read models are built anew.
const (
	steadyReads  = 200 // a second
	steadyWrites = 50
	calmTurns    = 20 // before, and after
	slower       = 3  // times, at most
)

// steady is the load and what came of it.
type steady struct {
	*sized
	pending       atomic.Int64
	reads, writes []loadgen.Sample
}

// rebuildUnderLoad builds all read models anew while they are read and changed.
func (l *lab) rebuildUnderLoad(ctx context.Context, s *sized) error {
	calm, during := &steady{sized: s}, &steady{sized: s}
	if err := calm.times(calmTurns); err != nil {
		return err
	}
	took, events, err := l.rebuildWhile(ctx, s, during)
	if err != nil {
		return err
	}
	if err := calm.times(calmTurns); err != nil { // Whatever else the machine does changes meanwhile.
		return err
	}
	l.add(row{
		part: "growth", what: fmt.Sprintf("all read models of %s built anew, filled, compared and put in place, at %d GET/s and %d PUT/s", s, steadyReads, steadyWrites),
		ours: perSecond(float64(events)/took.Seconds(), "events") + ", " + took.Round(time.Second).String(),
	})
	for _, m := range []struct {
		what       string
		ours, calm []loadgen.Sample
	}{{"reads", during.reads, calm.reads}, {"writes", during.writes, calm.writes}} {
		now, then := summed(m.ours), summed(m.calm)
		l.add(row{
			part: "growth", what: m.what + " during the rebuild, p99 against before and after", ours: times([]result{now}), reference: times([]result{then}),
			ratio: p99(now) / p99(then), target: atMost(slower),
		})
	}
	pending, all := during.pending.Load(), int64(len(during.writes))
	l.add(row{
		part: "growth", what: "writes during the rebuild whose answer shows what was written, not X-Read-Model: pending, against all of them",
		ours: fmt.Sprint(all - pending), reference: fmt.Sprint(all), ratio: float64(all-pending) / float64(all), target: atLeast(1),
	})
	return nil
}

// rebuildWhile answers how long a rebuild takes during which a load goes on.
func (l *lab) rebuildWhile(ctx context.Context, s *sized, load *steady) (took time.Duration, events int64, err error) {
	db, err := pool(ctx, s.Owner, 1)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	r := projections.Rebuilds{DB: db, Schema: schema}
	id, err := r.Request(ctx, false)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	ended, loaded := make(chan struct{}), make(chan error)
	go func() { loaded <- load.until(ended) }()
	state, err := l.watchRebuild(ctx, r, id)
	took = time.Since(began)
	close(ended)
	err = errors.Join(err, <-loaded)
	if err == nil && state.State != projections.Done {
		err = fmt.Errorf("the rebuild has ended as %s: %+v", state.State, state.Detail)
	}
	return took, state.Position, err
}

// watchRebuild says how far it is now and then.
func (l *lab) watchRebuild(ctx context.Context, r projections.Rebuilds, id int64) (state projections.Rebuild, err error) {
	began, said, was := time.Now(), time.Now(), projections.Requested
	for err == nil && !state.State.Ended() {
		if state, err = r.Get(ctx, id); state.State != was || time.Since(said) > 30*time.Second {
			said, was = time.Now(), state.State
			l.progressf("rebuild: %s, %d of %d, %s", state.State, state.Position, state.Target, time.Since(began).Round(time.Second))
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return state, err
}

// until goes on until something has ended.
func (s *steady) until(ended <-chan struct{}) error {
	for {
		select {
		case <-ended:
			return nil
		default:
		}
		if err := s.run(turn); err != nil {
			return err
		}
	}
}

func (s *steady) times(count int) error {
	for range count {
		if err := s.run(turn); err != nil {
			return err
		}
	}
	return nil
}

// run reads and writes for some time.
func (s *steady) run(lasting time.Duration) error {
	var both sync.WaitGroup
	var reads, writes []loadgen.Sample
	both.Go(func() { reads = s.load(s.get, steadyReads, s.check)(lasting) })
	both.Go(func() { writes = s.load(s.put, steadyWrites, s.check)(lasting) })
	both.Wait()
	s.reads, s.writes = append(s.reads, reads...), append(s.writes, writes...)
	for _, one := range append(reads, writes...) {
		if one.Err != nil {
			return one.Err
		}
	}
	return nil
}

func (s *steady) check(a loadgen.Answer) error {
	if a.Status != 200 {
		return fmt.Errorf("%d %s", a.Status, a.Text)
	}
	if a.Header().Get("X-Read-Model") != "" {
		s.pending.Add(1)
	}
	return nil
}

func summed(all []loadgen.Sample) result {
	return result{p50: loadgen.Within(.5, all, loadgen.Sample.Waited), p99: loadgen.Within(.99, all, loadgen.Sample.Waited)}
}
