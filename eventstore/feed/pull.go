package feed

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

const (
	ahead     = 500                    // messages the client asks for before they are needed
	heartbeat = 500 * time.Millisecond // of the server while there is nothing; it is missed after two
	forgotten = time.Minute            // how long the server keeps a consumer that nobody reads from
	farewell  = 500 * time.Millisecond
	firstTry  = 20 * time.Millisecond // after a failure, doubled with each further one up to
	lastTry   = 500 * time.Millisecond
)

// pull has the stream's messages brought until ctx ends. End waits for that.
func (t *follower) pull(ctx context.Context, js jetstream.JetStream) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.sessions(ctx, js)
	}()
	return func() {
		cancel()
		<-done
	}
}

// sessions begins again after each failure, from where the follower is by then.
func (t *follower) sessions(ctx context.Context, js jetstream.JetStream) {
	pause := firstTry
	for ctx.Err() == nil {
		lasted := t.session(ctx, js)
		if lasted {
			pause = firstTry
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastTry)
	}
}

// session reads with an ordered consumer: one in memory, without acknowledgements, that is thrown away
// at the first sign of trouble. (It is made by hand, since jetstream.OrderedConsumer would wait for a
// server that does not answer beyond the end of ctx. That nothing is missing shows by the positions.)
// It answers whether it began at all.
func (t *follower) session(ctx context.Context, js jetstream.JetStream) (lasted bool) {
	ctx, hangUp := envelope.WhileConnected(ctx, js.Conn())
	defer hangUp()
	if !t.agrees(ctx, js) {
		return false
	}
	consumer, err := js.CreateConsumer(ctx, envelope.Stream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: uint64(t.seen.Load()) + 1,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: forgotten,
	})
	if err != nil {
		return false
	}
	defer discard(ctx, js, consumer)
	messages, err := consumer.Messages(jetstream.PullMaxMessages(ahead), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return false
	}
	defer messages.Stop()
	t.live.Store(true)
	defer t.lose()
	t.receive(ctx, messages)
	return true
}

// discard spares the server a consumer that nobody reads from. If NATS is away, it forgets by itself.
func discard(ctx context.Context, js jetstream.JetStream, c jetstream.Consumer) {
	if !js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	_ = js.DeleteConsumer(ctx, envelope.Stream, c.CachedInfo().Name)
}

// lose has the follower read the store at once.
func (t *follower) lose() {
	t.live.Store(false)
	select {
	case t.lost <- struct{}{}:
	default:
	}
}

// receive passes messages on until ctx ends or anything is wrong: no heartbeat, no consumer, no stream.
func (t *follower) receive(ctx context.Context, messages jetstream.MessagesContext) {
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return
		}
		r, news := t.decode(m)
		if !news {
			continue
		}
		select {
		case t.messages <- r:
		case <-ctx.Done():
			return
		}
	}
}

// decode reads a message; what it can't read it answers as an event without id, whose place in the
// stream tells what to ask the store for. What the follower has by now is no news.
func (t *follower) decode(m jetstream.Msg) (r eventstore.Recorded, news bool) {
	meta, err := m.Metadata()
	if err != nil {
		return r, false
	}
	position := int64(meta.Sequence.Stream)
	if position <= t.seen.Load() {
		return r, false
	}
	if !isOurs(m.Headers()) {
		return eventstore.Recorded{Position: position}, true
	}
	r, _, err = envelope.Decode(m.Data())
	if err != nil || r.Position != position {
		return eventstore.Recorded{Position: position}, true
	}
	return r, true
}

func isOurs(h nats.Header) bool { return h.Get(envelope.HeaderPosition) != "" }
