package domain

import "time"

// State is what a stream's past means for its next decision; the zero State is an empty past. A State
// is a value: Evolve answers a new one and leaves the old one as it was, since folded states are
// shared. The time is the event's OccurredAt.
type State[S any] interface {
	Evolve(e Event, at time.Time) S
}

// Command asks a stream to decide. Decide is pure: time, prices and hashes arrive inside the command.
// No events means that there is nothing to do.
type Command[S State[S]] interface {
	Target() Stream
	Decide(S) ([]Event, error)
}
