package domain

import (
	"strings"

	"gesta/domain/id"
)

// PrivacyTag is the struct tag that every field of an event carries: how private what it says is.
//
//	public                 for everybody who may see the event
//	personal:<subject>     somebody's data, sealed under that person's key: gone when the person is forgotten
//	secret                 never leaves the store, and is sealed there
//	secret:<subject>       a secret that goes with a person
//
// <subject> is the JSON name of the public field that says who it is: of the same struct, or of one around it. The
// tag counts for all that is in the field; what is in a public one carries tags of its own.
const PrivacyTag = "privacy"

// Place is where a sealed value belongs. It opens nowhere else.
type Place struct {
	Subject id.ID  // whose it is; zero for a secret that is nobody's
	Path    string // of its field in the event, as in "email" or "contacts.0.email"
}

// Sealer seals the fields of one event.
type Sealer interface {
	// Seal answers text that begins with SealedPrefix. It refuses with ErrForgotten to seal anything of somebody who
	// was forgotten. Clear is not kept.
	Seal(p Place, clear []byte) (sealed string, err error)
}

// Opener opens the fields of one event.
type Opener interface {
	// Open answers what was sealed, or ErrForgotten. The bytes are good until the next call.
	Open(p Place, sealed string) (clear []byte, err error)
}

// SealedPrefix is how a sealed value begins. One that begins otherwise was written before values were sealed.
const SealedPrefix = "sealed:1:"

func isSealed(text string) bool { return strings.HasPrefix(text, SealedPrefix) }

// ErrForgotten refuses to say anything about somebody who was forgotten.
var ErrForgotten = &Fault{Kind: Conflict, Code: "forgotten", Text: "this person has been forgotten"}

// Forgetter is an event that says that somebody is forgotten: whatever is kept of the stream's past before it is
// dropped, since that may know what must not be known any more.
type Forgetter interface{ Forgets() id.ID }

// IsOf tells whether an event means anything for the state of a stream. That somebody is forgotten is said in all
// streams that hold the person, and means something in its own alone.
func IsOf(s Stream, e Event) bool {
	_, forgets := e.(Forgetter)
	return !forgets || strings.HasPrefix(e.EventType(), s.Kind+".")
}
