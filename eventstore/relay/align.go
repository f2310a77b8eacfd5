package relay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
)

// missing says that the store has no event at a position below its head. Positions are dense: this is
// damage.
type missing struct{ position int64 }

func (m *missing) Error() string {
	return fmt.Sprintf("the store has no event at position %d", m.position)
}

// end is where a stream ends.
type end struct {
	eventstore.Mark
	// nameless is a stream that doesn't know the id of its last message: a new one, or one that was
	// restarted after that message had expired. Its next message must not name the one before.
	nameless bool
}

// epochOf is the epoch that a message was published in; 0 where it tells none that could be.
func epochOf(h nats.Header) int64 {
	epoch, err := strconv.ParseUint(h.Get(envelope.HeaderEpoch), 10, 32)
	if err != nil {
		return 0
	}
	return int64(epoch)
}

// align finds where the stream ends, and answers *checkpoint.Forked unless it ends within the store's
// history.
func (l *link) align(ctx context.Context) (end, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return end{}, err
	}
	// The store is asked after the stream: while another relay publishes, it can only be further.
	head, err := l.relay.Store.Head(ctx)
	if err != nil {
		return end{}, err
	}
	l.relay.status.heard(head.Position)
	if l.epochs, err = eventstore.LoadEpochs(ctx, l.relay.Store); err != nil {
		return end{}, err
	}
	if err := l.weigh(ctx); err != nil {
		return end{}, err
	}
	return l.compare(ctx, int64(info.State.LastSeq), head.Mark)
}

// weigh asks whether the anchor is in the store's history.
func (l *link) weigh(ctx context.Context) (err error) {
	if l.anchor, err = l.relay.Checkpoint.Get(ctx); err != nil {
		return err
	}
	return checkpoint.Verify(ctx, l.relay.Store, l.anchor)
}

func (l *link) compare(ctx context.Context, last int64, head eventstore.Mark) (end, error) {
	if last == 0 {
		return end{nameless: true}, nil
	}
	is, err := l.ending(ctx, last)
	if err != nil {
		return end{}, err
	}
	if last > head.Position {
		return end{}, l.parted(is, head)
	}
	stored, err := at(ctx, l.relay.Store, last)
	if err != nil {
		return end{}, err
	}
	if is.known && is.Mark != stored.Mark() || is.read && is.epoch != l.epochs.At(last) {
		return end{}, l.parted(is, stored.Mark())
	}
	return end{Mark: stored.Mark(), nameless: is.nameless}, nil
}

// parted says what to do about a stream that is not of the store's history. It is given up where its end
// is what the last fork names as lost, or where its last event has been given another epoch since. Any
// other may be that of another store, and nobody but an operator knows.
func (l *link) parted(is ending, stored eventstore.Mark) error {
	last, forked := l.epochs.Last()
	outdated := is.read && is.Mark == stored && is.epoch < l.epochs.At(is.Position)
	if forked && is.Mark == last.Lost() || outdated {
		return errGivenUp
	}
	return &checkpoint.Forked{Seen: is.Mark, Stored: stored}
}

// ending is what the stream itself tells about its end.
type ending struct {
	end
	known bool  // whether it tells which event is its last
	read  bool  // whether it still has that message
	epoch int64 // the one that it was published in
}

// ending reads the last message. When that has expired, the last refusal may tell its id; else what
// the anchor says has to do.
func (l *link) ending(ctx context.Context, last int64) (ending, error) {
	is := ending{end: end{Mark: eventstore.Mark{Position: last}}}
	m, err := l.stream.GetMsg(ctx, uint64(last))
	switch {
	case err == nil:
		is.Event, is.known, is.read, is.epoch = messageID(m.Header), true, true, epochOf(m.Header)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return is, err
	default:
		event, told := lastKnown(l.failure)
		is.Event, is.known = event, !event.IsZero()
		is.nameless = !is.known && (told || l.fresh)
	}
	return is, nil
}

// wrongLastID is the server's error for a message that follows another id than the stream's last.
const wrongLastID jetstream.ErrorCode = 10070

// lastKnown reads out of a refusal which id the stream believes to be its last; the zero id where it
// knows none.
func lastKnown(refused error) (e id.Event, told bool) {
	var api *jetstream.APIError
	if !errors.As(refused, &api) || api.ErrorCode != wrongLastID {
		return id.Event{}, false
	}
	text, told := strings.CutPrefix(api.Description, "wrong last msg ID: ")
	e.ID, _ = id.Parse(text)
	return e, told
}
