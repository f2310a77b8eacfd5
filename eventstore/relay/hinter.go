package relay

import (
	"context"

	"github.com/nats-io/nats.go"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

// room is how many hand-offs may wait for whoever subscribes. More would hold much memory, and what is
// dropped is read from the store.
const room = 64

// Hinter tells relays and followers in other processes what this one appends. Each process that
// appends runs one, also beside a relay: another process' relay may lead.
type Hinter struct {
	NC      *nats.Conn
	Handoff *eventstore.Handoff
}

// Run hints until ctx ends, and answers its error.
func (h Hinter) Run(ctx context.Context) error {
	offers, end := h.Handoff.Subscribe(room)
	defer end()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case events := <-offers:
			envelope.Hint(h.NC, envelope.HintAppended, newest(events, offers))
		}
	}
}

// newest makes one hint of all that has been offered meanwhile.
func newest(events []eventstore.Recorded, more <-chan []eventstore.Recorded) (position int64) {
	for {
		if len(events) > 0 {
			position = events[len(events)-1].Position
		}
		select {
		case events = <-more:
		default:
			return position
		}
	}
}
