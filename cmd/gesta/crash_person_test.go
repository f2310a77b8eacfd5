package main

import (
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// person is what a user is to the outside: the model that every answer is held against.
type person struct {
	email, phone, password string
	active                 bool
}

// step is what was asked about one user, and what was answered.
type step struct {
	kind    string
	to      person // what is registered, or changed to; what was presented or seen
	current string // the password that a change was proven with
	outcome outcome
}

// The kinds of steps, each named as the campaign's summary does.
const (
	registers = "register"
	phones    = "phone"
	emails    = "email"
	passwords = "password"
	switches  = "is_active"
	signsIn   = "sign in"
	reads     = "read"
	refreshes = "refresh"
	signsOut  = "sign out"
)

// people is a user as one object that all steps are made on, one after the other. A step of which nobody
// knows the outcome may happen at any later time; one that never happened is one that happens last.
var people = porcupine.Model{
	Init: func() any { return person{} },
	Step: func(state, input, _ any) (bool, any) {
		p, s := state.(person), input.(step)
		return s.fits(p), s.leads(p)
	},
}

// fits tells whether the answer can have been given about p.
func (s step) fits(p person) bool {
	knows := p.active && p.email == s.to.email && p.password == s.to.password
	switch {
	case s.outcome == unknown:
		return true
	case s.kind == reads:
		return s.outcome != acknowledged || p.email == s.to.email && p.phone == s.to.phone && p.active == s.to.active
	case s.kind == signsIn:
		return knows == (s.outcome == acknowledged)
	case s.kind == passwords:
		return (p.password == s.current) == (s.outcome == acknowledged)
	}
	return true
}

// leads is what p is after the step.
func (s step) leads(p person) person {
	if s.outcome == refused {
		return p
	}
	switch s.kind {
	case registers:
		return s.to
	case phones:
		p.phone = s.to.phone
	case emails:
		p.email = s.to.email
	case switches:
		p.active = s.to.active
	case passwords:
		if p.password == s.current {
			p.password = s.to.password
		}
	}
	return p
}

// history is all that was asked about one user.
type history struct {
	user       string
	operations []porcupine.Operation
}

func (h *history) add(s step, called, returned time.Duration) {
	end := int64(returned)
	if s.outcome == unknown {
		end = math.MaxInt64
	}
	h.operations = append(h.operations, porcupine.Operation{ClientId: len(h.operations), Input: s, Call: int64(called), Return: end})
}

// isLegal tells whether there is an order in which all of it can have happened.
func (h *history) isLegal() porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(people, h.operations, 20*time.Second)
}

// The model can tell what can have happened from what can't.
func TestWhatCanHaveHappenedToAPerson(t *testing.T) {
	t.Parallel()
	old := person{email: "a@example.com", phone: "1", password: "old", active: true}
	moved, renewed := old, old
	moved.phone, renewed.password = "2", "new"
	known := step{kind: registers, to: old, outcome: acknowledged}
	was, is := step{kind: reads, to: old, outcome: acknowledged}, step{kind: reads, to: moved, outcome: acknowledged}
	change := func(kind string, to person, o outcome) step {
		return step{kind: kind, to: to, current: "old", outcome: o}
	}
	for name, c := range map[string]struct {
		legal bool
		steps []step
	}{
		"a read of what was changed":                {true, []step{known, change(phones, moved, acknowledged), is}},
		"a read of what was before":                 {false, []step{known, change(phones, moved, acknowledged), was}},
		"a refused change that is seen":             {false, []step{known, change(phones, moved, refused), is}},
		"an unknown change that comes late":         {true, []step{known, change(phones, moved, unknown), was, is}},
		"an unknown change that never comes":        {true, []step{known, change(phones, moved, unknown), was, was}},
		"an unknown change that goes away":          {false, []step{known, change(phones, moved, unknown), is, was}},
		"a sign-in with the right password":         {true, []step{known, {kind: signsIn, to: old, outcome: acknowledged}}},
		"a sign-in with another one":                {false, []step{known, {kind: signsIn, to: renewed, outcome: acknowledged}}},
		"the right password refused":                {false, []step{known, {kind: signsIn, to: old, outcome: refused}}},
		"the old password after the change":         {false, []step{known, change(passwords, renewed, acknowledged), {kind: signsIn, to: old, outcome: acknowledged}}},
		"either password after an unknown change":   {true, []step{known, change(passwords, renewed, unknown), {kind: signsIn, to: old, outcome: acknowledged}, {kind: signsIn, to: renewed, outcome: acknowledged}}},
		"a password change proven with a wrong one": {false, []step{known, change(passwords, renewed, acknowledged), change(passwords, renewed, acknowledged)}},
	} {
		h := history{user: name}
		for i, s := range c.steps {
			h.add(s, time.Duration(2*i), time.Duration(2*i+1))
		}
		if result := h.isLegal(); (result == porcupine.Ok) != c.legal {
			t.Errorf("%s: %s", name, result)
		}
	}
}
