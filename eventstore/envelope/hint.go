package envelope

import (
	"strconv"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Hint tells other processes a position. While NATS is away nothing is kept for later: a hint is only
// good while it is fresh.
func Hint(nc *nats.Conn, subject string, position int64) {
	if nc.IsConnected() {
		_ = nc.Publish(subject, strconv.AppendInt(nil, position, 10)) // Whoever misses it polls.
	}
}

// Hints is the greatest position hinted at since it was last asked, however many hints came. A hint may be forged, since
// NATS lets whoever reads a stream choose where to: what it tells is to be asked for, and one that tells too much keeps
// none of the later ones from being heard.
type Hints struct {
	// Wake has something in it when there is a position.
	Wake     <-chan struct{}
	position atomic.Int64
	sub      *nats.Subscription
}

// Listen begins to take hints.
func Listen(nc *nats.Conn, subject string) (*Hints, error) {
	wake := make(chan struct{}, 1)
	h := &Hints{Wake: wake}
	sub, err := nc.Subscribe(subject, func(m *nats.Msg) { h.take(m, wake) })
	h.sub = sub
	return h, err
}

func (h *Hints) take(m *nats.Msg, wake chan<- struct{}) {
	position, err := strconv.ParseInt(string(m.Data), 10, 64)
	if err != nil {
		return
	}
	if was := h.position.Swap(position); was > position {
		h.position.Store(was) // Whoever asks in between hears of this one, and of that one next.
	}
	select {
	case wake <- struct{}{}:
	default:
	}
}

// Take answers the greatest position hinted at since it was last asked; 0 for none.
func (h *Hints) Take() int64 { return h.position.Swap(0) }

// Stop takes no more hints.
func (h *Hints) Stop() {
	_ = h.sub.Unsubscribe() // It only fails where the connection is closed, and all is stopped.
}
