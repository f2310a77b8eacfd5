package envelope

import (
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"gesta/domain"
	"gesta/eventstore"
)

// The headers of a published event. They repeat what a consumer may want to know before it reads the
// body. Trace headers are in lower case, as everywhere with NATS.
const (
	HeaderPosition    = "Gesta-Position"
	HeaderStream      = "Gesta-Stream"
	HeaderVersion     = "Gesta-Version"
	HeaderEpoch       = "Gesta-Epoch"
	HeaderType        = "Gesta-Type"
	HeaderTraceparent = "traceparent"
)

// Message is the message r is published as.
func Message(r eventstore.Recorded, epoch int64) *nats.Msg {
	m := metaOf(r)
	return &nats.Msg{Subject: subject(r, m), Header: headers(r, m, epoch), Data: encode(r, m, epoch)}
}

// Subject is where r is published: gesta.events.<realm's first word>.<context>.<aggregate>.<event>.
// There are no ids in it, since the server's memory grows with each subject.
func Subject(r eventstore.Recorded) string { return subject(r, metaOf(r)) }

// Headers are those of the message r is published as.
func Headers(r eventstore.Recorded, epoch int64) nats.Header { return headers(r, metaOf(r), epoch) }

func subject(r eventstore.Recorded, m domain.Meta) string {
	return SubjectOf(word(m.Realm), r.Type)
}

// SubjectOf is where events of a type are published, under the first word of a realm.
func SubjectOf(word, typ string) string { return subjectPrefix + word + "." + tokens(typ) }

// tokens keeps the dots of a type, and makes what is between them fit.
func tokens(typ string) string {
	parts := strings.Split(typ, ".")
	for i, p := range parts {
		parts[i] = token(p)
	}
	return strings.Join(parts, ".")
}

func headers(r eventstore.Recorded, m domain.Meta, epoch int64) nats.Header {
	h := nats.Header{
		HeaderPosition: {strconv.FormatInt(r.Position, 10)},
		HeaderStream:   {r.Stream.String()},
		HeaderVersion:  {strconv.FormatInt(r.Version, 10)},
		HeaderEpoch:    {strconv.FormatInt(epoch, 10)},
		HeaderType:     {r.Type},
	}
	if m.Traceparent != "" {
		h[HeaderTraceparent] = []string{m.Traceparent}
	}
	return h
}
