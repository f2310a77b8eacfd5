package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

// Damage is what can be wrong with a message of the stream.
type Damage string

// A message is changed when it is not what the relay publishes at its position, missing when the stream
// has none there, and doubled when it is what stands at an earlier position already.
const (
	Changed Damage = "changed"
	Missing Damage = "missing"
	Doubled Damage = "doubled"
)

// Finding is one damaged message.
type Finding struct {
	Position int64  `json:"position"`
	Damage   Damage `json:"damage"`
	Detail   string `json:"detail,omitempty"`
}

func (f Finding) String() string {
	if f.Detail == "" {
		return fmt.Sprintf("position %d is %s", f.Position, f.Damage)
	}
	return fmt.Sprintf("position %d is %s: %s", f.Position, f.Damage, f.Detail)
}

// maxFindings is how many are looked for: a stream with more is no better known by them.
const maxFindings = 100

// Compare compares the messages from one position to another, or to the stream's end for 0, with what
// the relay publishes: subjects, headers and bodies. It answers at most 100 findings, and up to which
// position it has looked; what the stream's limits may have dropped, as long as it has any, and what it
// is yet to get, is no damage. Events may be published meanwhile. A damaged stream is mended by deleting
// it: the relay fills another with the same bytes.
func Compare(
	ctx context.Context, store eventstore.Store, js jetstream.JetStream, from, to int64,
) (findings []Finding, verified int64, err error) {
	a := &audit{store: store, js: js, whole: true}
	err = a.run(ctx, from, to)
	return a.findings, max(0, a.next-1), err
}

// audit is one walk along stream and store.
type audit struct {
	store    eventstore.Store
	js       jetstream.JetStream
	whole    bool // bytes are compared, not ids alone
	epochs   eventstore.Epochs
	next     int64 // the position to look at
	events   []eventstore.Recorded
	findings []Finding
}

func (a *audit) run(ctx context.Context, from, to int64) error {
	stream, err := a.js.Stream(ctx, envelope.Stream)
	if err != nil {
		return err
	}
	info := stream.CachedInfo()
	if last := int64(info.State.LastSeq); to == 0 || to > last {
		to = last
	}
	a.next = max(1, from, keepsFrom(info))
	if a.epochs, err = eventstore.LoadEpochs(ctx, a.store); err != nil {
		return err
	}
	for a.next <= to && len(a.findings) < maxFindings && err == nil {
		err = a.walk(ctx, stream, to)
	}
	return errors.Join(err, a.forgive(ctx, stream))
}

// walk compares what a consumer brings. Where it brings no more though it should, the next message is
// asked for by itself.
func (a *audit) walk(ctx context.Context, stream jetstream.Stream, to int64) error {
	m, err := openReader(ctx, a.js, a.next, !a.whole)
	if err != nil {
		return err
	}
	defer a.leave(ctx, m)
	for a.next <= to && len(a.findings) < maxFindings {
		is, err := m.next(ctx)
		switch {
		case errors.Is(err, errSilentReader):
			return a.single(ctx, stream)
		case errors.Is(err, errNoMore):
			a.missing(to + 1)
			return nil
		case err != nil:
			return err
		}
		if a.missing(min(is.position, to+1)); a.next > to || len(a.findings) == maxFindings {
			return nil
		}
		if err := a.judge(ctx, is); err != nil {
			return err
		}
	}
	return nil
}

// leave is for Compare as well, which a consumer may ask for, who deletes nothing.
func (a *audit) leave(ctx context.Context, m *reader) {
	if a.whole {
		m.stop()
	} else {
		m.discard(ctx)
	}
}

// missing notes that there is nothing from the next position up to another.
func (a *audit) missing(before int64) {
	for ; a.next < before && len(a.findings) < maxFindings; a.next++ {
		a.find(a.next, Missing, "")
	}
}

func (a *audit) find(position int64, d Damage, detail string) {
	a.findings = append(a.findings, Finding{position, d, detail})
}

// single judges one message that a consumer does not bring.
func (a *audit) single(ctx context.Context, stream jetstream.Stream) error {
	m, err := stream.GetMsg(ctx, uint64(a.next))
	var refused *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		a.missing(a.next + 1)
		return nil
	case errors.As(err, &refused):
		a.find(a.next, Changed, "the server can't read it: "+refused.Description)
		a.next++
		return nil
	case err != nil:
		return err
	}
	return a.judge(ctx, message{position: a.next, subject: m.Subject, header: m.Header, data: m.Data})
}

// expected answers the events at a position and before it; the zero event where the store has none.
func (a *audit) expected(ctx context.Context, position int64) (before, event eventstore.Recorded, err error) {
	if len(a.events) == 0 || position > a.events[len(a.events)-1].Position || position <= a.events[0].Position {
		if a.events, err = a.store.Read(ctx, max(0, position-2), chunk); err != nil {
			return before, event, err
		}
	}
	i, found := slices.BinarySearchFunc(a.events, position, func(e eventstore.Recorded, p int64) int { return cmp.Compare(e.Position, p) })
	if !found {
		return before, event, nil
	}
	return a.events[max(0, i-1)], a.events[i], nil
}

// forgive takes back that messages are missing which the stream's limits have dropped meanwhile.
func (a *audit) forgive(ctx context.Context, stream jetstream.Stream) error {
	if len(a.findings) == 0 {
		return nil
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return err
	}
	a.findings = slices.DeleteFunc(a.findings, func(f Finding) bool { return f.Position < keepsFrom(info) })
	return nil
}
