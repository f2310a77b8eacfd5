package projections

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
)

// Fence lets a request wait until the read models have passed a position, so that whoever writes reads
// what he wrote. The projector of this process tells it where it stands; for one in another process it
// reads the checkpoint itself, while somebody waits. Its mark goes back when the checkpoint does.
type Fence struct {
	Checkpoint func(context.Context) (Standing, error)
	Parked     func(context.Context, []domain.Stream) (bool, error) // is asked only when any stream is parked
	Bound      time.Duration                                        // how long a request waits at the most

	once    sync.Once
	kick    chan struct{} // look now
	joined  chan struct{} // somebody waits: see when to look next
	mu      sync.Mutex
	seen    Standing
	looked  int   // how often the checkpoint was read
	slow    bool  // the projector is known to lag, so that nobody waits for more than it can reach,
	pace    int64 // which is so much from where it stands: nothing while it stands still,
	missed  int64 // until it has passed what was given up
	waiting map[chan Standing]int64
	since   time.Time // somebody waits
}

// How often the checkpoint is read: while somebody waits, and while read models lag or stand still.
const (
	pollWhileWaited = 25 * time.Millisecond
	pollWhileStill  = 250 * time.Millisecond
)

// Settle waits until readers see what was written on streams up to a position, and tells whether they do.
func (f *Fence) Settle(ctx context.Context, position int64, streams []domain.Stream) bool {
	s, passed := f.await(ctx, position)
	if !passed || s.Stale {
		return false
	}
	if !s.Parked {
		return true
	}
	parked, err := f.Parked(ctx, streams)
	return err == nil && !parked
}

// Await waits until the position is passed and tells whether all readers see it. It gives up at the
// bound, at the end of ctx, and at once when the projector is known to stand still, or to lag by more than
// it can make up for in that time: whoever waits holds a place that others could use. It waits as well
// while some read models stand still, for the others, but then they don't see it all.
func (f *Fence) Await(ctx context.Context, position int64) bool {
	s, passed := f.await(ctx, position)
	return passed && !s.Stale
}

// await answers where the read models stood when the position was passed.
func (f *Fence) await(ctx context.Context, position int64) (s Standing, is bool) {
	passed, began, wait := f.join(position)
	if !wait {
		return began.Standing, passed == nil
	}
	defer f.leave(passed)
	timeout := time.NewTimer(f.Bound)
	defer timeout.Stop()
	select {
	case s = <-passed:
		return s, true
	case <-ctx.Done():
	case <-timeout.C:
		f.suspect(began, position)
	}
	return s, false
}

// join answers nil and no wait for a position that is passed, a channel and no wait for one that
// waiting would not help.
func (f *Fence) join(position int64) (passed chan Standing, began view, wait bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	began = view{f.seen, f.looked}
	if position <= f.seen.Position {
		return nil, began, false
	}
	passed = make(chan Standing, 1)
	if f.slow && position > f.seen.Position+f.pace {
		f.missed = max(f.missed, position)
		return passed, began, false
	}
	if len(f.waiting) == 0 {
		f.waiting, f.since = map[chan Standing]int64{}, time.Now()
	}
	f.waiting[passed] = position
	f.channels()
	signal(f.joined)
	return passed, began, true
}

// view is what the fence has seen at some time.
type view struct {
	Standing
	looked int
}

func (f *Fence) leave(passed chan Standing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting, passed)
}

// suspect notes how far the mark has moved in as long as anybody would wait, if the fence could see.
func (f *Fence) suspect(began view, missed int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	moved := f.seen.Position - began.Position
	if f.slow = moved > 0 || moved == 0 && f.looked > began.looked; f.slow {
		f.pace, f.missed = moved, max(f.missed, missed)
	}
}

// Passed tells the fence where the projector stands.
func (f *Fence) Passed(s Standing) { f.move(s) }

func (f *Fence) saw(s Standing) {
	f.mu.Lock()
	f.looked++
	f.mu.Unlock()
	f.move(s)
}

func (f *Fence) move(s Standing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	position := s.Position
	if was := f.seen.Position; position >= f.missed || position < was || f.pace == 0 && position != was {
		f.slow, f.missed = false, 0
	}
	f.seen = s
	for passed, wanted := range f.waiting {
		if wanted <= position {
			passed <- s // There is room, and this is the only time.
			delete(f.waiting, passed)
		}
	}
}

// Wake makes the fence look at the checkpoint now.
func (f *Fence) Wake() {
	f.channels()
	signal(f.kick)
}

func (f *Fence) channels() {
	f.once.Do(func() { f.kick, f.joined = make(chan struct{}, 1), make(chan struct{}, 1) })
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run reads the checkpoint when it should, until ctx ends. That somebody begins to wait is no reason to
// look at once: a projector in this process will tell within a millisecond, and one elsewhere will hint.
func (f *Fence) Run(ctx context.Context) error {
	f.channels()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-f.joined:
			continue
		case <-f.kick:
		case <-f.poll(last):
		}
		if s, err := f.Checkpoint(ctx); err == nil {
			f.saw(s)
		}
		last = time.Now()
	}
}

// poll answers a channel that never fires while nobody wants to know.
func (f *Fence) poll(last time.Time) <-chan time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(f.waiting) > 0:
		return time.After(pollWhileWaited - min(time.Since(last), time.Since(f.since)))
	case f.slow, f.seen.Stale:
		return time.After(pollWhileStill - time.Since(last))
	}
	return nil
}

// Checkpoint reads where the read models stand; the zero Standing where there are none yet, and where they
// show another history than that of the schema of the truth: then they have passed nothing of it. Without
// a schema the history is not asked.
func Checkpoint(db *pgxpool.Pool, truth string) func(context.Context) (Standing, error) {
	sql := `select position, stale, exists (select from parked) from checkpoints as c where follower = $1` + inHistory(truth) +
		` order by era desc limit 1`
	return func(ctx context.Context) (s Standing, err error) {
		err = db.QueryRow(ctx, sql, follower).Scan(&s.Position, &s.Stale, &s.Parked)
		if errors.Is(err, pgx.ErrNoRows) || isMissing(err) {
			return Standing{}, nil
		}
		return s, err
	}
}

// inHistory holds for a checkpoint whose event is where it was seen, and for one at the beginning.
func inHistory(truth string) string {
	if truth == "" {
		return ""
	}
	return ` and (c.position = 0 or exists (select from ` + pgx.Identifier{truth, "events"}.Sanitize() + ` as e
		where e.position = c.position and e.event_id = c.event_id))`
}
