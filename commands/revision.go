package commands

import (
	"context"
	"errors"

	"gesta/domain"
)

// ErrOutdated refuses a change to something that is not what the caller believes it to be.
var ErrOutdated = &domain.Fault{
	Kind: domain.Outdated, Code: "precondition_failed", Text: "it has changed since it was read",
}

type conditionKey struct{}

// condition is what must be true of a stream's revision for anything to be decided.
type condition struct {
	stream domain.Stream
	holds  func(version int64) bool
	met    bool // by a work that has committed
}

// Provided answers a context under which the first work that commits does so only if its stream was at a revision that
// holds when the work looked at it; otherwise it is refused with ErrOutdated. The context is for one goroutine.
func Provided(ctx context.Context, s domain.Stream, holds func(version int64) bool) context.Context {
	return context.WithValue(ctx, conditionKey{}, &condition{stream: s, holds: holds})
}

// errUnseen is a programmer's mistake: a change to a thing decides nothing about the thing.
var errUnseen = errors.New("commands: a condition on a stream that the work has not looked at")

func (w *Work) checkRevision() error {
	c, conditional := w.ctx.Value(conditionKey{}).(*condition)
	if !conditional || c.met {
		return nil
	}
	t := w.track(c.stream)
	switch {
	case t == nil:
		return errUnseen
	case !c.holds(t.was):
		return ErrOutdated
	}
	return nil
}

// meet follows a commit: what it has changed itself is no reason to refuse what comes after.
func (w *Work) meet() {
	if c, conditional := w.ctx.Value(conditionKey{}).(*condition); conditional {
		c.met = true
	}
}
