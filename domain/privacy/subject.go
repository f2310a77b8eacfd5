// Package privacy is what can be done about a person's data: to keep it though it is asked to be forgotten, and to
// forget it. It knows persons by their ids alone, whoever they are elsewhere: users, customers, members, end users.
package privacy

import (
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// SubjectID names a person. It is the id that the person has as a user, customer, member or end user.
type SubjectID = id.Subject

// Refusals.
var (
	ErrSubjectUnknown = &domain.Fault{Kind: domain.NotFound, Code: "subject_unknown", Text: "nothing is kept about this person"}
	ErrNoReason       = &domain.Fault{Kind: domain.Invalid, Code: "no_reason", Text: "a legal hold needs a reason"}
	ErrHeldAlready    = &domain.Fault{Kind: domain.Conflict, Code: "held_already", Text: "a legal hold keeps this person's data already, for another reason"}
	ErrHeld           = &domain.Fault{Kind: domain.Conflict, Code: "legal_hold", Text: "a legal hold keeps this person's data: release it first"}
)

// Facts.
type (
	// SubjectHeld says that a legal hold keeps a person's data.
	SubjectHeld struct {
		SubjectID SubjectID `json:"subject_id" privacy:"public"`
		Reason    string    `json:"reason" privacy:"personal:subject_id"`
	}
	// SubjectReleased says that the legal hold is over.
	SubjectReleased struct {
		SubjectID SubjectID `json:"subject_id" privacy:"public"`
	}
	// SubjectForgotten stands in every stream that holds the person, from whose past nothing personal can be read
	// any more.
	SubjectForgotten struct {
		SubjectID SubjectID `json:"subject_id" privacy:"public"`
	}
)

func (SubjectHeld) EventType() string      { return "privacy.subject.held" }
func (SubjectReleased) EventType() string  { return "privacy.subject.released" }
func (SubjectForgotten) EventType() string { return "privacy.subject.forgotten" }

// Forgets says who it is.
func (e SubjectForgotten) Forgets() id.ID { return e.SubjectID.ID }

// Kind is that of the streams in which the facts about persons' data are.
const Kind = "privacy.subject"

// Types are the events of this context.
var Types = []domain.Type{
	domain.TypeOf[SubjectHeld](),
	domain.TypeOf[SubjectReleased](),
	domain.TypeOf[SubjectForgotten](),
}

// Aggregates are how its streams are folded.
var Aggregates = []domain.Aggregate{domain.AggregateOf[Subject](Kind)}

// Subject is what was decided about a person's data.
type Subject struct {
	ID        SubjectID
	Held      bool
	Reason    string
	Forgotten bool
}

// SubjectStream is where the facts about a person's data are.
func SubjectStream(s SubjectID) domain.Stream {
	return domain.Stream{Kind: Kind, ID: s.ID}
}

// Evolve is what each fact means for the person.
func (s Subject) Evolve(e domain.Event, _ time.Time) Subject {
	switch e := e.(type) {
	case SubjectHeld:
		s.ID, s.Held, s.Reason = e.SubjectID, true, e.Reason
	case SubjectReleased:
		s.Held, s.Reason = false, ""
	case SubjectForgotten:
		s.ID, s.Forgotten = e.SubjectID, true
	}
	return s
}

// Commands.
type (
	// HoldSubject keeps somebody from being forgotten, for a reason.
	HoldSubject struct {
		Subject SubjectID
		Reason  string
	}
	ReleaseSubject struct{ Subject SubjectID }
	// ForgetSubject forgets somebody. Known says that the person's key is not known to be destroyed: it may have come
	// back with a backup, or one from before the person.
	ForgetSubject struct {
		Subject SubjectID
		Known   bool
	}
)

func (c HoldSubject) Target() domain.Stream    { return SubjectStream(c.Subject) }
func (c ReleaseSubject) Target() domain.Stream { return SubjectStream(c.Subject) }
func (c ForgetSubject) Target() domain.Stream  { return SubjectStream(c.Subject) }

// Decide holds somebody who was not forgotten, once: one release would end two holds.
func (c HoldSubject) Decide(s Subject) ([]domain.Event, error) {
	switch {
	case s.Forgotten:
		return nil, domain.ErrForgotten
	case s.Held && s.Reason != c.Reason:
		return nil, ErrHeldAlready
	case s.Held:
		return nil, nil
	}
	return []domain.Event{SubjectHeld{c.Subject, c.Reason}}, nil
}

// Decide ends a hold.
func (c ReleaseSubject) Decide(s Subject) ([]domain.Event, error) {
	if !s.Held {
		return nil, nil
	}
	return []domain.Event{SubjectReleased{c.Subject}}, nil
}

// Decide forgets somebody for whom there is no hold: once, or once more where a key has come back.
func (c ForgetSubject) Decide(s Subject) ([]domain.Event, error) {
	switch {
	case s.Forgotten && !c.Known:
		return nil, nil
	case s.Held:
		return nil, ErrHeld
	}
	return []domain.Event{SubjectForgotten{c.Subject}}, nil
}
