package eventstore

import (
	"errors"
	"fmt"

	"gesta/domain"
	"gesta/domain/id"
)

// Refusals of an append that need no further word.
var (
	ErrUnavailable = errors.New("eventstore: unavailable")
	ErrTooLarge    = errors.New("eventstore: too large")
	ErrMalformed   = errors.New("eventstore: malformed append")
)

// Conflict refuses an append whose stream is not at the version it was expected at, or there by another event.
type Conflict struct {
	Stream           domain.Stream
	Expected, Actual int64
}

// ClaimTaken refuses an append that takes a claim another stream holds.
type ClaimTaken struct {
	Claim  Claim
	Holder domain.Stream
}

// KeyExists refuses an append that brings a key for a subject that has one.
type KeyExists struct{ Subject id.ID }

// KeyGone refuses an append that has a stream hold a subject whose key was destroyed, or who has none, and one that
// brings a new key for a subject that streams hold: then the key is lost.
type KeyGone struct{ Subject id.ID }

// SubjectMoved refuses to forget a subject that other streams hold than were read.
type SubjectMoved struct{ Subject id.ID }

// Repeated refuses an append whose idempotency key was used before, and answers what it led to.
type Repeated struct{ First Idempotency }

func (e *Conflict) Error() string {
	if e.Actual == e.Expected {
		return fmt.Sprintf("eventstore: %s is at version %d by another event", e.Stream, e.Actual)
	}
	return fmt.Sprintf("eventstore: %s is at version %d, not %d", e.Stream, e.Actual, e.Expected)
}

func (e *ClaimTaken) Error() string {
	return fmt.Sprintf("eventstore: a claim is held by %s", e.Holder)
}

func (e *KeyExists) Error() string {
	return fmt.Sprintf("eventstore: subject %s has a key", e.Subject)
}

func (e *KeyGone) Error() string {
	return fmt.Sprintf("eventstore: subject %s has no key", e.Subject)
}

func (e *SubjectMoved) Error() string {
	return fmt.Sprintf("eventstore: other streams hold subject %s", e.Subject)
}

func (e *Repeated) Error() string {
	return fmt.Sprintf("eventstore: idempotency key %q was used before", e.First.Key)
}
