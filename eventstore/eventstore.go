// Package eventstore says what a store of events promises. Package postgres keeps the truth, package
// memory is for tests, and both sit the exam in package storetest.
package eventstore

import (
	"context"
	"encoding/json"
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// The most a store takes at once; larger events would not fit into one published message.
const (
	MaxEventBytes  = 256 << 10 // data, secret and metadata of one event together
	MaxAppendBytes = 4 << 20   // all that one append brings
	MaxNameBytes   = 512       // a kind, type, scope or key: they stand in indexes
)

// Store is the one history of facts.
//
// Positions are dense: they begin at 1, grow by one in the order of commits, and are never given
// twice, so that whoever reads "after the last position I saw" can't skip an event, and a missing
// number is damage. RecordedAt never decreases with the position.
type Store interface {
	// Append commits the whole of a or nothing of it. It refuses with *Conflict, *ClaimTaken, *KeyExists,
	// *KeyGone, *SubjectMoved, *Repeated, ErrTooLarge, ErrMalformed or ErrUnavailable. After ErrUnavailable
	// the append may still be there, whole: ask for its streams before trying again.
	Append(ctx context.Context, a Append) (Receipt, error)

	// Read answers at most limit events with positions greater than after, in order.
	Read(ctx context.Context, after int64, limit int) ([]Recorded, error)

	// ReadStream answers at most limit events of one stream with versions greater than after.
	ReadStream(ctx context.Context, s domain.Stream, after int64, limit int) ([]Recorded, error)

	// Head is where the history ends; the zero Mark in a store without events.
	Head(ctx context.Context) (Head, error)

	// Holder answers the stream that holds a claim, if any does.
	Holder(ctx context.Context, c Claim) (s domain.Stream, held bool, err error)

	// ClaimsOf answers the claims that streams hold. It may take long.
	ClaimsOf(ctx context.Context, streams []domain.Stream) (map[domain.Stream][]Claim, error)

	// Holders answers every stream that holds a claim in the scope, in the order of streams.
	Holders(ctx context.Context, scope Hash) ([]domain.Stream, error)

	// Keys answers the keys of those of the subjects that have, or had, one.
	Keys(ctx context.Context, subjects []id.ID) ([]SubjectKey, error)

	// HouseKeys answers the wrapped keys that are nobody's but the store's, by name; KeepHouseKey keeps one
	// unless there is one of that name.
	HouseKeys(ctx context.Context) (map[string][]byte, error)
	KeepHouseKey(ctx context.Context, name string, wrapped []byte) error

	// StreamsOf answers every stream that holds the subject, in the order of streams.
	StreamsOf(ctx context.Context, subject id.ID) ([]domain.Stream, error)

	// Idempotent answers what an append recorded under a scope and key, if any did.
	Idempotent(ctx context.Context, scope, key string) (r Idempotency, found bool, err error)

	// ForgetRequests removes at most limit of the records in RequestScope that are older than age by the store's
	// clock, and answers how many those were.
	ForgetRequests(ctx context.Context, age time.Duration, limit int) (int, error)
}

// RequestScope is the scope of the records that clients ask for: those that are not kept for ever.
const RequestScope = "request"

// Append is what commits as one: events on any number of streams, the claims these streams take and
// release, new subject keys, subjects that are forgotten, and at most one idempotency record.
type Append struct {
	Writes      []Write
	Keys        []SubjectKey
	Forget      []Forgetting // with an event at least
	Idempotency *Idempotency
}

// Write is one stream's part in an append. Each stream has at most one.
type Write struct {
	Stream domain.Stream
	Expect int64    // the version the stream must be at; 0 for a stream that must be new
	After  id.Event // the event that must be there; zero for any. After a restore it may be another than was read
	Events []NewEvent
	// Without events the version is only checked: nothing may have happened since it was read.
	Take, Release []Claim // releasing what the stream does not hold changes nothing
	Subjects      []id.ID // whose data the stream holds from now on, and is found by; each must have a key
}

// NewEvent is an event about to be recorded. Data, Secret (nil for none) and Meta are JSON, kept byte
// for byte. OccurredAt is kept in microseconds.
type NewEvent struct {
	ID                 id.Event
	Type               string
	Schema             int
	Data, Secret, Meta json.RawMessage
	OccurredAt         time.Time
}

// Recorded is an event with its place in the history. Times are UTC.
type Recorded struct {
	NewEvent
	Position   int64
	Stream     domain.Stream
	Version    int64
	RecordedAt time.Time
}

// Mark is a place in the history. The id tells the event that stands there from one that a restored
// or rival history has in its stead.
type Mark struct {
	Position int64
	Event    id.Event
}

// Mark is the place of r.
func (r Recorded) Mark() Mark { return Mark{Position: r.Position, Event: r.ID} }

// Head is the end of the history and the epoch it is in.
type Head struct {
	Mark
	Epoch      int64
	RecordedAt time.Time
}

// Receipt says where an append's events came to stand; First and Last are 0 when it had none.
type Receipt struct {
	First, Last int64
	RecordedAt  time.Time
}

// Hash is half of a claim: 128 bits of a keyed hash.
type Hash [16]byte

// Claim is a name within a scope, both as keyed hashes: the store can't tell what they stand for.
type Claim struct{ Scope, Name Hash }

// SubjectKey is the wrapped key that one person's data is sealed under.
type SubjectKey struct {
	Subject id.ID
	Wrapped []byte // empty when it was destroyed
}

// Forgetting destroys a subject's key for ever: what is sealed under it can't be opened any more. It is refused with
// *SubjectMoved when not exactly so many streams hold the subject: another one has come since they were read.
type Forgetting struct {
	Subject id.ID
	Streams int
}

// Idempotency records the answer to a request made under a key of the caller's choosing. Scope and
// Key name it; Fingerprint tells whether the same was asked; Result is JSON.
type Idempotency struct {
	Scope, Key  string
	Fingerprint []byte
	Result      json.RawMessage
}
