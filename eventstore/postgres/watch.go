package postgres

import (
	"context"
	"time"
)

// watch gives a batch a context that ends when the batch takes too long. The context and its timer
// serve one batch after the other as long as none does: a timer that is put off costs next to nothing,
// while a new one for each batch may wake a sleeping thread.
type watch struct {
	ctx   context.Context
	timer *time.Timer
}

// begin is the context of a batch that may take until a time from now. The one of the batch before is
// over.
func (w *watch) begin(parent context.Context, patience time.Duration) context.Context {
	if w.timer != nil && w.timer.Reset(patience) {
		return w.ctx
	}
	w.end() // it has run out, perhaps while nothing was to do
	ctx, cancel := context.WithCancel(parent)
	w.ctx, w.timer = ctx, time.AfterFunc(patience, cancel)
	return ctx
}

func (w *watch) end() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
