// Package timers keeps what a follower of the history has yet to do about events it has passed: at a
// time that has not come, or again because it failed. The follower's checkpoint moves in the same
// transaction that sets its timers, so that none is missing.
package timers

import (
	"errors"
	"time"

	"gesta/domain/id"
	"gesta/eventstore"
)

// Timer is one thing to do about one event. There is at most one by each name for each event.
type Timer struct {
	Name     string
	Cause    eventstore.Mark
	Due      time.Time
	Attempts int    // that failed
	Error    string // of the last of them
}

// ErrNotWhole says that timers are missing: they were lost, or a migration has made their table anew.
var ErrNotWhole = errors.New("timers: some are missing")

// Status is where the follower is and what it has before it.
type Status struct {
	Position int64
	Waiting  int     // all timers
	Failing  int     // those of them that have failed
	Oldest   []Timer // some of the failing ones, by position
}

// maxNamed is how many of those that fail a Status names.
const maxNamed = 10

type key struct {
	name  string
	event id.Event
}

func (t Timer) key() key { return key{t.Name, t.Cause.Event} }
