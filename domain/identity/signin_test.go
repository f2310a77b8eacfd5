package identity_test

import (
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/spec"
)

var (
	signIn = identity.SignInID{ID: id.Named("sign-in")}
	rule   = identity.FailureRule{Failures: 3, Within: time.Minute}

	annSuspected = identity.SignInSuspected{
		Realm: "r", UserID: ann, Failures: 3, WithinSeconds: 60, Until: spec.At.Add(time.Minute),
	}
	annSuspicionEnded = identity.SignInSuspicionEnded{Realm: "r", UserID: ann}
)

func annFailed(number int) identity.SignInFailed {
	return identity.SignInFailed{Realm: "r", UserID: ann, Number: number}
}

func fail(after time.Duration) identity.FailSignIn {
	return identity.FailSignIn{SignIn: signIn, Realm: "r", User: ann, At: spec.At.Add(after), Rule: rule}
}

func TestFailuresAreCountedWithinTheWindow(t *testing.T) {
	spec.Given[identity.SignIns]().When(fail(0)).Then(t, annFailed(1))
	twice := spec.Given[identity.SignIns](annFailed(1), annFailed(2))
	twice.When(fail(time.Second)).Then(t, annFailed(3))
	twice.When(fail(time.Minute)).Then(t, annFailed(1))
}

func TestWhoGoesOnGuessingLeavesNoFurtherTraceUntilTheWindowMoves(t *testing.T) {
	full := spec.Given[identity.SignIns](annFailed(1), annFailed(2), annFailed(3))
	full.When(fail(59 * time.Second)).Nothing(t)
	full.When(fail(time.Minute)).Then(t, annFailed(1))
}

func TestWithoutARuleNoFailureIsRecorded(t *testing.T) {
	spec.Given[identity.SignIns]().When(identity.FailSignIn{SignIn: signIn, Realm: "r", At: spec.At}).Nothing(t)
}

func TestNoWindowHoldsMoreFailuresThanTheRule(t *testing.T) {
	var s identity.SignIns
	var recorded []time.Time
	var after time.Duration
	for n := range 400 {
		after += time.Duration(n*n%31) * time.Second
		c := fail(after)
		events, err := c.Decide(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			s, recorded = s.Evolve(e, c.At), append(recorded, c.At)
		}
	}
	for _, end := range recorded {
		within := 0
		for _, at := range recorded {
			if at.After(end.Add(-rule.Within)) && !at.After(end) {
				within++
			}
		}
		if within > rule.Failures {
			t.Fatalf("%d failures within the window that ends at %s", within, end)
		}
	}
}

func TestAsManyFailuresAsTheRuleSaysAreSuspect(t *testing.T) {
	suspect := func(number int, after time.Duration) identity.SuspectSignIn {
		return identity.SuspectSignIn{SignIn: signIn, Failed: annFailed(number), At: spec.At.Add(after), Rule: rule}
	}
	failed := []domain.Event{annFailed(1), annFailed(2), annFailed(3)}
	given := spec.Given[identity.SignIns](failed...)
	given.When(suspect(2, 0)).Nothing(t)
	given.When(suspect(3, 0)).Then(t, annSuspected)
	suspected := spec.Given[identity.SignIns](append(failed, annSuspected)...)
	suspected.When(suspect(3, time.Second)).Nothing(t)
	ended := spec.Given[identity.SignIns](append(failed, annSuspected, annSuspicionEnded)...)
	ended.When(suspect(3, time.Second)).Nothing(t)
	again := annSuspected
	again.Until = spec.At.Add(2 * time.Minute)
	ended.When(suspect(3, time.Minute)).Then(t, again)
}

func TestASuspicionEndsWhenItsTimeHasCome(t *testing.T) {
	end := identity.EndSuspicion{SignIn: signIn, Realm: "r", Until: annSuspected.Until}
	spec.Given[identity.SignIns](annSuspected).When(end).Then(t, annSuspicionEnded)
	spec.Given[identity.SignIns](annSuspected, annSuspicionEnded).When(end).Nothing(t)
	later := annSuspected
	later.Until = later.Until.Add(time.Second)
	spec.Given[identity.SignIns](annSuspected, later).When(end).Nothing(t)
}

