package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/envelope"
	"gesta/eventstore/timers"
	"gesta/eventstore/tracing"
)

// Outcomes of a reaction.
const (
	reactionDone     = "done"
	reactionRepeated = "repeated" // it had been done
	reactionRefused  = "refused"  // by the business
	reactionFailed   = "failed"   // and is tried again
)

// attempt reacts to an event. A store that is away is waited for; err is the end of ctx alone. Failed is
// why it must be tried again later: a mistake, and none of the event's doing.
func (w *PolicyWorker) attempt(ctx context.Context, p Policy, r eventstore.Recorded) (failed, err error) {
	ctx, span := tracing.Start(domain.WithMeta(ctx, causedBy(p, r)), w.Tracer, "policy "+p.Name, trace.SpanKindConsumer)
	defer span.End()
	for tries := 1; ; tries++ {
		reaction := w.react(ctx, p, r)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		outcome, again := judged(reaction)
		if again && !w.isAlone(ctx, tries) {
			w.waits(reaction)
			rest(ctx, restAfterFailure)
			continue
		}
		w.told(ctx, p, r, outcome, reaction)
		if outcome == reactionFailed {
			failed = reaction
		}
		return failed, nil
	}
}

// maxTries is how often a reaction that can't be done at the moment is tried before the store is asked
// whether it is away at all.
const maxTries = 20

// isAlone tells whether a reaction waits for what nobody else waits for. It must not hold up the others.
func (w *PolicyWorker) isAlone(ctx context.Context, tries int) bool {
	if tries < maxTries {
		return false
	}
	_, err := w.Store.Head(ctx)
	return err == nil
}

func (w *PolicyWorker) waits(err error) {
	if w.turns.Failed(err) {
		w.Log.Warn("policies wait for the store", "error", err)
	}
}

// judged answers what became of a reaction, and whether it should be tried again at once.
func judged(err error) (outcome string, again bool) {
	var repeated *eventstore.Repeated
	var fault *domain.Fault
	switch {
	case err == nil:
		return reactionDone, false
	case errors.As(err, &repeated):
		return reactionRepeated, false
	case !errors.As(err, &fault):
		return reactionFailed, false
	case fault.Kind == domain.Unavailable:
		return reactionFailed, true
	}
	return reactionRefused, false
}

func (w *PolicyWorker) told(ctx context.Context, p Policy, r eventstore.Recorded, outcome string, err error) {
	w.Reacted(p.Name, outcome)
	span := trace.SpanFromContext(ctx)
	describe(span, r, outcome)
	switch outcome {
	case reactionRefused:
		w.Log.InfoContext(ctx, "a policy was refused", "policy", p.Name, "position", r.Position, "refusal", err)
	case reactionFailed:
		tracing.Fail(span, err)
		w.Log.ErrorContext(ctx, "a policy failed, and is tried again later", "policy", p.Name, "position", r.Position, "error", err)
	}
}

// react does what a policy asks for, once. A policy that panics has failed.
func (w *PolicyWorker) react(ctx context.Context, p Policy, r eventstore.Recorded) (err error) {
	defer w.survive(ctx, p, &err)
	e, err := w.decode(ctx, r)
	if err != nil {
		return err
	}
	if p.due != nil && p.due(e).After(w.Now()) {
		return errEarly
	}
	return p.do(Once(Aside(ctx), "policy/"+p.Name, r.ID.String()), w.Contexts, r, e)
}

// survive makes a panic an error.
func (w *PolicyWorker) survive(ctx context.Context, p Policy, err *error) {
	v := recover()
	if v == nil {
		return
	}
	w.Log.ErrorContext(ctx, "a policy panicked", "policy", p.Name, "stack", string(debug.Stack()))
	*err = fmt.Errorf("commands: policy %s %s", p.Name, domain.Panicked(v))
}

// causedBy says of what follows that the policy did it because of the event.
func causedBy(p Policy, r eventstore.Recorded) domain.Meta {
	var of domain.Meta
	_ = json.Unmarshal(r.Meta, &of) // What is no metadata tells nothing, and is no reason to do nothing.
	return domain.Meta{
		Actor: "policy/" + p.Name, Realm: of.Realm, Causation: r.ID.String(),
		Correlation: cmp.Or(of.Correlation, r.ID.String()), Traceparent: of.Traceparent,
	}
}

// timer is when a policy with a time is to react. An event that does not tell is due at once, so that
// what is wrong with it comes to light.
func (w *PolicyWorker) timer(ctx context.Context, p Policy, r eventstore.Recorded) timers.Timer {
	due, err := w.due(ctx, p, r)
	if err != nil {
		due = w.Now()
	}
	return timers.Timer{Name: p.Name, Cause: r.Mark(), Due: due}
}

func (w *PolicyWorker) due(ctx context.Context, p Policy, r eventstore.Recorded) (due time.Time, err error) {
	defer w.survive(ctx, p, &err)
	e, err := w.decode(ctx, r)
	if err != nil {
		return due, err
	}
	return p.due(e), nil
}

func (w *PolicyWorker) decode(ctx context.Context, r eventstore.Recorded) (domain.Event, error) {
	opened, err := w.Vault.DecodePublished(ctx, r)
	if err != nil {
		return nil, unavailable(err)
	}
	return opened[0].Event, opened[0].Err
}

// keepTime does what is due, and keeps the checkpoint up, until ctx ends.
func (t *policyTurn) keepTime(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := t.catchUp(ctx); err != nil {
			return err
		}
		due, err := t.Timers.Due(ctx, t.Now(), timerBatch)
		if err != nil {
			return err
		}
		for _, timer := range due {
			if err := t.ring(ctx, timer); err != nil {
				return err
			}
		}
		if len(due) == timerBatch {
			continue
		}
		if rest(ctx, timersEvery); ctx.Err() == nil {
			t.turns.Well()
		}
	}
	return ctx.Err()
}

// ring does what a timer was set for, and removes it or sets it anew.
func (w *PolicyWorker) ring(ctx context.Context, t timers.Timer) error {
	failed, err := w.keep(ctx, t)
	switch {
	case err != nil:
		return err
	case failed != nil:
		return w.Timers.Postpone(ctx, w.postponed(t, failed))
	}
	return w.Timers.Done(ctx, t)
}

// Why a timer can't be kept at the moment. Another version of this program may, or has set it.
var (
	errEarly    = errors.New("commands: its time has not come")
	errNoPolicy = errors.New("commands: there is no such policy")
	errNoCause  = errors.New("commands: the history has another event in its place")
)

func (w *PolicyWorker) keep(ctx context.Context, t timers.Timer) (failed, err error) {
	n := slices.IndexFunc(w.Policies, func(p Policy) bool { return p.Name == t.Name })
	if n < 0 {
		return errNoPolicy, nil
	}
	events, err := w.Store.Read(ctx, t.Cause.Position-1, 1)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 || events[0].Mark() != t.Cause {
		return errNoCause, nil
	}
	return w.attempt(ctx, w.Policies[n], envelope.Published(events[0]))
}

// How long a reaction that failed is left alone: twice as long after each failure.
const (
	firstRetry = time.Second
	lastRetry  = time.Hour
)

// maxErrorText is as much as is kept of what went wrong.
const maxErrorText = 500

func (w *PolicyWorker) postponed(t timers.Timer, failed error) timers.Timer {
	pause := firstRetry << min(t.Attempts, 12)
	t.Attempts++
	t.Due = w.Now().Add(min(pause, lastRetry))
	text := failed.Error()
	t.Error = strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), maxErrorText)], "\x00", ""), "")
	return t
}
