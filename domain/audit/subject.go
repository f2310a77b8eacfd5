package audit

import (
	"time"

	"gesta/domain"
	"gesta/domain/id"
)

// Facts.
type (
	// SubjectExported says that somebody was given all that is kept about a person.
	SubjectExported struct {
		SubjectID id.Subject `json:"subject_id" privacy:"public"`
		ReaderID  id.User    `json:"reader_id" privacy:"public"`
	}
	// SubjectKeyGiven says that somebody was given the key that a person's data is sealed under.
	SubjectKeyGiven struct {
		SubjectID id.Subject `json:"subject_id" privacy:"public"`
		ReaderID  id.User    `json:"reader_id" privacy:"public"`
	}
)

func (SubjectExported) EventType() string { return "audit.subject.exported" }
func (SubjectKeyGiven) EventType() string { return "audit.subject.key_given" }

// Types are the events of this context.
var Types = []domain.Type{
	domain.TypeOf[HistoryRead](),
	domain.TypeOf[SubjectExported](),
	domain.TypeOf[SubjectKeyGiven](),
}

// Aggregates are how its streams are folded.
var Aggregates = []domain.Aggregate{
	domain.AggregateOf[Readings]("audit.history"),
	domain.AggregateOf[Subject]("audit.subject"),
}

// Subject is how often what is kept about a person was given to somebody.
type Subject struct {
	ID        id.Subject
	Exports   int
	KeysGiven int
}

// SubjectStream is where the facts about what was given of a person are.
func SubjectStream(s id.Subject) domain.Stream {
	return domain.Stream{Kind: "audit.subject", ID: s.ID}
}

// Evolve is what each fact means for the person.
func (s Subject) Evolve(e domain.Event, _ time.Time) Subject {
	switch e := e.(type) {
	case SubjectExported:
		s.ID, s.Exports = e.SubjectID, s.Exports+1
	case SubjectKeyGiven:
		s.ID, s.KeysGiven = e.SubjectID, s.KeysGiven+1
	}
	return s
}

// Commands. Each time is a fact.
type (
	ExportSubject struct {
		Subject id.Subject
		Reader  id.User
	}
	GiveSubjectKey struct {
		Subject id.Subject
		Reader  id.User
	}
)

func (c ExportSubject) Target() domain.Stream  { return SubjectStream(c.Subject) }
func (c GiveSubjectKey) Target() domain.Stream { return SubjectStream(c.Subject) }

// Decide notes it.
func (c ExportSubject) Decide(Subject) ([]domain.Event, error) {
	return []domain.Event{SubjectExported{c.Subject, c.Reader}}, nil
}

// Decide notes it.
func (c GiveSubjectKey) Decide(Subject) ([]domain.Event, error) {
	return []domain.Event{SubjectKeyGiven{c.Subject, c.Reader}}, nil
}
