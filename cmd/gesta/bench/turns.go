package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gesta/cmd/gesta/loadgen"
)

// result is what one turn of a contestant came to.
type result struct {
	rate     float64 // a second
	p50, p99 time.Duration
	late     time.Duration // p99 of how late the load itself was; 0 where each waits for the answer before
}

// contestant does what it does for some time.
type contestant func(ctx context.Context, lasting time.Duration) (result, error)

// turns lets the contestants run in turns, so that whatever else happens on the machine meets all of them
// alike. The first turns, in which caches are filled and connections made, don't count. The answer has one
// list for each contestant.
func turns(ctx context.Context, rounds int, lasting time.Duration, all ...contestant) ([][]result, error) {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	return inTurns(ctx, rounds, lasting, func() []int { return order }, all...)
}

// turnsAtRandom is turns in another order each round: what the machine does every few seconds, such as writing to its
// disk, would meet the same contestant each time, if a round took as long.
func turnsAtRandom(ctx context.Context, rounds int, lasting time.Duration, all ...contestant) ([][]result, error) {
	return inTurns(ctx, rounds, lasting, func() []int { return rand.Perm(len(all)) }, all...)
}

func inTurns(ctx context.Context, rounds int, lasting time.Duration, order func() []int, all ...contestant) ([][]result, error) {
	results := make([][]result, len(all))
	for round := range rounds + 1 {
		for _, i := range order() {
			r, err := all[i](ctx, lasting)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				results[i] = append(results[i], r)
			}
		}
	}
	return results, nil
}

// ratio is the median of the ratios of what was measured in the same round.
func ratio(ours, reference []result, of func(result) float64) float64 {
	var ratios []float64
	for i := range ours {
		ratios = append(ratios, of(ours[i])/of(reference[i]))
	}
	return median(ratios)
}

func medianOf(all []result, of func(result) float64) float64 {
	var values []float64
	for _, r := range all {
		values = append(values, of(r))
	}
	return median(values)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

func rate(r result) float64 { return r.rate }
func p50(r result) float64  { return float64(r.p50) }
func p99(r result) float64  { return float64(r.p99) }

// times shows the median p50 and p99 of some results.
func times(all []result) string {
	return "p50 " + millis(time.Duration(medianOf(all, p50))) + ", p99 " + millis(time.Duration(medianOf(all, p99)))
}

// writers are so many that do one thing after the other; each gets its own by start. What one do counts for
// is size.
func writers(count, size int, start func() func(context.Context) error) contestant {
	var all []func(context.Context) error
	for range count {
		all = append(all, start())
	}
	return func(ctx context.Context, lasting time.Duration) (result, error) {
		var mu sync.Mutex
		var took []time.Duration
		begin := time.Now()
		working, ctx := errgroup.WithContext(ctx)
		for _, do := range all {
			working.Go(func() error {
				var mine []time.Duration
				for last := time.Now(); last.Sub(begin) < lasting; {
					if err := do(ctx); err != nil {
						return err
					}
					now := time.Now()
					mine, last = append(mine, now.Sub(last)), now
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, mine...)
				return nil
			})
		}
		err := working.Wait()
		r := result{rate: float64(len(took)*size) / time.Since(begin).Seconds()}
		r.p50, r.p99 = loadgen.Quantile(.5, took), loadgen.Quantile(.99, took)
		return r, err
	}
}

// each does something for every number below count, a few at once.
func each(count int, do func(n int) error) error {
	working := new(errgroup.Group)
	working.SetLimit(8)
	for n := range count {
		working.Go(func() error { return do(n) })
	}
	return working.Wait()
}
