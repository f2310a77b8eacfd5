package main

import (
	"math"
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
