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
	codec  codec
	older  []Upcast
}

// Upcast reads one past schema of an event as what it would be said as today.
type Upcast func(data, secret []byte) (Event, error)

// From makes an upcast of the struct that an old schema was written with.
func From[Old any, New Event](today func(Old) New) Upcast {
	old := newCodec[Old]()
	return func(data, secret []byte) (Event, error) {
		v, err := old.decode(data, secret)
		if err != nil {
			return nil, err
		}
		return today(v.(Old)), nil
	}
}

// TypeOf describes the event type E; older reads its past schemas, the first one first.
func TypeOf[E Event](older ...Upcast) Type {
	var zero E
	return Type{
		Name: zero.EventType(), Schema: len(older) + 1,
		New:   func() Event { return zero },
		codec: newCodec[E](), older: older,
	}
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

// Encoded is an event as bytes: Data is published, Secret never leaves the store (nil without
// secret fields).
type Encoded struct {
	Type         string
	Schema       int
	Data, Secret []byte
}

// Encode writes e in its current schema. A type that no context lists is an error.
func (c Catalogue) Encode(e Event) (Encoded, error) {
	t, ok := c[e.EventType()]
	if !ok {
		return Encoded{}, fmt.Errorf("%w: %s", ErrUnknownType, e.EventType())
	}
	data, secret, err := t.codec.encode(e)
	if err != nil {
		return Encoded{}, fmt.Errorf("domain: encode %s: %w", t.Name, err)
	}
	return Encoded{Type: t.Name, Schema: t.Schema, Data: data, Secret: secret}, nil
}

// Decode reads what Encode wrote, under whatever schema it was written. Secret may be nil where only
// the published part is at hand; the secret fields are then zero. An error says nothing of what they
// say: it may be kept and shown.
func (c Catalogue) Decode(typ string, schema int, data, secret []byte) (Event, error) {
	t, ok := c[typ]
	if !ok || schema < 1 || schema > t.Schema {
		return nil, fmt.Errorf("%w: %s schema %d", ErrUnknownType, typ, schema)
	}
	e, err := t.read(schema, data, secret)
	if err != nil {
		return nil, fmt.Errorf("data is no %s of schema %d%s", typ, schema, inField(err))
	}
	return e, nil
}

func inField(err error) string {
	if at := (*json.UnmarshalTypeError)(nil); errors.As(err, &at) && at.Field != "" {
		return " in field " + at.Field
	}
	return ""
}

func (t Type) read(schema int, data, secret []byte) (Event, error) {
	if schema < t.Schema {
		return t.older[schema-1](data, secret)
	}
	v, err := t.codec.decode(data, secret)
	if err != nil {
		return nil, err
	}
	return v.(Event), nil
}
