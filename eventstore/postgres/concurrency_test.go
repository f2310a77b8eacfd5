package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
)

// TestATailMissesNothing follows the history beside 64 writers in two processes' worth of stores, a
// third of whose appends are refused.
func TestATailMissesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	stores := []*Store{opened(t, url), opened(t, url)}
	var committed sync.Map // position → event id
	var total atomic.Int64
	var writers sync.WaitGroup
	for i := range 64 {
		writers.Go(func() {
			for n := range 60 {
				a := someAppend(someStream(), 0)
				switch n % 3 {
				case 1:
					a.Writes = append(a.Writes, someAppend(someStream(), 0).Writes...)
				case 2:
					a.Writes[0].Expect = int64(n % 2)
					a.Writes[0].Take = []eventstore.Claim{{Name: eventstore.Hash{byte(n)}}}
				}
				if r, err := stores[i%2].Append(t.Context(), a); err == nil {
					total.Add(r.Last - r.First + 1)
					for k, w := range a.Writes {
						committed.Store(r.First+int64(k), w.Events[0].ID)
					}
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	seen := follow(t, stores[0], done)
	if int64(len(seen)) != total.Load() {
		t.Errorf("%d events were committed and %d seen", total.Load(), len(seen))
	}
	for i, e := range seen {
		if want, _ := committed.Load(e.Position); want != e.ID || e.Position != int64(i)+1 {
			t.Fatalf("%d events in, position %d holds %v, not %v", i, e.Position, e.ID, want)
		}
		if i > 0 && e.RecordedAt.Before(seen[i-1].RecordedAt) {
			t.Fatalf("position %d was recorded before the one before", e.Position)
		}
	}
}

// follow reads what comes after what it has seen, until nothing does when all writers are done.
func follow(t *testing.T, s *Store, done <-chan struct{}) (seen []eventstore.Recorded) {
	for last := false; ; {
		events, err := s.Read(t.Context(), int64(len(seen)), 50)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, events...)
		if last && len(events) == 0 {
			return seen
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
}

// TestAClaimHasOneHolder lets 32 streams race for each of some names over two stores.
func TestAClaimHasOneHolder(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	stores := []*Store{opened(t, url), opened(t, url)}
	for range 10 {
		claim := eventstore.Claim{Name: eventstore.Hash(id.New(time.Now()))}
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				a := someAppend(someStream(), 0)
				a.Writes[0].Take = []eventstore.Claim{claim}
				_, err := stores[i%2].Append(t.Context(), a)
				if _, taken := errors.AsType[*eventstore.ClaimTaken](err); err == nil {
					won.Add(1)
				} else if !taken {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d took the claim", won.Load())
		}
	}
}

// asked and told are an operation on one stream: a read when there is no id to append.
type asked struct {
	id     string
	expect int
}

type told struct {
	ids     string // what a read saw
	version int    // of a conflict, or -1 for an append that was accepted
	unknown bool   // nobody waited for the answer
}

// stream is what one stream promises: its state is the ids of its events, one after the other.
var stream = porcupine.NondeterministicModel{
	Init: func() []any { return []any{""} },
	Step: func(state, input, output any) []any {
		ids, in, out := state.(string), input.(asked), output.(told)
		version := strings.Count(ids, ",")
		accepted := version == in.expect
		switch {
		case in.id == "" && out.ids == ids:
			return []any{ids}
		case in.id == "":
			return nil
		case out.unknown && accepted:
			return []any{ids, ids + in.id + ","}
		case out.unknown:
			return []any{ids}
		case out.version < 0 && accepted:
			return []any{ids + in.id + ","}
		case !accepted && out.version == version:
			return []any{ids}
		}
		return nil
	},
	Equal: func(a, b any) bool { return a == b },
}

// TestAStreamIsLinearizable has eight clients over two stores append to one stream and read it, some
// of them too impatient for the answer.
func TestAStreamIsLinearizable(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	stores := []*Store{opened(t, url), opened(t, url)}
	s, begin := someStream(), time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			known := 0
			for range 40 {
				in, out := asked{}, told{}
				call := time.Since(begin)
				if rand.N(3) == 0 {
					events, err := stores[rand.N(2)].ReadStream(t.Context(), s, 0, 1000)
					if err != nil {
						t.Error(err)
					}
					known, out.ids = len(events), idsOf(events)
				} else {
					a := someAppend(s, int64(known))
					in = asked{id: a.Writes[0].Events[0].ID.String(), expect: known}
					out = impatient(t, stores[rand.N(2)], a)
					known = max(known, out.version)
				}
				answered := time.Since(begin)
				if out.unknown {
					answered = time.Hour
				}
				mu.Lock()
				history = append(history, porcupine.Operation{
					ClientId: c, Input: in, Output: out, Call: int64(call), Return: int64(answered),
				})
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	if result := porcupine.CheckOperationsTimeout(stream.ToModel(), history, 30*time.Second); result != porcupine.Ok {
		t.Errorf("the history of %d operations is not linearizable: %v", len(history), result)
	}
}

func idsOf(events []eventstore.Recorded) string {
	var ids strings.Builder
	for _, e := range events {
		fmt.Fprint(&ids, e.ID, ",")
	}
	return ids.String()
}

// impatient gives up one in ten appends before long.
func impatient(t *testing.T, s *Store, a eventstore.Append) told {
	ctx := t.Context()
	if rand.N(10) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rand.N(time.Millisecond))
		defer cancel()
	}
	_, err := s.Append(ctx, a)
	if conflict, ok := errors.AsType[*eventstore.Conflict](err); ok {
		return told{version: int(conflict.Actual)}
	}
	if err != nil && !errors.Is(err, eventstore.ErrUnavailable) {
		t.Error(err)
	}
	return told{version: -1, unknown: err != nil}
}
