package relay

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
)

// message is a message of the stream.
type message struct {
	position int64
	subject  string
	header   nats.Header
	data     []byte
}

// reader brings the messages of the stream in order, by a consumer of its own.
type reader struct {
	js       jetstream.JetStream
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	pending  uint64
}

var (
	errNoMore = errors.New("the stream has no more messages")
	// errSilentReader is about messages that the stream has and does not bring.
	errSilentReader = errors.New("the stream brings nothing")
)

const (
	readAhead = 200              // messages that are brought before they are asked for
	forgotten = 30 * time.Second // how long the server keeps a consumer that nobody reads from
)

func openReader(ctx context.Context, js jetstream.JetStream, from int64, headersOnly bool) (*reader, error) {
	c, err := js.CreateConsumer(ctx, envelope.Stream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: uint64(from), HeadersOnly: headersOnly,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: forgotten,
	})
	if err != nil {
		return nil, err
	}
	messages, err := c.Messages(jetstream.PullMaxMessages(readAhead))
	return &reader{js: js, consumer: c, messages: messages, pending: c.CachedInfo().NumPending}, err
}

func (r *reader) next(ctx context.Context) (message, error) {
	if r.pending == 0 {
		return message{}, errNoMore
	}
	waiting, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	m, err := r.messages.Next(jetstream.NextContext(waiting))
	if waiting.Err() != nil && ctx.Err() == nil {
		return message{}, errSilentReader
	}
	if err != nil {
		return message{}, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return message{}, err
	}
	r.pending = meta.NumPending
	return message{int64(meta.Sequence.Stream), m.Subject(), m.Headers(), m.Data()}, nil
}

// stop reads no more. The server forgets the consumer by itself.
func (r *reader) stop() { r.messages.Stop() }

// discard spares the server the consumer as well, for who reads again and again, and may delete it.
func (r *reader) discard(ctx context.Context) {
	r.stop()
	if !r.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	_ = r.js.DeleteConsumer(ctx, envelope.Stream, r.consumer.CachedInfo().Name)
}
