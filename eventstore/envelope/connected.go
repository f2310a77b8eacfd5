package envelope

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

// ErrAway says that there is no connection to NATS.
var ErrAway = errors.New("NATS is away")

// WhileConnected answers a context that ends, because of ErrAway, when the connection is lost:
// without it, a request would wait for an answer that can't come any more. Call hangUp in the end.
func WhileConnected(ctx context.Context, nc *nats.Conn) (connected context.Context, hangUp func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	lost := nc.StatusChanged(nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	if !nc.IsConnected() {
		cancel(ErrAway)
	}
	go func() {
		select {
		case <-lost:
			cancel(ErrAway)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		nc.RemoveStatusListener(lost)
	}
}
