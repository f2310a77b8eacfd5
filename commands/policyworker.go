package commands

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"gesta/eventstore"
	"gesta/eventstore/leader"
	"gesta/eventstore/seal"
	"gesta/eventstore/timers"
)

// PolicyWorker follows the history and has policies react to it: to each event from its checkpoint on,
// and to no event before it. All fields but Tracer are needed.
type PolicyWorker struct {
	Policies []Policy
	Contexts Contexts
	Store    eventstore.Store
	Vault    *seal.Vault
	Feed     Feed
	Timers   Timers
	Lead     func(ctx context.Context, lead func(context.Context) error) error // one worker at a time
	Now      func() time.Time
	Reacted  func(policy, outcome string) // told after each reaction
	Log      *slog.Logger
	Tracer   trace.Tracer // nil for no spans

	turns leader.Turns
}

// Feed hands on the history after a mark, each event once and in order, at most max at a time, until
// ctx ends or handle fails.
type Feed interface {
	Follow(ctx context.Context, from eventstore.Mark, max int, handle func(context.Context, []eventstore.Recorded) error) error
}

// Timers keep the checkpoint and what is yet to be done. timers.Table and timers.Memory are such.
type Timers interface {
	Begin(context.Context) (at eventstore.Mark, whole bool, err error)
	Restore(context.Context, []timers.Timer) error
	Start(context.Context, eventstore.Mark) error
	Move(ctx context.Context, from, to eventstore.Mark, set []timers.Timer) error
	Due(ctx context.Context, now time.Time, limit int) ([]timers.Timer, error)
	Done(context.Context, timers.Timer) error
	Postpone(context.Context, timers.Timer) error
}

const (
	policyBatch      = 100                    // events after which the checkpoint moves, at the latest
	timerBatch       = 100                    // timers that are looked at together
	timersEvery      = 250 * time.Millisecond // between two looks at what is due
	restAfterFailure = 250 * time.Millisecond // so that a database that is away is not stormed
)

// Err is why the worker does not get on at the moment; nil while it does, or stands by.
func (w *PolicyWorker) Err() error { return w.turns.Err() }

// Leading tells whether this worker is the one that reacts.
func (w *PolicyWorker) Leading() bool { return w.turns.Leading() }

// Run reacts until ctx ends. Failures are logged and tried again: nothing is lost by waiting.
func (w *PolicyWorker) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := w.turns.Take(ctx, w.Lead, w.follow)
		if ctx.Err() != nil {
			return nil
		}
		if w.turns.Failed(err) {
			w.Log.Warn("policies stopped, trying again", "error", err)
		}
		rest(ctx, restAfterFailure)
	}
	return nil
}

// follow is one turn of leading: from where the policies are, until something goes wrong.
func (w *PolicyWorker) follow(ctx context.Context) error {
	from, err := w.begin(ctx)
	if err != nil {
		return err
	}
	t := &policyTurn{PolicyWorker: w, at: from, kept: from}
	following, ctx := errgroup.WithContext(ctx)
	following.Go(func() error { return t.keepTime(ctx) })
	following.Go(func() error { return w.Feed.Follow(ctx, from, policyBatch, t.handle) })
	return following.Wait()
}

// begin answers where the policies are. Where that was lost, nobody reacts to what lies before the end of
// the history. What timers are missing then, or after a migration that has made their table anew, is set
// from the times that events tell, also those that have come, since nobody knows which of them were kept.
func (w *PolicyWorker) begin(ctx context.Context) (eventstore.Mark, error) {
	at, whole, err := w.Timers.Begin(ctx)
	if err != nil || whole {
		return at, err
	}
	if at == (eventstore.Mark{}) {
		head, err := w.Store.Head(ctx)
		if err != nil {
			return at, err
		}
		at = head.Mark
	}
	w.Log.Info("timers of policies are missing, after a loss or a migration, and are set anew from the history", "up_to", at.Position)
	if err := w.restore(ctx, at.Position); err != nil {
		return at, err
	}
	return at, w.Timers.Start(ctx, at)
}

func (w *PolicyWorker) restore(ctx context.Context, last int64) error {
	const page = 1000
	for after := int64(0); after < last; {
		events, err := w.Store.Read(ctx, after, int(min(page, last-after)))
		if err != nil || len(events) == 0 {
			return err
		}
		if err := w.Timers.Restore(ctx, w.timed(ctx, events)); err != nil {
			return err
		}
		after = events[len(events)-1].Position
	}
	return nil
}

// timed answers the timers of the policies that have a time.
func (w *PolicyWorker) timed(ctx context.Context, events []eventstore.Recorded) (set []timers.Timer) {
	for _, r := range events {
		for _, p := range w.Policies {
			if p.Type == r.Type && p.due != nil {
				set = append(set, w.timer(ctx, p, r))
			}
		}
	}
	return set
}

// policyTurn is where one turn of leading has come to.
type policyTurn struct {
	*PolicyWorker
	mu       sync.Mutex
	at, kept eventstore.Mark // kept is where the checkpoint is
}

// handle reacts to events, and moves the checkpoint beyond them together with what is left to do.
func (t *policyTurn) handle(ctx context.Context, events []eventstore.Recorded) error {
	set, reacted := t.timed(ctx, events), false
	for _, r := range events {
		for _, p := range t.Policies {
			if p.Type != r.Type || p.due != nil {
				continue
			}
			reacted = true
			failed, err := t.attempt(ctx, p, r)
			if err != nil {
				return err
			}
			if failed != nil {
				set = append(set, t.postponed(timers.Timer{Name: p.Name, Cause: r.Mark()}, failed))
			}
		}
	}
	err := t.pass(ctx, events[len(events)-1].Mark(), set, reacted || len(set) > 0)
	if err == nil {
		t.turns.Well()
	}
	return err
}

// pass moves the checkpoint at once where anything was done. Beyond events that ask for nothing, which most
// are, it moves with the next look at the timers: to see them once more costs nothing, and one move for each
// batch would be most of what policies cost, and more with every second that a snapshot stays open elsewhere,
// since what was updated can't be tidied up then.
func (t *policyTurn) pass(ctx context.Context, to eventstore.Mark, set []timers.Timer, now bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now {
		return t.move(ctx, to, set)
	}
	t.at = to
	return nil
}

// catchUp moves the checkpoint to where this turn has come.
func (t *policyTurn) catchUp(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at == t.kept {
		return nil
	}
	return t.move(ctx, t.at, nil)
}

// move has not come anywhere when it fails: or catchUp would go there without what is left to do.
func (t *policyTurn) move(ctx context.Context, to eventstore.Mark, set []timers.Timer) error {
	err := t.Timers.Move(ctx, t.kept, to, set)
	if err == nil {
		t.at, t.kept = to, to
	}
	return err
}
