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
	commits, end := h.Handoff.Subscribe(room)
	defer end()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-commits:
			envelope.Hint(h.NC, envelope.HintAppended, newest(c, commits))
		}
	}
}

// newest makes one hint of all that has been committed meanwhile.
func newest(c eventstore.Commit, more <-chan eventstore.Commit) int64 {
	for {
		select {
		case c = <-more:
		default:
			return c.Last()
		}
	}
}
