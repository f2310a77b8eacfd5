package relay

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

const (
	window   = 4096                   // messages on their way at a time
	chunk    = 500                    // events read from the store at a time
	patience = 2 * time.Second        // how long the stream may acknowledge nothing
	farewell = time.Second            // how long the end of a session may take
	lazily   = 100 * time.Millisecond // between two moves of the checkpoint
	apiWait  = 2 * time.Second        // how long NATS may take to answer what is asked
)

// What ends a session besides refusals.
var (
	errSilent = errors.New("the stream acknowledges nothing")
	errAstray = errors.New("the stream does not end where it was left")
)

// link is one session with the stream: from an alignment to the first failure. It has a publisher of
// its own, so that acknowledgements of an earlier session go nowhere.
type link struct {
	relay   *Relay
	failure error // what ended the session before
	js      jetstream.JetStream
	stream  jetstream.Stream
	fresh   bool // this session has made the stream
	acks    *acks
	anchor  eventstore.Mark
	epoch   int64
	end     end // where the stream will end once all that was sent has arrived
}

// session aligns, publishes until something fails, and answers what did.
func (r *Relay) session(ctx context.Context, failure error) error {
	ctx, hangUp := envelope.WhileConnected(ctx, r.NC)
	defer hangUp()
	l := &link{relay: r, failure: failure, acks: newAcks(r.status.position.Store)}
	err := l.open(ctx)
	if err == nil {
		r.status.fail(nil)
		err = l.live(ctx)
	}
	if errors.Is(context.Cause(ctx), envelope.ErrAway) {
		return envelope.ErrAway
	}
	return err
}

func (l *link) open(ctx context.Context) (err error) {
	if l.js, err = l.publisher(); err != nil {
		return err
	}
	if l.stream, l.fresh, err = l.relay.ensure(ctx, l.js); err != nil {
		return err
	}
	if l.end, err = l.align(ctx); err != nil {
		return err
	}
	l.acks.begin(l.end.Position)
	return nil
}

func (l *link) publisher() (jetstream.JetStream, error) {
	return jetstream.New(
		l.relay.NC,
		jetstream.WithDefaultTimeout(apiWait),
		jetstream.WithPublishAsyncMaxPending(window),
		jetstream.WithPublishAsyncAckHandler(l.acks.ok),
		jetstream.WithPublishAsyncErrHandler(l.acks.refused),
	)
}

// live runs the session and keeps its anchor, until the last acknowledgement has arrived.
func (l *link) live(ctx context.Context) error {
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() { defer close(kept); l.keepAnchor(keeping) }()
	err := l.run(ctx)
	l.drain()
	stop()
	<-kept
	return err
}

// drain waits for what is on its way, since the next session asks where the stream ends.
func (l *link) drain() {
	select {
	case <-l.js.PublishAsyncComplete():
	case <-time.After(farewell):
	}
	l.js.CleanupPublisher()
}
