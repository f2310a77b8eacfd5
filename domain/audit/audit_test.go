package audit_test

import (
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/audit"
	"gesta/domain/id"
	"gesta/domain/spec"
)

var (
	ada   = id.User{ID: id.Named("ada")}
	desk  = id.Session{ID: id.Named("desk")}
	ann   = id.Subject{ID: id.Named("ann")}
	read  = audit.HistoryRead{ReaderID: ada, SessionID: desk, Part: audit.Events}
	given = audit.SubjectKeyGiven{SubjectID: ann, ReaderID: ada}
	taken = audit.SubjectExported{SubjectID: ann, ReaderID: ada}
)

func reading(part audit.Part, at time.Time) audit.ReadHistory {
	return audit.ReadHistory{Reader: ada, Session: desk, Part: part, At: at}
}

func TestEvents(t *testing.T) {
	spec.Examples(t, audit.Types, []domain.Event{read, taken, given})
	spec.Aggregates(t, audit.Types, audit.Aggregates)
}

func TestTheFirstReadingOfAMinuteIsAFact(t *testing.T) {
	past := func(e ...domain.Event) spec.Past[audit.Readings] { return spec.Given[audit.Readings](e...) }
	past().When(reading(audit.Events, spec.At)).Then(t, read)
	past(read).When(reading(audit.Events, spec.At)).Nothing(t)
	past(read).When(reading(audit.Stream, spec.At)).Then(t, audit.HistoryRead{ReaderID: ada, SessionID: desk, Part: audit.Stream})
	past(read).When(reading(audit.Events, spec.At.Add(time.Minute))).Then(t, read)
	other := reading(audit.Events, spec.At)
	other.Session = id.Session{ID: id.Named("phone")}
	past(read).When(other).Then(t, audit.HistoryRead{ReaderID: ada, SessionID: other.Session, Part: audit.Events})
	clear := reading(audit.Events, spec.At)
	clear.InClear = true
	past(read).When(clear).Then(t, audit.HistoryRead{ReaderID: ada, SessionID: desk, Part: audit.Events, InClear: true})
}

func TestEarlierMinutesAreForgotten(t *testing.T) {
	r := audit.Readings{}.Evolve(read, spec.At).Evolve(read, spec.At.Add(time.Hour))
	if len(r.Latest) != 1 || r.ID != ada {
		t.Errorf("%+v", r)
	}
	if same := r.Evolve(taken, spec.At); len(same.Latest) != 1 {
		t.Errorf("%+v", same)
	}
}

func TestWhatIsGivenOfAPersonIsAFactEachTime(t *testing.T) {
	spec.Given[audit.Subject](taken).When(audit.ExportSubject{Subject: ann, Reader: ada}).Then(t, taken)
	spec.Given[audit.Subject](given).When(audit.GiveSubjectKey{Subject: ann, Reader: ada}).Then(t, given)
	s := audit.Subject{}.Evolve(taken, spec.At).Evolve(given, spec.At).Evolve(given, spec.At).Evolve(read, spec.At)
	if s != (audit.Subject{ID: ann, Exports: 1, KeysGiven: 2}) {
		t.Errorf("%+v", s)
	}
}
