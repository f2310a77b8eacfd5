package domain

import "slices"

// Claim is a name that only one stream may hold at a time within its scope: an e-mail address in a
// realm, an invoice number, a live session of a user. Nobody holds the empty name: so has who was forgotten none.
type Claim struct{ Scope, Name string }

// Claimant is a State that holds claims. They are read off the state: whoever appends claims and
// releases the difference in the same commit.
type Claimant interface {
	Claims() []Claim
	// Refuse says, in the business' words, that the claim is held by another stream.
	Refuse(Claim) error
}

// ClaimChanges is what a stream must take and release on its way from one state to another.
func ClaimChanges(before, after any) (take, release []Claim) {
	held, wanted := ClaimsOf(before), ClaimsOf(after)
	return without(wanted, held), without(held, wanted)
}

// ClaimsOf are the claims that a state says its stream holds; none for a state that is no Claimant.
func ClaimsOf(state any) []Claim {
	c, ok := state.(Claimant)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(c.Claims(), func(c Claim) bool { return c.Name == "" })
}

func without(all, those []Claim) []Claim {
	return slices.DeleteFunc(slices.Clone(all), func(c Claim) bool { return slices.Contains(those, c) })
}
