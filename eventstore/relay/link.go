package relay

import (
	"context"
	"errors"
	"sync"
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
	// errGivenUp is about a stream whose loss an operator has acknowledged by raising the epoch.
	errGivenUp  = errors.New("the stream is of an epoch that was given up; it is thrown away and filled anew")
	errNewEpoch = errors.New("a new epoch has begun")
)

// link is one session with the stream: from an alignment to the first failure.
type link struct {
	*term
	failure error // what ended the session before
	stream  jetstream.Stream
	fresh   bool // this session has made the stream
	anchor  eventstore.Mark
	epochs  eventstore.Epochs
	end     end // where the stream will end once all that was sent has arrived
}

// session aligns, publishes until something fails, and answers what did.
func (t *term) session(ctx context.Context, failure error) error {
	ctx, hangUp := envelope.WhileConnected(ctx, t.relay.NC)
	defer hangUp()
	l := &link{term: t, failure: failure}
	err := l.open(ctx)
	if err == nil {
		t.relay.turns.Well()
		err = l.live(ctx)
	}
	if errors.Is(context.Cause(ctx), envelope.ErrAway) {
		return envelope.ErrAway
	}
	return err
}

func (l *link) open(ctx context.Context) (err error) {
	if err := l.begin(); err != nil {
		return err
	}
	if l.stream, l.fresh, err = l.relay.ensure(ctx, l.js); err != nil {
		return err
	}
	if l.end, err = l.align(ctx); errors.Is(err, errGivenUp) {
		return errors.Join(err, l.js.DeleteStream(ctx, envelope.Stream)) // The next session makes another.
	}
	if err != nil {
		return err
	}
	if l.stream, err = l.relay.adjust(ctx, l.js, l.stream); err != nil {
		return err
	}
	if l.fresh {
		l.relay.status.holds(0, 0)
	} else {
		l.relay.status.holds(keepsFrom(l.stream.CachedInfo()), l.end.Position)
	}
	l.acks.begin(l.end.Mark)
	return nil
}

// live runs the session, keeps its anchor and verifies what it publishes, until the last acknowledgement has
// arrived.
func (l *link) live(ctx context.Context) error {
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup
	beside.Go(func() { l.keepAnchor(keeping) })
	verifying, enough := context.WithCancel(ctx)
	js, end := l.js, l.end.Position
	beside.Go(func() { l.verify(verifying, js, end) })
	err := l.run(ctx)
	enough()
	l.settle()
	stop()
	beside.Wait()
	return err
}
