// Package domain is the vocabulary that everything in Gesta speaks: events, states that evolve from
// them, commands that decide on new ones, claims on names, and faults. It does no I/O.
package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gesta/domain/id"
)

// Event is a fact the business has accepted. Its type name, context.aggregate.fact, is for ever.
type Event interface{ EventType() string }

// Stream is the past of one thing: the kind is context.aggregate, as in "identity.user".
type Stream struct {
	Kind string
	ID   id.ID
}

// String spells a stream as the published events do: kind/ULID.
func (s Stream) String() string { return s.Kind + "/" + s.ID.String() }

// ParseStream reads what String writes.
func ParseStream(text string) (Stream, error) {
	kind, name, _ := strings.Cut(text, "/")
	i, err := id.Parse(name)
	if err != nil || kind == "" {
		return Stream{}, fmt.Errorf("domain: %q is no stream such as identity.user/01KAGV…", text)
	}
	return Stream{Kind: kind, ID: i}, nil
}

// Compare orders streams, so that whoever needs several takes them in one order.
func (s Stream) Compare(o Stream) int {
	if c := slices.Compare(s.ID[:], o.ID[:]); c != 0 {
		return c
	}
	return strings.Compare(s.Kind, o.Kind)
}

// Type is what there is to know about one type of event: how it is written and how every schema of
// it ever written is read. Each context lists its types once.
type Type struct {
	Name   string
	Schema int // the current schema, counted from 1
	New    func() Event
	codec  *codec
	older  []Upcast

	forgets bool // somebody: it is a Forgetter
}

// Upcast reads one past schema of an event as what it would be said as today.
type Upcast struct {
	codec *codec
	today func(any) Event
}

// From makes an upcast of the struct that an old schema was written with. What is personal in it is opened before,
// and zero where the person was forgotten.
func From[Old any, New Event](today func(Old) New) Upcast {
	return Upcast{newCodec[Old](), func(old any) Event { return today(old.(Old)) }}
}

// TypeOf describes the event type E; older reads its past schemas, the first one first. A field that does not
// say how private it is, or whose data it is, is a programmer's mistake and panics.
func TypeOf[E Event](older ...Upcast) Type {
	var zero E
	_, forgets := Event(zero).(Forgetter)
	t := Type{
		Name: zero.EventType(), Schema: len(older) + 1,
		New:   func() Event { return zero },
		codec: newCodec[E](), older: older, forgets: forgets,
	}
	if forgets && !t.codec.plain {
		panic("domain: " + t.Name + " forgets somebody, and must be readable by everybody")
	}
	return t
}

// ErrUnknownType is answered for an event of a type, or of a schema, that this program has never
// heard of. For a reader it is no damage: it has no rule for it.
var ErrUnknownType = errors.New("domain: unknown event type")

// Catalogue holds the types of all contexts by name.
type Catalogue map[string]Type

// NewCatalogue joins the lists of all contexts. A name that stands in two of them is a programmer's
// mistake and panics.
func NewCatalogue(contexts ...[]Type) Catalogue {
	c := Catalogue{}
	for _, t := range slices.Concat(contexts...) {
		if _, twice := c[t.Name]; twice {
			panic("domain: two event types are named " + t.Name)
		}
		c[t.Name] = t
	}
	return c
}

// Forgets tells whether events of a type say that somebody is forgotten.
func (c Catalogue) Forgets(typ string) bool { return c[typ].forgets }

// Encoded is an event as bytes: Data is published, Secret never leaves the store (nil without
// secret fields). What is personal or secret in them is sealed.
type Encoded struct {
	Type         string
	Schema       int
	Data, Secret []byte
	Subjects     []id.ID // whose data is in it, each once
}

// Encode writes e in its current schema. A type that no context lists is an error; so is what can't be sealed:
// ErrForgotten where it is about somebody who was forgotten. The sealer may be nil for a type without anything
// personal or secret.
func (c Catalogue) Encode(e Event, s Sealer) (Encoded, error) {
	t, ok := c[e.EventType()]
	if !ok {
		return Encoded{}, fmt.Errorf("%w: %s", ErrUnknownType, e.EventType())
	}
	enc := Encoded{Type: t.Name, Schema: t.Schema}
	if err := t.codec.encode(e, s, &enc); err != nil {
		return Encoded{}, fmt.Errorf("domain: encode %s: %w", t.Name, err)
	}
	return enc, nil
}

// Show is what e says, but for its secrets: the JSON of its fields as they are.
func (c Catalogue) Show(e Event) ([]byte, error) {
	t, ok := c[e.EventType()]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownType, e.EventType())
	}
	return t.codec.show(e)
}

// Closed is an event that was read, with whatever is sealed in it still to be opened.
type Closed struct {
	name   string
	schema int
	past   func(any) Event // of an old schema
	read
}

// Parse reads what Encode wrote, under whatever schema it was written. Secret may be nil where only
// the published part is at hand; the secret fields are then zero. An error says nothing of what they
// say: it may be kept and shown.
func (c Catalogue) Parse(typ string, schema int, data, secret []byte) (Closed, error) {
	t, ok := c[typ]
	if !ok || schema < 1 || schema > t.Schema {
		return Closed{}, fmt.Errorf("%w: %s schema %d", ErrUnknownType, typ, schema)
	}
	closed := Closed{name: typ, schema: schema}
	codec := t.codec
	if schema < t.Schema {
		codec, closed.past = t.older[schema-1].codec, t.older[schema-1].today
	}
	var err error
	if closed.read, err = codec.parse(data, secret); err != nil {
		return Closed{}, closed.failed(err)
	}
	return closed, nil
}

// Open answers the event. Fields of somebody who was forgotten are zero.
func (c Closed) Open(o Opener) (Event, error) {
	v, err := c.open(o)
	if err != nil {
		return nil, c.failed(err)
	}
	if c.past != nil {
		return c.past(v), nil
	}
	return v.(Event), nil
}

func (c Closed) failed(err error) error {
	return fmt.Errorf("data is no %s of schema %d%s", c.name, c.schema, inField(err))
}

// Decode parses and opens.
func (c Catalogue) Decode(typ string, schema int, data, secret []byte, o Opener) (Event, error) {
	closed, err := c.Parse(typ, schema, data, secret)
	if err != nil {
		return nil, err
	}
	return closed.Open(o)
}

func inField(err error) string {
	var mistyped *json.UnmarshalTypeError
	var shut *notOpened
	switch {
	case errors.As(err, &shut):
		return ": field " + shut.path + " " + shut.why
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return " in field " + mistyped.Field
	}
	return ""
}
