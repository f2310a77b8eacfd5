package relay

import (
	"context"
	"errors"
	"time"

	"gesta/eventstore/checkpoint"
)

// keepAnchor moves the checkpoint after the acknowledgements, lazily: one that lags is still in the
// store's history, which is all it is asked for. With the end of ctx it moves a last time.
func (l *link) keepAnchor(ctx context.Context) {
	tick := time.NewTicker(lazily)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.moveAnchor(ctx)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			l.moveAnchor(ctx)
			return
		}
	}
}

// moveAnchor only moves forward: a stream that is filled anew has had it all before. Where another
// relay has moved the checkpoint, this one goes on from there, if what it has published is still in the
// history: fork-epoch takes the checkpoint back, too. Any other failure is left to the next tick; the
// sessions report a store that is away.
func (l *link) moveAnchor(ctx context.Context) {
	to := l.acks.mark()
	if to.Position <= l.anchor.Position {
		return
	}
	err := l.relay.Checkpoint.Move(ctx, l.anchor, to)
	switch {
	case err == nil:
		l.anchor = to
	case errors.Is(err, checkpoint.ErrMoved) && checkpoint.Verify(ctx, l.relay.Store, to) == nil:
		if is, err := l.relay.Checkpoint.Get(ctx); err == nil {
			l.anchor = is
		}
	}
}
