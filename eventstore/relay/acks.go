package relay

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/domain/id"
	"gesta/eventstore"
)

// acks is what the stream has answered in a session. Acknowledgements come in the order of positions,
// since each message is refused unless the one before it is there.
type acks struct {
	acked  func(position int64)
	failed chan struct{} // closed with the first refusal

	mu       sync.Mutex
	begun    eventstore.Mark // where the stream was found to end
	position int64
	last     *nats.Msg // the message at position; nil before the first
	err      error
	checked  int64 // the position at the last call of stuck
	since    time.Time
}

// begin forgets the session before, and counts from where the stream was found to end.
func (a *acks) begin(at eventstore.Mark) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed, a.err = make(chan struct{}), nil
	a.begun, a.position, a.last = at, at.Position, nil
	a.checked, a.since = at.Position, time.Now()
	a.acked(at.Position)
}

func (a *acks) ok(_ jetstream.JetStream, m *nats.Msg, ack *jetstream.PubAck) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if position := int64(ack.Sequence); position > a.position {
		a.position, a.last = position, m
		a.acked(position)
	}
}

// refused keeps the first refusal: the others follow from it.
func (a *acks) refused(_ jetstream.JetStream, _ *nats.Msg, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
		close(a.failed)
	}
}

func (a *acks) refusal() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// mark is the last event that is known to be in the stream.
func (a *acks) mark() eventstore.Mark {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		return a.begun
	}
	return eventstore.Mark{Position: a.position, Event: messageID(a.last.Header)}
}

// stuck reports whether nothing has been acknowledged for longer than patience, though messages wait.
func (a *acks) stuck(waiting bool, patience time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !waiting || a.position != a.checked {
		a.checked, a.since = a.position, time.Now()
	}
	return time.Since(a.since) > patience
}

// messageID is the id of the event that a message carries; the zero id where it carries none.
func messageID(h nats.Header) (e id.Event) {
	e.ID, _ = id.Parse(h.Get(jetstream.MsgIDHeader))
	return e
}
