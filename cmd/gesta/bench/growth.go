package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"gesta/cmd/gesta/loadgen"
	"gesta/domain/identity"
)

// sizes are the histories that are held against each other: the first is what the others are compared with.
var sizes = []int{10_000, 1_000_000, 5_000_000}

// grown is how much longer things may take in a long history.
const grown = 1.3

// growth shows what becomes slower as the history grows: nothing should. Then it starts gesta on the
// longest, and builds its read models anew while it serves.
func (l *lab) growth(ctx context.Context) error {
	var all []*sized
	defer func() {
		for _, s := range all {
			s.close()
		}
	}()
	for _, events := range sizes {
		s, err := l.size(ctx, events)
		if s != nil {
			all = append(all, s)
		}
		if err != nil {
			return err
		}
	}
	if err := l.compareSizes(ctx, all); err != nil {
		return err
	}
	large := all[len(all)-1]
	for _, measure := range []func(context.Context, *sized) error{l.coldStarts, l.rebuildUnderLoad} {
		if err := measure(ctx, large); err != nil {
			return err
		}
	}
	large.stop((*child).end)
	l.add(row{part: "growth", what: "memory of the process through all this at " + large.String() + ", at most", ours: number(large.peak) + " MB", ratio: large.peak, target: atMostOf(300, "MB")})
	return nil
}

// compareSizes measures requests first and appends last, which make the small history grow.
func (l *lab) compareSizes(ctx context.Context, all []*sized) error {
	if err := l.storeReads(ctx, all); err != nil {
		return err
	}
	for _, s := range all {
		began := time.Now()
		if _, err := s.start(ctx); err != nil {
			return err
		}
		if err := s.await(ctx); err != nil {
			return err
		}
		l.progressf("%s: stream and read models are level after %s; memory %.0f MB", s, time.Since(began).Round(time.Second), s.child.peakMemory())
		if err := s.administrator(); err != nil {
			return err
		}
	}
	if err := l.requests(ctx, all); err != nil {
		return err
	}
	for _, s := range all {
		s.stop((*child).end)
	}
	return l.storeAppends(ctx, all)
}

const (
	followed = 5000 // events that are followed from one place
	places   = 8

	often   = 100 // users
	anybody = math.MaxInt
)

