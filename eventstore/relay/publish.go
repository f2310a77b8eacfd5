package relay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
	"gesta/eventstore/tracing"
)

// sources tell of events that are to be published.
type sources struct {
	commits <-chan eventstore.Commit // of this process
	hints   *envelope.Hints
	poll    <-chan time.Time
}

// run publishes what the store has, and then whatever the sources tell of, until something fails.
func (l *link) run(ctx context.Context) error {
	commits, end := l.commits()
	defer end()
	hints, err := envelope.Listen(l.relay.NC, envelope.HintAppended)
	if err != nil {
		return err
	}
	defer hints.Stop()
	poll := time.NewTicker(l.relay.poll())
	defer poll.Stop()
	for err = l.catchUp(ctx); err == nil; {
		err = l.next(ctx, sources{commits, hints, poll.C})
	}
	return err
}

func (l *link) commits() (<-chan eventstore.Commit, func()) {
	if l.relay.Handoff == nil {
		return nil, func() {}
	}
	return l.relay.Handoff.Subscribe(room)
}

func (l *link) next(ctx context.Context, from sources) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.acks.failed:
		return l.acks.refusal()
	case c := <-from.commits:
		return l.committed(ctx, c)
	case <-from.hints.Wake:
		return l.hinted(ctx, from.hints.Take())
	case <-from.poll:
		return l.look(ctx)
	}
}

// committed publishes what is handed over, if it follows what was sent; else the store has the rest.
func (l *link) committed(ctx context.Context, c eventstore.Commit) error {
	events, follow := c.Since(l.end.Mark)
	if follow {
		return l.publishAll(ctx, events)
	}
	return l.hinted(ctx, c.Last())
}

func (l *link) hinted(ctx context.Context, position int64) error {
	if position <= l.end.Position {
		return nil
	}
	return l.catchUp(ctx)
}

// look is for what nobody told: other processes' appends whose hint was lost, and a stream that was
// deleted or lost messages while nothing was published.
func (l *link) look(ctx context.Context) error {
	if l.acks.stuck(l.js.PublishAsyncPending() > 0, patience) {
		return errSilent
	}
	before := l.end
	if err := l.catchUp(ctx); err != nil || l.end != before || l.js.PublishAsyncPending() > 0 {
		return err
	}
	return l.ask(ctx)
}

// ask finds a stream that has lost messages, or got some from elsewhere.
func (l *link) ask(ctx context.Context) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return err
	}
	if int64(info.State.LastSeq) != l.end.Position {
		return errAstray
	}
	return nil
}

// catchUp publishes what the store has.
func (l *link) catchUp(ctx context.Context) error {
	for {
		events, err := checkpoint.After(ctx, l.relay.Store, l.end.Mark, chunk)
		if err != nil {
			return err
		}
		if err := l.publishAll(ctx, events); err != nil || len(events) < chunk {
			return err
		}
	}
}

func (l *link) publishAll(ctx context.Context, events []eventstore.Recorded) error {
	if len(events) > 0 {
		l.relay.status.heard(events[len(events)-1].Position)
	}
	began := time.Now()
	for _, r := range events {
		if r.Position != l.end.Position+1 {
			return &missing{l.end.Position + 1}
		}
		if !l.epochs.Know(r) {
			return errNewEpoch // What was published since the common event may belong to it.
		}
		if step, is := tracing.Begin(l.relay.Tracer, r, began); is {
			l.acks.awaits(step)
		}
		if err := l.publish(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// noRetry has a stream that isn't there reported at once: a retry would come out of order.
var noRetry = jetstream.WithRetryAttempts(0)

// publish sends one event. It waits while the window is full, and gives up when nothing arrives.
func (l *link) publish(ctx context.Context, r eventstore.Recorded) error {
	m := l.message(r)
	for {
		if err := errors.Join(ctx.Err(), l.acks.refusal()); err != nil {
			return err
		}
		_, err := l.js.PublishMsgAsync(m, noRetry)
		if err == nil {
			l.end = end{Mark: r.Mark()}
			return nil
		}
		if !errors.Is(err, jetstream.ErrTooManyStalledMsgs) {
			return fmt.Errorf("position %d: %w", r.Position, err)
		}
		if l.acks.stuck(true, patience) {
			return errSilent
		}
	}
}

// message says which message it follows, so that the stream refuses it anywhere else.
func (l *link) message(r eventstore.Recorded) *nats.Msg {
	m := envelope.Message(r, l.epochs.At(r.Position))
	m.Header[jetstream.MsgIDHeader] = []string{r.ID.String()}
	m.Header[jetstream.ExpectedLastSeqHeader] = []string{strconv.FormatInt(r.Position-1, 10)}
	if !l.end.nameless {
		m.Header[jetstream.ExpectedLastMsgIDHeader] = []string{l.end.Event.String()}
	}
	return m
}
