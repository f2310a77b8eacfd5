package relay

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/tracing"
)

// acks is what the stream has answered in a session. Acknowledgements come in the order of positions,
// since each message is refused unless the one before it is there.
type acks struct {
	acked  func(position int64)
	failed chan struct{} // closed with the first refusal

	mu       sync.Mutex
	begun    eventstore.Mark // where the stream was found to end
	position int64
	last     *nats.Msg      // the message at position; nil before the first
	steps    []tracing.Step // of messages on their way whose trace is recorded, by position
	err      error
	checked  int64 // the position at the last call of stuck
	since    time.Time
}

// begin forgets the session before, and counts from where the stream was found to end.
func (a *acks) begin(at eventstore.Mark) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed, a.err, a.steps = make(chan struct{}), nil, nil
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
		a.trace()
	}
}

// awaits notes a step that is done once its message is in the stream.
func (a *acks) awaits(step tracing.Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.steps = append(a.steps, step)
}

// trace ends the steps up to the position: where an acknowledgement was lost, the next one stands for it.
func (a *acks) trace() {
	for len(a.steps) > 0 && a.steps[0].Position() <= a.position {
		a.steps[0].End("relay publish", trace.SpanKindProducer, attribute.String("messaging.system", "nats"))
		a.steps = a.steps[1:]
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
