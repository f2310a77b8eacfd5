package privacy_test

import (
	"testing"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/privacy"
	"gesta/domain/spec"
)

var (
	ann       = privacy.SubjectID{ID: id.Named("ann")}
	held      = privacy.SubjectHeld{SubjectID: ann, Reason: "case 4711"}
	released  = privacy.SubjectReleased{SubjectID: ann}
	forgotten = privacy.SubjectForgotten{SubjectID: ann}

	hold    = privacy.HoldSubject{Subject: ann, Reason: "case 4711"}
	release = privacy.ReleaseSubject{Subject: ann}
	forget  = privacy.ForgetSubject{Subject: ann, Known: true}
)

func given(past ...domain.Event) spec.Past[privacy.Subject] {
	return spec.Given[privacy.Subject](past...)
}

func TestEvents(t *testing.T) {
	spec.Examples(t, privacy.Types, []domain.Event{held, released, forgotten})
	spec.Aggregates(t, privacy.Types, privacy.Aggregates)
}

func TestAHoldBeginsAndEndsOnce(t *testing.T) {
	given().When(hold).Then(t, held)
	given(held).When(hold).Nothing(t)
	given(held).When(privacy.HoldSubject{Subject: ann, Reason: "another case"}).Refused(t, privacy.ErrHeldAlready)
	given(held).When(release).Then(t, released)
	given().When(release).Nothing(t)
	given(held, released).When(hold).Then(t, held)
	given(forgotten).When(hold).Refused(t, domain.ErrForgotten)
}

func TestWhoIsHeldIsNotForgotten(t *testing.T) {
	given(held).When(forget).Refused(t, privacy.ErrHeld)
	given(held, released).When(forget).Then(t, forgotten)
}

func TestForgettingOnceIsEnoughUnlessAKeyComesBack(t *testing.T) {
	given().When(forget).Then(t, forgotten)
	given(forgotten).When(privacy.ForgetSubject{Subject: ann}).Nothing(t)
	given(forgotten).When(forget).Then(t, forgotten)
}

func TestWhatIsSaidBesideChangesNothing(t *testing.T) {
	if s := (privacy.Subject{}).Evolve(nil, spec.At); s != (privacy.Subject{}) {
		t.Errorf("%+v", s)
	}
}