func (l *lab) storeReads(ctx context.Context, all []*sized) error {
	err := l.sideBySide(ctx, all, fmt.Sprintf("following %d events from a random place", followed), asRate("events"), 0, func(s *sized) contestant {
		return whole(s.follow)
	})
	if err != nil {
		return err
	}
	for _, m := range []struct {
		readers, users int
		as             figure
	}{{1, anybody, asTime}, {8, anybody, asRate("histories")}, {8, often, asRate("histories")}} {
		what := fmt.Sprintf("the whole history of a user, 20 events, %d readers", m.readers)
		if m.users == often {
			what += fmt.Sprintf(", the same %d users each time, whose pages the server has at hand", often)
		}
		err := l.sideBySide(ctx, all, what, m.as, turn, func(s *sized) contestant {
			return writers(m.readers, 1, func() func(context.Context) error { return s.readUser(m.users) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sized) follow(ctx context.Context) (n int, err error) {
	for range places {
		after := rand.Int64N(int64(s.events - followed))
		for end := after + followed; after < end; {
			events, err := s.store.Read(ctx, after, readPage)
			if err != nil || len(events) == 0 {
				return n, fmt.Errorf("there is nothing after %d: %w", after, err)
			}
			after = events[len(events)-1].Position
			n += len(events)
		}
	}
	return n, nil
}

// readUser reads the history of one of so many users, at most, from all over the history.
func (s *sized) readUser(users int) func(context.Context) error {
	long := len(s.lives) / longEvery
	users = min(users, long)
	return func(ctx context.Context) error {
		l := s.lives[rand.IntN(users)*(long/users)*longEvery]
		events, err := s.store.ReadStream(ctx, identity.UserStream(l.user), 0, 100)
		if err == nil && len(events) < 20 {
			err = fmt.Errorf("%d events of 20", len(events))
		}
		return err
	}
}

func (l *lab) requests(ctx context.Context, all []*sized) error {
	for _, m := range []struct {
		what    string
		as      figure
		workers int
		rate    float64
		status  int
		request func(*sized) func(int) []byte
	}{
		{fmt.Sprintf("GET /users/:id, 1 connection at %d requests/s", calmRate), asTime, 1, calmRate, 200, func(s *sized) func(int) []byte { return s.get }},
		{fmt.Sprintf("GET /users/:id, %d connections", connections), asRate("requests"), connections, 0, 200, func(s *sized) func(int) []byte { return s.get }},
		{fmt.Sprintf("GET /users, the first page and the total, 1 connection at %d requests/s", calmRate), asTime, 1, calmRate, 200, func(s *sized) func(int) []byte { return s.page(1) }},
		{fmt.Sprintf("GET /users, the hundredth page and the total, 1 connection at %d requests/s", calmRate), asTime, 1, calmRate, 200, func(s *sized) func(int) []byte { return s.page(100) }},
		// So many that each user of the smallest is changed once, while nothing of his stream is kept in memory.
		{fmt.Sprintf("PUT /users/:id of a user who has not been loaded, 1 connection at %d requests/s", calmRate), asTime, 1, calmRate, 200, func(s *sized) func(int) []byte { return s.put }},
	} {
		err := l.sideBySide(ctx, all, m.what, m.as, turn, func(s *sized) contestant {
			return func(_ context.Context, lasting time.Duration) (result, error) {
				return sent(traffic(s.child, m.request(s), m.status).Send(m.workers, m.rate, lasting), lasting)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// shortTurn keeps the small history small.
const shortTurn = turn / 5

func (l *lab) storeAppends(ctx context.Context, all []*sized) error {
	err := l.sideBySide(ctx, all, "append, 1 writer", asTime, shortTurn, func(s *sized) contestant { return writers(1, 1, appending(s.store)) })
	if err != nil {
		return err
	}
	return l.sideBySide(ctx, all, "append, 64 writers", asRate("events"), shortTurn, func(s *sized) contestant { return writers(64, 1, appending(s.store)) })
}

// figure is what is shown of a result, and how much time that means each took.
type figure struct {
	show func([]result) string
	time func(result) float64
}

var asTime = figure{func(all []result) string { return "p50 " + millis(time.Duration(medianOf(all, p50))) }, p50}

func asRate(of string) figure {
	show := func(all []result) string { return perSecond(medianOf(all, rate), of) }
	return figure{show, func(r result) float64 { return 1 / r.rate }}
}

// sideBySide measures the sizes in turns. The ratio is that of the times it takes, also where rates are
// shown, of the worst of the larger ones to the smallest.
func (l *lab) sideBySide(ctx context.Context, all []*sized, what string, as figure, lasting time.Duration, start func(*sized) contestant) error {
	var contestants []contestant
	for _, s := range all {
		contestants = append(contestants, start(s))
	}
	took, err := turns(ctx, rounds, lasting, contestants...)
	if err != nil {
		return err
	}
	worst, larger := 0.0, []string{}
	for n, s := range all[1:] {
		worst = max(worst, ratio(took[n+1], took[0], as.time))
		larger = append(larger, s.String()+": "+as.show(took[n+1]))
	}
	l.add(row{
		part: "growth", what: what + "; how many times the time, at worst",
		ours: strings.Join(larger, ", "), reference: all[0].String() + ": " + as.show(took[0]), ratio: worst, target: atMost(grown),
	})
	return nil
}

// load is what goes on while something else is measured.
func (s *sized) load(request func(int) []byte, rate float64, check func(loadgen.Answer) error) func(time.Duration) []loadgen.Sample {
	return func(lasting time.Duration) []loadgen.Sample {
		return loadgen.Traffic{Address: s.child.address, Request: request, Check: check}.Send(16, rate, lasting)
	}
}
