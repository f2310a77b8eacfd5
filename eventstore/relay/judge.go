package relay

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

// judge compares the message at the next position.
func (a *audit) judge(ctx context.Context, is message) error {
	before, event, err := a.expected(ctx, is.position)
	if err != nil {
		return err
	}
	a.next = is.position + 1
	if messageID(is.header) != event.ID {
		return a.stranger(ctx, is)
	}
	if !a.whole {
		return nil
	}
	if detail := a.differs(is, before, event); detail != "" {
		a.find(is.position, Changed, detail)
	}
	return nil
}

// stranger says what stands where another event ought to.
func (a *audit) stranger(ctx context.Context, is message) error {
	claimed, _ := strconv.ParseInt(is.header.Get(envelope.HeaderPosition), 10, 64) // 0 for what is no number.
	if claimed < 1 {
		a.find(is.position, Changed, "it is no event")
		return nil
	}
	events, err := a.store.Read(ctx, claimed-1, 1)
	if err != nil {
		return err
	}
	damaged := slices.ContainsFunc(a.findings, func(f Finding) bool { return f.Position == claimed })
	switch {
	case len(events) == 0 || events[0].ID != messageID(is.header):
		a.find(is.position, Changed, "the store does not have its event")
	case claimed < is.position && !damaged:
		a.find(is.position, Doubled, fmt.Sprintf("it is the event of position %d", claimed))
	default:
		a.find(is.position, Changed, fmt.Sprintf("it is the event of position %d", claimed))
	}
	return nil
}

// differs says in what a message is another than the one that is published.
func (a *audit) differs(is message, before, event eventstore.Recorded) string {
	ought := envelope.Message(event, a.epochs.At(event.Position))
	ought.Header[jetstream.MsgIDHeader] = []string{event.ID.String()}
	ought.Header[jetstream.ExpectedLastSeqHeader] = []string{strconv.FormatInt(event.Position-1, 10)}
	if _, named := is.header[jetstream.ExpectedLastMsgIDHeader]; named { // The first one of a stream names none.
		ought.Header[jetstream.ExpectedLastMsgIDHeader] = []string{before.ID.String()}
	}
	switch {
	case is.subject != ought.Subject:
		return "its subject is " + strconv.Quote(is.subject)
	case !bytes.Equal(is.data, ought.Data):
		return "its body"
	}
	return differentHeader(is.header, ought.Header)
}

func differentHeader(is, ought nats.Header) string {
	for name := range ought {
		if !slices.Equal(is[name], ought[name]) {
			return "its header " + name
		}
	}
	for name := range is {
		if _, known := ought[name]; !known {
			return "its header " + strconv.Quote(name)
		}
	}
	return ""
}
