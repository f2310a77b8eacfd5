package identity_test

import (
	"strings"
	"testing"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/spec"
)

var (
	ann     = identity.UserID{ID: id.Named("ann")}
	session = identity.SessionID{ID: id.Named("session")}

	annRegistered = identity.UserRegistered{
		UserID: ann, Realm: "r", Role: "member", Email: "ann@example.com", Phone: "1", PasswordHash: "#1",
	}
	annDeactivated = identity.UserDeactivated{UserID: ann}
)

var register = identity.RegisterUser{
	User: ann, Realm: "r", Role: "member", Email: "ann@example.com", Phone: "1", PasswordHash: "#1",
}

func TestRegisteringMakesAUserWhoHoldsTheAddress(t *testing.T) {
	u := spec.Given[identity.User]().When(register).Then(t, annRegistered).State
	if got := u.Claims(); len(got) != 1 || got[0] != identity.EmailClaim("r", "ann@example.com") {
		t.Errorf("claims: %v", got)
	}
	if u.Status != identity.Active || u.CreatedAt != spec.At {
		t.Errorf("user: %+v", u)
	}
}

func TestAUserIsRegisteredOnce(t *testing.T) {
	spec.Given[identity.User](annRegistered).When(register).Refused(t, identity.ErrUserExists)
}

func TestChangingTheAddress(t *testing.T) {
	given := spec.Given[identity.User](annRegistered)
	given.When(identity.ChangeEmail{User: ann, Email: "a@example.com"}).
		Then(t, identity.UserEmailChanged{UserID: ann, Email: "a@example.com"})
	given.When(identity.ChangeEmail{User: ann, Email: "ann@example.com"}).Nothing(t)
}

func TestChangingTheNumber(t *testing.T) {
	given := spec.Given[identity.User](annRegistered)
	given.When(identity.ChangePhone{User: ann, Phone: "2"}).Then(t, identity.UserPhoneChanged{UserID: ann, Phone: "2"})
	given.When(identity.ChangePhone{User: ann, Phone: "1"}).Nothing(t)
}

func TestChangingThePassword(t *testing.T) {
	spec.Given[identity.User](annRegistered).When(identity.ChangePassword{User: ann, Hash: "#2"}).
		Then(t, identity.UserPasswordChanged{UserID: ann, PasswordHash: "#2"})
}

func TestSigningIn(t *testing.T) {
	signIn := identity.SignIn{User: ann, Session: session}
	spec.Given[identity.User](annRegistered).When(signIn).Then(t, identity.UserSignedIn{UserID: ann, SessionID: session})
	spec.Given[identity.User](annRegistered, annDeactivated).When(signIn).Refused(t, identity.ErrInactive)
}

func TestSigningInMayRenewTheHash(t *testing.T) {
	o := spec.Given[identity.User](annRegistered).When(identity.SignIn{User: ann, Session: session, Rehash: "#3"}).Then(t,
		identity.UserSignedIn{UserID: ann, SessionID: session}, identity.UserPasswordRehashed{UserID: ann, PasswordHash: "#3"})
	if o.State.PasswordHash != "#3" {
		t.Errorf("%+v", o.State)
	}
}

func TestAnInactiveUserKeepsTheAddress(t *testing.T) {
	u := spec.Given[identity.User](annRegistered).When(identity.DeactivateUser{User: ann}).Then(t, annDeactivated).State
	if u.Status != identity.Inactive || len(u.Claims()) != 1 {
		t.Errorf("user: %+v", u)
	}
}

func TestLettingSomebodyInAgain(t *testing.T) {
	back := identity.ReactivateUser{User: ann}
	spec.Given[identity.User](annRegistered, annDeactivated).When(back).Then(t, identity.UserReactivated{UserID: ann})
	spec.Given[identity.User](annRegistered).When(back).Nothing(t)
	spec.Given[identity.User](annRegistered, annDeactivated).When(identity.DeactivateUser{User: ann}).Nothing(t)
}

