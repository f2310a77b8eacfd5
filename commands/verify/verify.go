// Package verify checks that what the store holds is whole, and that what is derived from it in the same
// commit is what it ought to be. It changes nothing, needs a constant amount of memory, and is right
// while others write: what must agree is read under one snapshot, a little at a time.
//
// It can't see that events are gone from the end which no follower had seen, or that a fact was replaced
// by another one of the same form: whoever compares the history with the published stream sees both.
package verify

import (
	"fmt"

	"gesta/commands"
	"gesta/domain"
	"gesta/eventstore/postgres"
	"gesta/eventstore/seal"
)

// Verifier checks one store.
type Verifier struct {
	Store      *postgres.Store
	Vault      *seal.Vault
	Aggregates domain.Aggregates
	Claims     commands.Hasher
	Sealed     int64 // the position from which on everything is sealed
	Page       int   // how many events or claims are read at once; 0 for 500
}

func (v Verifier) page() int {
	if v.Page > 0 {
		return v.Page
	}
	return 500
}

// Report takes a finding: one line that says what is wrong and where.
type Report func(finding string)

func (r Report) say(format string, args ...any) { r(fmt.Sprintf(format, args...)) }

// How many ids are compared, and how many are read, at once.
const (
	compared = 1 << 20
	marked   = 10_000
)
