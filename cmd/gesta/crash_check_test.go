package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"gesta/domain/identity"
	"gesta/eventstore/postgres/pgtest"
)

// trace is the events that one command left: how many of each type.
type trace map[string]int

// leaves says which facts a command of a kind leaves once each when it happens, and which it may leave
// besides; refused is what one that was refused may leave.
var leaves = map[string]struct{ must, may, refused []string }{
	registers: {must: []string{"identity.user.registered"}},
	phones:    {must: []string{"identity.user.phone_changed"}},
	emails:    {must: []string{"identity.user.email_changed"}},
	passwords: {must: []string{"identity.user.password_changed"}, may: []string{"identity.session.ended"}},
	switches:  {may: []string{"identity.user.deactivated", "identity.user.reactivated", "identity.session.ended"}},
	signsIn:   {must: []string{"identity.user.signed_in", "identity.session.opened"}, may: []string{"identity.session.ended"}},
	refreshes: {must: []string{"identity.session.refreshed"}, refused: []string{"identity.session.refresh_token_reused", "identity.session.ended"}},
	signsOut:  {must: []string{"identity.session.ended"}},
}

// agrees tells whether a command can have left t by what was answered.
func (a asked) agrees(t trace) bool {
	l := leaves[a.kind]
	happened := t.holds(l.must, l.may)
	if a.kind == switches {
		happened = t.holds(l.must, l.may) && t["identity.user.deactivated"]+t["identity.user.reactivated"] == 1
	}
	refusal := t.holds(nil, l.refused)
	switch a.outcome {
	case acknowledged:
		return happened
	case refused:
		return refusal
	}
	return happened || refusal
}

// holds tells whether there is each fact that must be, once, and else only such as may be.
func (t trace) holds(must, may []string) bool {
	for _, typ := range must {
		if t[typ] != 1 {
			return false
		}
	}
	for typ := range t {
		if !slices.Contains(must, typ) && !slices.Contains(may, typ) {
			return false
		}
	}
	return true
}

// checkCommands holds every answer against the history: what was acknowledged is in it once, what was
// refused is not, and what nobody knows of is there whole or not at all.
func checkCommands(t *testing.T, owner string, all []asked) {
	t.Helper()
	traces := map[string]trace{}
	for _, r := range pgtest.Rows(t, owner, `select metadata->>'client_request' || ' ' || type from gesta.events
		where metadata->>'client_request' is not null and type not like 'identity.sign\_in.%'`) {
		id, typ, _ := strings.Cut(r, " ")
		if traces[id] == nil {
			traces[id] = trace{}
		}
		traces[id][typ]++
	}
	for _, a := range all {
		if !a.agrees(traces[a.id]) {
			t.Errorf("%s (%s) was %s, and the history has %v of it", a.kind, a.id, a.outcome, traces[a.id])
		}
		delete(traces, a.id)
	}
	for id := range traces {
		t.Errorf("the history has a command that nobody gave: %s %v", id, traces[id])
	}
}

// checkAddresses replays who had which address: never two at a time, and nobody was refused one that
// nobody ever had.
func checkAddresses(t *testing.T, owner string, lost []string) {
	t.Helper()
	holders, addresses, had := map[string]string{}, map[string]string{}, map[string]bool{}
	for _, r := range openedHistory(t, owner) {
		var email string
		switch e := r.Event.(type) {
		case identity.UserRegistered:
			email = string(e.Email)
		case identity.UserEmailChanged:
			email = string(e.Email)
		default:
			continue
		}
		user := r.Stream.ID.String()
		if other, held := holders[email]; held && other != user {
			t.Errorf("%s is held by %s and given to %s", email, other, user)
		}
		delete(holders, addresses[user])
		holders[email], addresses[user], had[email] = user, email, true
	}
	for _, email := range lost {
		if !had[email] {
			t.Errorf("%s was refused to somebody, and nobody ever had it", email)
		}
	}
	shown := pgtest.Rows(t, owner, `select email from gesta_read.users`)
	if slices.Sort(shown); !slices.Equal(shown, slices.Sorted(maps.Keys(holders))) {
		t.Errorf("readers see %d addresses, and the history has %d", len(shown), len(holders))
	}
}

// checkUsers looks for an order in which all that was asked about each user can have happened.
func checkUsers(t *testing.T, users []*history) {
	t.Helper()
	for _, h := range users {
		if result := h.isLegal(); result != porcupine.Ok {
			t.Errorf("what was answered about %s can't have happened in any order (%s):", h.user, result)
			for _, o := range h.operations {
				t.Errorf("    %d to %d: %+v", o.Call/1e6, o.Return/1e6, o.Input)
			}
		}
	}
}

// checkReadModels builds the read models anew, and wants the same rows.
func checkReadModels(t *testing.T, i installation) {
	t.Helper()
	before := i.rows(t)
	mustGesta(t, i.env, "projections", "rebuild")
	unchanged(t, "read models", before, i.rows(t))
}