func TestNothingCanBeAskedOfNobody(t *testing.T) {
	nobody := spec.Given[identity.User]()
	nobody.When(identity.ChangeEmail{User: ann, Email: "a@b"}).Refused(t, identity.ErrUserNotFound)
	nobody.When(identity.ChangePhone{User: ann, Phone: "1"}).Refused(t, identity.ErrUserNotFound)
	nobody.When(identity.ChangePassword{User: ann, Hash: "#"}).Refused(t, identity.ErrUserNotFound)
	nobody.When(identity.SignIn{User: ann, Session: session}).Refused(t, identity.ErrUserNotFound)
	nobody.When(identity.DeactivateUser{User: ann}).Refused(t, identity.ErrUserNotFound)
	nobody.When(identity.ReactivateUser{User: ann}).Refused(t, identity.ErrUserNotFound)
}

func TestChangingTheName(t *testing.T) {
	given := spec.Given[identity.User](annRegistered)
	given.When(identity.ChangeName{User: ann, Name: "Ann"}).Then(t, identity.UserNameChanged{UserID: ann, Name: "Ann"})
	given.When(identity.ChangeName{User: ann}).Nothing(t)
}

func TestAnAddressIsVerifiedOnceUntilItChanges(t *testing.T) {
	verify, verified := identity.VerifyEmail{User: ann}, identity.UserEmailVerified{UserID: ann}
	spec.Given[identity.User]().When(verify).Refused(t, identity.ErrUserNotFound)
	spec.Given[identity.User](annRegistered).When(verify).Then(t, verified)
	spec.Given[identity.User](annRegistered, verified).When(verify).Nothing(t)
	moved := identity.UserEmailChanged{UserID: ann, Email: "a@example.com"}
	spec.Given[identity.User](annRegistered, verified, moved).When(verify).Then(t, verified)
}

func TestSuspendingAndBanning(t *testing.T) {
	suspended := identity.UserSuspended{UserID: ann}
	banned := identity.UserBanned{UserID: ann, Was: identity.Active}
	suspend, ban, back := identity.SuspendUser{User: ann}, identity.BanUser{User: ann}, identity.ReactivateUser{User: ann}
	signIn := identity.SignIn{User: ann, Session: session}

	is := spec.Given[identity.User](annRegistered)
	is.When(suspend).Then(t, suspended)
	is.When(ban).Then(t, banned)

	is = spec.Given[identity.User](annRegistered, suspended)
	is.When(suspend).Nothing(t)
	is.When(ban).Then(t, identity.UserBanned{UserID: ann, Was: identity.IsSuspended})
	is.When(back).Then(t, identity.UserReactivated{UserID: ann, Was: identity.IsSuspended})
	is.When(signIn).Refused(t, identity.ErrSuspended)

	is = spec.Given[identity.User](annRegistered, banned)
	is.When(ban).Nothing(t)
	is.When(suspend).Refused(t, identity.ErrIsBanned)
	is.When(back).Then(t, identity.UserReactivated{UserID: ann, Was: identity.IsBanned})
	is.When(signIn).Refused(t, identity.ErrBanned)

	is = spec.Given[identity.User](annRegistered, annDeactivated)
	is.When(suspend).Nothing(t)
	is.When(ban).Nothing(t)
}

func TestNamesOfUsers(t *testing.T) {
	takes(t, map[string]length{"name": {identity.ParseName, 1, 100}})
}

// length is what a parser of one line takes, in characters.
type length struct {
	parse       func(string) (string, error)
	least, most int
}

func takes(t *testing.T, all map[string]length) {
	t.Helper()
	for name, l := range all {
		for n, ok := range map[int]bool{l.least - 1: l.least < 1, l.least: true, l.most: true, l.most + 1: false} {
			text := strings.Repeat("é", max(n, 0))
			if got, err := l.parse(" " + text + " "); (err == nil) != ok || ok && got != text {
				t.Errorf("%s of %d characters: %q, %v", name, n, got, err)
			}
		}
		if got, err := l.parse("a\x00"); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}