func TestRulesOfFailures(t *testing.T) {
	for text, want := range map[string]identity.FailureRule{
		"off": {}, "5/1m": {Failures: 5, Within: time.Minute}, "100/2s": {Failures: 100, Within: 2 * time.Second},
	} {
		var r identity.FailureRule
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%s: %+v %v", text, r, err)
		}
	}
	for _, text := range []string{"", "5", "0/1m", "101/1m", "5/1500ms", "5/-1m", "x/1m", "5/x"} {
		if err := new(identity.FailureRule).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a rule", text)
		}
	}
}

// Five wrong passwords in a row, however far apart, keep any from being tried for half an hour.
var (
	lockout    = identity.Lockout{Failures: 5, For: 30 * time.Minute}
	annLocked  = identity.SignInLocked{Realm: "r", UserID: ann, Failures: 5, Until: spec.At.Add(30 * time.Minute)}
	annForgets = []domain.Event{annFailed(1), annFailed(1), annFailed(1), annFailed(1)}
)

func miss(after time.Duration) identity.FailSignIn {
	c := fail(after)
	c.Rule, c.Lockout = identity.FailureRule{}, lockout
	return c
}

func succeed(after time.Duration) identity.SucceedSignIn {
	return identity.SucceedSignIn{SignIn: signIn, Realm: "r", User: ann, At: spec.At.Add(after)}
}

func unlock(after time.Duration) identity.UnlockSignIn {
	return identity.UnlockSignIn{SignIn: signIn, Realm: "r", User: ann, At: spec.At.Add(after)}
}

func TestWrongPasswordsInARowLock(t *testing.T) {
	spec.Given[identity.SignIns](annForgets[:3]...).When(miss(0)).Then(t, annFailed(1))
	spec.Given[identity.SignIns](annForgets...).When(miss(0)).Then(t, annFailed(1), annLocked)
	spec.Given[identity.SignIns](append(annForgets, annFailed(1), annLocked)...).When(miss(29 * time.Minute)).Nothing(t)
	spec.Given[identity.SignIns](append(annForgets, annFailed(1), annLocked)...).When(miss(30*time.Minute)).Then(t, annFailed(1))
}

func TestTheRightPasswordForgivesThoseThatWereWrong(t *testing.T) {
	succeeded := identity.SignInSucceeded{Realm: "r", UserID: ann}
	spec.Given[identity.SignIns]().When(succeed(0)).Nothing(t)
	spec.Given[identity.SignIns](annForgets...).When(succeed(0)).Then(t, succeeded)
	spec.Given[identity.SignIns](append(annForgets, succeeded)...).When(miss(0)).Then(t, annFailed(1))
}

func TestNotEvenTheRightPasswordOpensWhatIsLocked(t *testing.T) {
	given := spec.Given[identity.SignIns](append(annForgets, annFailed(1), annLocked)...)
	given.When(succeed(29*time.Minute)).Refused(t, identity.ErrLocked)
	given.When(succeed(30 * time.Minute)).Nothing(t)
}

func TestAnAdministratorOpensWhatIsLocked(t *testing.T) {
	unlocked := identity.SignInUnlocked{Realm: "r", UserID: ann}
	locked := append(annForgets, annFailed(1), annLocked)
	spec.Given[identity.SignIns](locked...).When(unlock(time.Minute)).Then(t, unlocked)
	spec.Given[identity.SignIns](append(locked, unlocked)...).When(succeed(time.Minute)).Nothing(t)
	spec.Given[identity.SignIns](annForgets...).When(unlock(0)).Then(t, unlocked)
	spec.Given[identity.SignIns]().When(unlock(0)).Nothing(t)
}

func TestALockoutReads(t *testing.T) {
	var l identity.Lockout
	if err := l.UnmarshalText([]byte("5/30m")); err != nil || l != lockout {
		t.Errorf("%+v %v", l, err)
	}
	if err := l.UnmarshalText([]byte("off")); err != nil || !l.IsOff() {
		t.Errorf("%+v %v", l, err)
	}
	for _, wrong := range []string{"", "5", "0/30m", "5/0s", "101/30m", "5/1ms"} {
		if err := l.UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%q is a lockout", wrong)
		}
	}
}
