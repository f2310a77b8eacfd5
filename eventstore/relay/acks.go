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
	failed chan struct{} // closed with the first refusal
	acked  func(position int64)

	mu       sync.Mutex
	position int64
	last     *nats.Msg
	err      error
	checked  int64 // the position at the last call of stuck
	since    time.Time
}

func newAcks(acked func(int64)) *acks {
	return &acks{failed: make(chan struct{}), acked: acked, since: time.Now()}
}

// begin counts from where the stream was found to end.
func (a *acks) begin(position int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.position = position
	a.acked(position)
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

// mark is the last event acknowledged; the zero Mark before the first.
func (a *acks) mark() eventstore.Mark {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		return eventstore.Mark{}
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
