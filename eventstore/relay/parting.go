package relay

import (
	"context"
	"errors"
	"sort"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
)

// Parting is how a stream and the store's history go together.
type Parting struct {
	Forked  bool // the stream does not end within the history
	GivenUp bool // that was repaired; the relay that leads will throw the stream away
	Lost    eventstore.Mark
	Common  eventstore.Mark // the last event of both, if Told
	Told    bool            // whether the stream still has the place where they part
	Epoch   int64           // the greatest that was published
	Last    int64           // the last position of the stream
}

// Part looks where a stream and the store's history part. A stream that is not there parts from none, be
// it that it is just being thrown away.
func Part(ctx context.Context, store eventstore.Store, js jetstream.JetStream) (Parting, error) {
	p, err := part(ctx, store, js)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Parting{}, nil
	}
	return p, err
}

func part(ctx context.Context, store eventstore.Store, js jetstream.JetStream) (p Parting, err error) {
	l := &link{term: &term{relay: &Relay{Store: store}}}
	if l.stream, err = js.Stream(ctx, envelope.Stream); err != nil {
		return p, err
	}
	state := l.stream.CachedInfo().State
	head, err := store.Head(ctx)
	if err != nil {
		return p, err
	}
	if l.epochs, err = eventstore.LoadEpochs(ctx, store); err != nil {
		return p, err
	}
	p.Last = int64(state.LastSeq)
	_, err = l.compare(ctx, p.Last, head.Mark)
	forked := (*checkpoint.Forked)(nil)
	switch p.GivenUp = errors.Is(err, errGivenUp); {
	case p.GivenUp, err == nil:
		return p, nil
	case !errors.As(err, &forked):
		return p, err
	}
	p.Forked, p.Lost = true, forked.Seen
	return p, l.part(ctx, &p, int64(state.FirstSeq), head.Position)
}

// part finds the last common event, and the greatest epoch.
func (l *link) part(ctx context.Context, p *Parting, first, head int64) (err error) {
	if p.Epoch, err = l.published(ctx, max(first, p.Last-strangers), p.Last); err != nil {
		return err
	}
	common, err := l.agreement(ctx, first, min(p.Last, head))
	if err != nil {
		return err
	}
	if common < first && first > 1 {
		p.Told, err = l.begins(ctx, first, head)
	} else {
		p.Told = true
	}
	if err != nil || !p.Told || common == 0 {
		return err
	}
	e, err := at(ctx, l.relay.Store, common)
	p.Common = e.Mark()
	return err
}

// strangers is how many messages that are none of ours may stand at the end of a stream.
const strangers = 1000

// published walks back to the last message that tells its epoch: epochs never go back.
func (l *link) published(ctx context.Context, first, last int64) (int64, error) {
	for sequence := last; sequence >= first; sequence-- {
		m, err := l.stream.GetMsg(ctx, uint64(sequence))
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, err
		}
		if err == nil && epochOf(m.Header) > 0 {
			return epochOf(m.Header), nil
		}
	}
	return 0, nil
}

// agreement is the last position up to which messages are the store's events, in their epochs; first-1
// where none is. It may search by halves: each message names the one before, so that those which agree
// come first.
func (l *link) agreement(ctx context.Context, first, last int64) (int64, error) {
	var failure error
	n := sort.Search(max(0, int(last-first+1)), func(i int) bool {
		agrees, err := l.agrees(ctx, first+int64(i), last)
		failure = errors.Join(failure, err)
		return err != nil || !agrees
	})
	return first + int64(n) - 1, failure
}

// agrees compares the next message from a position on: some may be missing.
func (l *link) agrees(ctx context.Context, position, last int64) (bool, error) {
	m, err := l.stream.GetMsg(ctx, uint64(position), jetstream.WithGetMsgSubject(envelope.Subjects))
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && int64(m.Sequence) > last {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	e, err := at(ctx, l.relay.Store, int64(m.Sequence))
	return err == nil && messageID(m.Header) == e.ID && epochOf(m.Header) == l.epochs.At(e.Position), err
}

// begins tells whether the first message of a stream, which is none of the history's, follows an event
// that is.
func (l *link) begins(ctx context.Context, first, head int64) (bool, error) {
	if first-1 > head {
		return false, nil
	}
	m, err := l.stream.GetMsg(ctx, uint64(first))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	e, err := at(ctx, l.relay.Store, first-1)
	return err == nil && m.Header.Get(jetstream.ExpectedLastMsgIDHeader) == e.ID.String(), err
}
