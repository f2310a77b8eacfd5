package identity_test

import (
	"errors"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/domain/spec"
	"gesta/domain/value"
)

var (
	codeExpires   = spec.At.Add(identity.CodeLife)
	workRequested = identity.ContactVerificationRequested{ContactID: annsWork, UserID: ann, ExpiresAt: codeExpires, Code: "ABCD2345"}
	workFailed    = identity.ContactVerificationFailed{ContactID: annsWork, UserID: ann, Number: 1}
	annRequested  = identity.UserEmailVerificationRequested{UserID: ann, ExpiresAt: codeExpires, Code: "ABCD2345"}
	annMissed     = identity.UserEmailVerificationFailed{UserID: ann, Number: 1}
	annAsked      = identity.UserCodeRequested{UserID: ann, ContactID: annsWork}
	annVerified   = identity.UserEmailVerified{UserID: ann}
)

func requestWork(code identity.Code, after time.Duration) identity.RequestContactVerification {
	return identity.RequestContactVerification{Contact: annsWork, Code: code, At: spec.At.Add(after)}
}

func proveWork(code identity.Code, after time.Duration) identity.ProveContact {
	return identity.ProveContact{Contact: annsWork, Code: code, At: spec.At.Add(after)}
}

func requestEmail(code identity.Code, after time.Duration) identity.RequestEmailVerification {
	return identity.RequestEmailVerification{User: ann, Code: code, At: spec.At.Add(after)}
}

func proveEmail(code identity.Code, after time.Duration) identity.ProveEmail {
	return identity.ProveEmail{User: ann, Code: code, At: spec.At.Add(after)}
}

func TestTheCodeThatWasSentProvesAContact(t *testing.T) {
	c := spec.Given[identity.Contact](workCreated).When(requestWork("ABCD2345", 0)).Then(t, workRequested).State
	if c.Verified || !c.UpdatedAt.Equal(spec.At) {
		t.Errorf("%+v", c)
	}
	sent := spec.Given[identity.Contact](workCreated, workRequested)
	sent.When(proveWork("ABCD2345", identity.CodeLife-1)).Then(t, workVerified)
	sent.When(proveWork("ABCD2345", identity.CodeLife)).Refused(t, identity.ErrWrongCode)
	sent.When(proveWork("ABCD2346", 0)).Then(t, workFailed)
	verified := spec.Given[identity.Contact](workCreated, workRequested, workVerified)
	verified.When(proveWork("ABCD2346", 0)).Nothing(t)
	verified.When(requestWork("WXYZ2345", time.Hour)).Nothing(t)
}

func TestTheCodeThatWasSentProvesAUsersAddress(t *testing.T) {
	spec.Given[identity.User](annRegistered).When(requestEmail("ABCD2345", 0)).Then(t, annRequested)
	sent := spec.Given[identity.User](annRegistered, annRequested)
	sent.When(proveEmail("ABCD2345", identity.CodeLife-1)).Then(t, annVerified)
	sent.When(proveEmail("ABCD2345", identity.CodeLife)).Refused(t, identity.ErrWrongCode)
	sent.When(proveEmail("ABCD2346", 0)).Then(t, annMissed)
	verified := spec.Given[identity.User](annRegistered, annRequested, annVerified)
	verified.When(proveEmail("ABCD2346", 0)).Nothing(t)
	verified.When(requestEmail("WXYZ2345", time.Hour)).Nothing(t)
}

func TestNoCodeIsGoodWhereNoneWasSent(t *testing.T) {
	for _, code := range []identity.Code{"", "ABCD2345"} {
		spec.Given[identity.Contact](workCreated).When(proveWork(code, 0)).Refused(t, identity.ErrWrongCode)
		spec.Given[identity.User](annRegistered).When(proveEmail(code, 0)).Refused(t, identity.ErrWrongCode)
	}
	spec.Given[identity.Contact]().When(proveWork("ABCD2345", 0)).Refused(t, identity.ErrContactNotFound)
	spec.Given[identity.Contact]().When(requestWork("ABCD2345", 0)).Refused(t, identity.ErrContactNotFound)
	spec.Given[identity.User]().When(proveEmail("ABCD2345", 0)).Refused(t, identity.ErrUserNotFound)
	spec.Given[identity.User]().When(requestEmail("ABCD2345", 0)).Refused(t, identity.ErrUserNotFound)
}

func TestFiveWrongCodesVoidTheRightOne(t *testing.T) {
	work, own := []domain.Event{workCreated, workRequested}, []domain.Event{annRegistered, annRequested}
	for number := 1; number <= identity.MaxWrongCodes; number++ {
		spec.Given[identity.Contact](work...).When(proveWork("ABCD2345", 0)).Then(t, workVerified)
		spec.Given[identity.User](own...).When(proveEmail("ABCD2345", 0)).Then(t, annVerified)
		missed, failed := annMissed, workFailed
		missed.Number, failed.Number = number, number
		spec.Given[identity.Contact](work...).When(proveWork("WRQNG234", 0)).Then(t, failed)
		spec.Given[identity.User](own...).When(proveEmail("WRQNG234", 0)).Then(t, missed)
		work, own = append(work, failed), append(own, missed)
	}
	spec.Given[identity.Contact](work...).When(proveWork("ABCD2345", 0)).Refused(t, identity.ErrWrongCode)
	spec.Given[identity.User](own...).When(proveEmail("ABCD2345", 0)).Refused(t, identity.ErrWrongCode)
	again, annAgain := workRequested, annRequested
	again.Code, annAgain.Code = "WXYZ2345", "WXYZ2345"
	spec.Given[identity.Contact](append(work, again)...).When(proveWork("WXYZ2345", 0)).Then(t, workVerified)
	spec.Given[identity.User](append(own, annAgain)...).When(proveEmail("WXYZ2345", 0)).Then(t, annVerified)
}

