// Package commands turns requests into decisions: load what happened, decide, append what was decided,
// and wait until readers can see it. There is one file per context beside the executor.
package commands

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel/trace"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// Executor runs decisions against the store.
type Executor struct {
	Store  eventstore.Store
	Vault  *seal.Vault
	Claims Hasher
	// Settle waits, bounded, until readers see what was written on streams up to the position, and tells
	// whether they do.
	Settle func(ctx context.Context, position int64, streams []domain.Stream) bool
	Now    func() time.Time
	Tracer trace.Tracer // nil for no spans

	locks  locks[domain.Stream]
	keys   locks[string]
	mu     sync.Mutex // while states are kept
	states *lru.Cache[domain.Stream, folded]
	doubt  atomic.Int64 // until when kept states are read on before anything is decided; Unix nanoseconds
}

// folded is a stream's state at a version, and the event that led to it.
type folded struct {
	version  int64
	revision int64 // the version of the last event that changed what is shown
	last     id.Event
	state    any
	holds    *holds
	closed   bool // it is somebody's who was forgotten
}

// How many folded states are kept, some hundred bytes each, and how many events of a stream are read at once.
const (
	cachedStates = 20_000
	page         = 1000
)

// How long a work may take when its context has no end of its own, and the pause before it begins anew
// because somebody else's was faster: random up to a bound that doubles.
const (
	workTime   = 10 * time.Second
	firstPause = time.Millisecond
	maxPause   = 50 * time.Millisecond
)

// A state that is kept is most often still the stream's: a work decides on it without asking, since the append
// refuses what follows another event. (That is a round trip less: a fifth of the time from a command until readers
// see it.) Only an append proves it, so what comes to anything else is decided again on what is read. Where it was
// wrong once, another process writes the same streams, and nothing is trusted for a while: each mistake spoils the
// batch it is in.
const doubtTime = time.Minute

func (x *Executor) trusts() bool { return time.Now().UnixNano() >= x.doubt.Load() }

func (x *Executor) distrust() { x.doubt.Store(time.Now().Add(doubtTime).UnixNano()) }

// NewExecutor needs a store, what opens its events, and a hasher; it settles at once and goes by the wall clock
// until told otherwise.
func NewExecutor(s eventstore.Store, v *seal.Vault, h Hasher) *Executor {
	states, err := lru.New[domain.Stream, folded](cachedStates)
	if err != nil {
		panic(err) // The size is a positive constant.
	}
	return &Executor{
		Store: s, Vault: v, Claims: h, states: states, Now: time.Now,
		Settle: func(context.Context, int64, []domain.Stream) bool { return true },
	}
}

// ErrTooLarge refuses what would not fit into one event.
var ErrTooLarge = &domain.Fault{Kind: domain.TooLarge, Code: "too_large", Text: "request is too large"}

// Execute runs one command on its stream and answers the state it led to.
func Execute[S domain.State[S]](ctx context.Context, x *Executor, cmd domain.Command[S]) (after S, err error) {
	err = x.Do(ctx, func(w *Work) error {
		after, err = Decide(w, cmd)
		return err
	})
	return after, err
}

// State is the folded state of a stream as it is now.
func State[S domain.State[S]](ctx context.Context, x *Executor, s domain.Stream) (S, error) {
	f, err := load[S](ctx, x, s)
	if err == nil {
		memoryOf(ctx).remember(s, f.version)
	}
	if err == nil && memoryOf(ctx) == nil { // What a command reads on its way is not what it shows.
		noteRevision(ctx, s, f.revision)
	}
	state, _ := f.state.(S)
	return state, unavailable(err)
}

// StateAt is the state that a stream had at a version.
func StateAt[S domain.State[S]](ctx context.Context, x *Executor, at Revision) (state S, err error) {
	f, _, err := foldOn[S](ctx, x, at.Stream, folded{}, at.Version)
	if err == nil && (at.Version < 1 || f.version != at.Version) {
		err = fmt.Errorf("commands: %s has no version %d", at.Stream, at.Version)
	}
	if err != nil {
		return state, unavailable(err)
	}
	noteRevision(ctx, at.Stream, f.revision)
	return f.state.(S), nil
}

