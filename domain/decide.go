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

// Quiet is a State some of whose events change nothing that is shown of it: they make no new revision.
type Quiet interface{ IsQuiet(Event) bool }

// Revises answers what tells the events that make a new revision of a state of type S.
func Revises[S State[S]]() func(Event) bool {
	var zero S
	if q, some := any(zero).(Quiet); some {
		return func(e Event) bool { return !q.IsQuiet(e) }
	}
	return func(Event) bool { return true }
}