func TestAskingAgainTakesAMinuteAndMakesAnotherCode(t *testing.T) {
	again := workRequested
	again.Code, again.ExpiresAt = "WXYZ2345", codeExpires.Add(identity.CodePause)
	sent := spec.Given[identity.Contact](workCreated, workRequested)
	sent.When(requestWork("WXYZ2345", identity.CodePause)).Then(t, again)
	spec.Given[identity.User](annRegistered, annRequested).When(requestEmail("WXYZ2345", identity.CodePause-1)).Refused(t, identity.ErrCodeSent)
	_, err := requestWork("WXYZ2345", 20*time.Second).Decide(spec.Given[identity.Contact](workCreated, workRequested).When(proveWork("WRQNG234", 0)).State)
	var soon *domain.Fault
	if !errors.As(err, &soon) || !errors.Is(soon, identity.ErrCodeSent) || soon.Retry != 40*time.Second {
		t.Errorf("%v", err)
	}
	both := spec.Given[identity.Contact](workCreated, workRequested, again)
	both.When(proveWork("ABCD2345", 0)).Then(t, workFailed)
	both.When(proveWork("WXYZ2345", 0)).Then(t, workVerified)
}

func TestThereAreOnlySoManyCodesInAWhile(t *testing.T) {
	request := func(after time.Duration) identity.RequestCode {
		return identity.RequestCode{User: ann, Contact: annsWork, At: spec.At.Add(after)}
	}
	past := []domain.Event{annRegistered, annRequested}
	for range identity.MaxCodes - 1 {
		spec.Given[identity.User](past...).When(request(0)).Then(t, annAsked)
		past = append(past, annAsked)
	}
	enough := spec.Given[identity.User](past...)
	enough.When(request(identity.CodeLife-1)).Refused(t, identity.ErrCodeSent)
	enough.When(requestEmail("WXYZ2345", identity.CodeLife-1)).Refused(t, identity.ErrCodeSent)
	enough.When(request(identity.CodeLife)).Then(t, annAsked)
	_, err := request(time.Minute).Decide(spec.Given[identity.User](append(past, annAsked)...).When(proveEmail("WRQNG234", 0)).State)
	var soon *domain.Fault
	if !errors.As(err, &soon) || soon.Retry != identity.CodeLife-time.Minute {
		t.Errorf("%v", err)
	}
	spec.Given[identity.User]().When(request(0)).Refused(t, identity.ErrUserNotFound)
}

func TestACodeIsForOneAddress(t *testing.T) {
	moved := spec.Given[identity.Contact](workCreated, workRequested, workMoved)
	moved.When(proveWork("ABCD2345", 0)).Refused(t, identity.ErrWrongCode)
	moved.When(requestWork("WXYZ2345", 0)).Refused(t, identity.ErrCodeSent) // Or everybody could be written to at will.
	relabelled := identity.ContactChanged{ContactID: annsWork, UserID: ann, Details: identity.ContactDetails{Label: said("Office")}}
	spec.Given[identity.Contact](workCreated, workRequested, relabelled).When(proveWork("ABCD2345", 0)).Then(t, workVerified)

	elsewhere := spec.Given[identity.User](annRegistered, annRequested, identity.UserEmailChanged{UserID: ann, Email: "a@example.com"})
	elsewhere.When(proveEmail("ABCD2345", 0)).Refused(t, identity.ErrWrongCode)
	elsewhere.When(requestEmail("WXYZ2345", 0)).Refused(t, identity.ErrCodeSent)
}

func TestACodeProvesNothingTwice(t *testing.T) {
	lapsed := []domain.Event{workCreated, workRequested, workVerified, workMoved, workLapsed}
	spec.Given[identity.Contact](lapsed...).When(proveWork("ABCD2345", 0)).Refused(t, identity.ErrWrongCode)
}

func TestThereIsNoWayToSendACodeToAPhone(t *testing.T) {
	phone := workCreated
	phone.Type, phone.Details = identity.PhoneContact, identity.ContactDetails{Phone: said(value.Phone("+441234567890"))}
	spec.Given[identity.Contact](phone).When(requestWork("ABCD2345", 0)).Refused(t, identity.ErrNoWayToIt)
	spec.Given[identity.Contact](phone, workVerified).When(requestWork("ABCD2345", 0)).Nothing(t)
}

func TestACodeMayBeWrittenAsPeopleDo(t *testing.T) {
	for _, text := range []string{"ABCD2345", "abcd-2345", " ABCD 2345 "} {
		if c, err := identity.ParseCode(text); err != nil || c != "ABCD2345" || c.Spelled() != "ABCD-2345" {
			t.Errorf("%q is %q, %v", text, c, err)
		}
	}
	for _, text := range []string{"", "ABCD234", "ABCD23456", "ABCD0345", "ABCD\x002345", "ÄBCD345"} {
		if c, err := identity.ParseCode(text); err == nil {
			t.Errorf("%q is taken for %q", text, c)
		}
	}
}
