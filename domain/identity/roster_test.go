package identity_test

import (
	"testing"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/spec"
)

var (
	bob       = identity.UserID{ID: id.Named("bob")}
	annJoined = identity.AdministratorJoined{Realm: "r", UserID: ann}
	bobJoined = identity.AdministratorJoined{Realm: "r", UserID: bob}
	annLeft   = identity.AdministratorLeft{Realm: "r", UserID: ann}
)

func TestTheFirstAdministratorMayCome(t *testing.T) {
	asFirst := identity.JoinRoster{Realm: "r", User: ann, OnlyAsFirst: true}
	spec.Given[identity.Roster]().When(asFirst).Then(t, annJoined)
	spec.Given[identity.Roster](bobJoined).When(asFirst).Refused(t, identity.ErrForbidden)
}

func TestAnInvitedAdministratorComesOnce(t *testing.T) {
	join := identity.JoinRoster{Realm: "r", User: ann}
	spec.Given[identity.Roster](bobJoined).When(join).Then(t, annJoined)
	spec.Given[identity.Roster](bobJoined, annJoined).When(join).Nothing(t)
}

func TestTheLastAdministratorStays(t *testing.T) {
	leave := identity.LeaveRoster{Realm: "r", User: ann}
	spec.Given[identity.Roster](annJoined, bobJoined).When(leave).Then(t, annLeft)
	spec.Given[identity.Roster](annJoined).When(leave).Refused(t, identity.ErrLastAdministrator)
	spec.Given[identity.Roster](bobJoined, annJoined, annLeft).When(leave).Nothing(t)
}

func TestAStateIsAValue(t *testing.T) {
	given := spec.Given[identity.Roster](annJoined)
	given.When(identity.JoinRoster{Realm: "r", User: bob}).Then(t, bobJoined)
	given.When(identity.LeaveRoster{Realm: "r", User: ann}).Refused(t, identity.ErrLastAdministrator)
}

func TestWhoMayRegisterAnAdministrator(t *testing.T) {
	for _, c := range []struct {
		signUp  identity.SignUp
		by      identity.Caller
		first   bool
		refused bool
	}{
		{identity.SignUpFirst, identity.Caller{}, true, false},
		{identity.SignUpOpen, identity.Caller{}, false, false},
		{identity.SignUpClosed, identity.Caller{}, false, true},
		{identity.SignUpClosed, identity.Caller{Realm: "r", Role: "boss"}, false, false},
		{identity.SignUpClosed, identity.Caller{Realm: "other", Role: "boss"}, false, true},
		{identity.SignUpClosed, identity.Caller{Realm: "r", Role: "member"}, false, true},
	} {
		realm := identity.Realm{Name: "r", Roles: []identity.Role{"boss", "member"}, Administrator: "boss", SignUp: c.signUp}
		first, err := realm.MayRegister("boss", c.by)
		if first != c.first || (err != nil) != c.refused {
			t.Errorf("%+v: first %t, %v", c, first, err)
		}
		if _, err := realm.MayRegister("member", c.by); err != nil {
			t.Errorf("a member by %+v: %v", c.by, err)
		}
	}
}