// Do gathers what f decides on any number of streams into one append. It commits only if no stream
// that f looked at has moved meanwhile; otherwise f runs again from the start, so it must do nothing
// but decide. Deciding nothing appends nothing.
func (x *Executor) Do(ctx context.Context, f func(*Work) error) error {
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	var need []domain.Stream
	trust, asked := x.trusts(), false
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		w := &Work{ctx: ctx, x: x, trust: trust, asked: asked}
		err := w.run(need, f)
		if w.again == nil {
			if err == nil {
				w.noteRevisions()
			}
			return unavailable(err)
		}
		need, trust, asked = w.again.need, trust && !w.again.reread, asked || w.again.asked
		if w.again.conflict {
			memoryOf(ctx).forget()
			rest(ctx, rand.N(pause))
		}
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Holder answers which stream holds a claim.
func (x *Executor) Holder(ctx context.Context, c domain.Claim) (domain.Stream, bool, error) {
	s, held, err := x.Store.Holder(ctx, x.Claims.Hash(c))
	return s, held, unavailable(err)
}

// Holders answers all streams that hold a claim in a scope.
func (x *Executor) Holders(ctx context.Context, scope string) ([]domain.Stream, error) {
	s, err := x.Store.Holders(ctx, x.Claims.Scope(scope))
	return s, unavailable(err)
}

// load folds the tail that the cached state has not seen, and caches the result. Where it comes upon somebody who is
// forgotten it begins anew, once: what was folded before may know what must not be known any more.
func load[S domain.State[S]](ctx context.Context, x *Executor, s domain.Stream) (folded, error) {
	was, _ := x.states.Get(s)
	f := was
	if _, same := f.state.(S); !same {
		f = folded{} // Nothing is cached, or somebody folded the stream into another state.
	}
	var forgotten []id.ID
	for {
		now, came, err := foldOn[S](ctx, x, s, f, math.MaxInt64)
		if err != nil {
			return folded{}, err
		}
		fresh := slices.ContainsFunc(came.forgotten, func(s id.ID) bool { return !slices.Contains(forgotten, s) })
		if !came.forked && !fresh {
			x.keep(s, was, now)
			return now, nil
		}
		f, forgotten = folded{}, append(forgotten, came.forgotten...)
	}
}

// news are why a state may have to be folded anew.
type news struct {
	forked    bool    // the store has another history
	forgotten []id.ID // these persons
}

// foldOn folds what follows f, up to a version.
func foldOn[S domain.State[S]](
	ctx context.Context, x *Executor, s domain.Stream, f folded, upTo int64,
) (now folded, n news, err error) {
	state, _ := f.state.(S)
	revises := domain.Revises[S]()
	if f.holds == nil {
		f.holds = &holds{}
	}
	for {
		tail, forked, err := x.tail(ctx, s, f)
		if n.forked = forked; err != nil || forked {
			return f, n, err
		}
		tail = tail[:min(int64(len(tail)), upTo-f.version)]
		opened, err := x.Vault.Decode(ctx, tail...)
		if err != nil {
			return f, n, err
		}
		for i, r := range tail {
			e, err := opened[i].Event, opened[i].Err
			if err != nil {
				return f, n, fmt.Errorf("commands: %s version %d: %w", s, r.Version, err)
			}
			who, forgets := e.(domain.Forgetter)
			if forgets {
				n.forgotten = append(n.forgotten, who.Forgets())
				f.closed = f.closed || closes(who, s)
			}
			if domain.IsOf(s, e) {
				state = state.Evolve(e, r.OccurredAt)
			}
			if forgets || revises(e) {
				f.revision = r.Version
			}
			f.holds.add(opened[i].Subjects...)
			f.version, f.last = r.Version, r.ID
		}
		if f.state = state; len(tail) < page {
			return f, n, nil
		}
	}
}

// closes tells whether nothing more is to happen on a stream, since it is that of somebody who is forgotten.
func closes(e domain.Forgetter, s domain.Stream) bool {
	return e.Forgets() == s.ID && !domain.IsOf(s, e.(domain.Event))
}

// keep keeps a state that was read, unless another has been kept since: who reads need not hold the stream's lock.
func (x *Executor) keep(s domain.Stream, was, now folded) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if is, _ := x.states.Peek(s); is.version == was.version && is.last == was.last {
		x.states.Add(s, now)
	}
}

// tail answers at most a page of events, or one more, that follow a folded state. Like every follower it reads from the last
// one inclusive: when another stands in its place, or none, the store was restored from an older backup.
func (x *Executor) tail(
	ctx context.Context, s domain.Stream, f folded,
) (events []eventstore.Recorded, forked bool, err error) {
	from := max(f.version-1, 0)
	events, surveyed := memoryOf(ctx).take(s, from)
	switch {
	case surveyed:
	case f.version > 0:
		events, err = x.Store.ReadStream(ctx, s, from, page+1)
	default:
		events, err = x.first(ctx, s)
	}
	if f.version == 0 || err != nil {
		return events, false, err
	}
	if len(events) == 0 || events[0].ID != f.last {
		return nil, true, nil
	}
	return events[1:], false, nil
}

// first answers how a stream begins.
func (x *Executor) first(ctx context.Context, s domain.Stream) ([]eventstore.Recorded, error) {
	a, err := x.ask(ctx, eventstore.Survey{Tails: []eventstore.Tail{{Stream: s, Limit: page + 1}}})
	if err != nil {
		return nil, err
	}
	return a.Tails[0], nil
}

// ask asks as well for the keys of those who have the ids of the streams: they are most often the persons that the
// events are about.
func (x *Executor) ask(ctx context.Context, q eventstore.Survey) (eventstore.Surveyed, error) {
	before := x.Vault.Keys.Drops()
	for _, t := range q.Tails {
		q.Subjects = append(q.Subjects, t.Stream.ID)
	}
	q.Subjects = x.Vault.Keys.Missing(q.Subjects...)
	a, err := q.Ask(ctx, x.Store)
	if err == nil {
		x.Vault.Keys.Learn(a.Keys, before)
	}
	return a, err
}

// unavailable gives a store that can't be reached, a deadline that ran out, and what only a newer program
// can read, the word for it.
func unavailable(err error) error {
	switch {
	case errors.Is(err, eventstore.ErrTooLarge):
		return ErrTooLarge
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, domain.ErrUnknownType),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w (%w)", domain.ErrUnavailable, err)
	}
	return err
}
