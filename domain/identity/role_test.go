package identity_test

import (
	"fmt"
	"strings"
	"testing"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/spec"
)

var (
	editor = identity.RoleID{ID: id.Named("editor")}
	read   = identity.PermissionID{ID: id.Named("read")}

	annAssigned   = identity.UserRoleAssigned{UserID: ann, RoleID: editor}
	annUnassigned = identity.UserRoleWithdrawn{UserID: ann, RoleID: editor}

	editorCreated = identity.RoleCreated{
		RoleID: editor, Realm: "r", Name: "editor", DisplayName: "Editor", Description: "Edits",
	}
	editorDeleted = identity.RoleDeleted{RoleID: editor, Realm: "r"}
	readGranted   = identity.RolePermissionGranted{RoleID: editor, PermissionID: read, Permission: "posts:read"}
	readWithdrawn = identity.RolePermissionWithdrawn{RoleID: editor, PermissionID: read, Permission: "posts:read"}
)

var (
	createEditor = identity.CreateRole{Role: editor, Realm: "r", Name: "editor", DisplayName: "Editor", Description: "Edits"}
	grantRead    = identity.GrantPermission{Role: editor, ID: read, Permission: "posts:read"}
	withdrawRead = identity.WithdrawPermission{Role: editor, ID: read}
)

func TestCreatingARoleTakesItsName(t *testing.T) {
	d := spec.Given[identity.RoleDefinition]().When(createEditor).Then(t, editorCreated).State
	if got := d.Claims(); len(got) != 1 || got[0] != (domain.Claim{Scope: "role/r", Name: "editor"}) {
		t.Errorf("claims: %v", got)
	}
	spec.Given[identity.RoleDefinition](editorCreated).When(createEditor).Refused(t, identity.ErrRoleExists)
	spec.Given[identity.RoleDefinition](editorCreated, editorDeleted).When(createEditor).Refused(t, identity.ErrRoleExists)
}

func TestChangingARole(t *testing.T) {
	given := spec.Given[identity.RoleDefinition](editorCreated)
	writer, none := "Writer", ""
	given.When(identity.ChangeRole{Role: editor, DisplayName: &writer}).
		Then(t, identity.RoleChanged{RoleID: editor, DisplayName: "Writer", Description: "Edits"})
	given.When(identity.ChangeRole{Role: editor, Description: &none}).
		Then(t, identity.RoleChanged{RoleID: editor, DisplayName: "Editor"})
	given.When(identity.ChangeRole{Role: editor}).Nothing(t)
	spec.Given[identity.RoleDefinition]().When(identity.ChangeRole{Role: editor, DisplayName: &writer}).Refused(t, identity.ErrRoleNotFound)
}

func TestADeletedRoleHoldsNothing(t *testing.T) {
	remove := identity.DeleteRole{Role: editor}
	d := spec.Given[identity.RoleDefinition](editorCreated, readGranted).When(remove).Then(t, editorDeleted).State
	if d.Exists("r") || len(d.Claims()) != 0 {
		t.Errorf("%+v", d)
	}
	spec.Given[identity.RoleDefinition](editorCreated, editorDeleted).When(remove).Refused(t, identity.ErrRoleNotFound)
	spec.Given[identity.RoleDefinition]().When(remove).Refused(t, identity.ErrRoleNotFound)
}

func TestASystemRoleStays(t *testing.T) {
	system := editorCreated
	system.System = true
	spec.Given[identity.RoleDefinition](system).When(identity.DeleteRole{Role: editor}).Refused(t, identity.ErrSystemRole)
}

func TestGrantingAPermission(t *testing.T) {
	d := spec.Given[identity.RoleDefinition](editorCreated).When(grantRead).Then(t, readGranted).State
	if got := d.Claims(); len(got) != 2 || got[1] != (domain.Claim{Scope: identity.PermissionUse(read), Name: editor.String()}) {
		t.Errorf("claims: %v", got)
	}
	if !d.Allows("posts:read") || d.Allows("posts:write") {
		t.Errorf("%+v", d)
	}
	spec.Given[identity.RoleDefinition](editorCreated, readGranted).When(grantRead).Nothing(t)
	spec.Given[identity.RoleDefinition]().When(grantRead).Refused(t, identity.ErrRoleNotFound)
	spec.Given[identity.RoleDefinition](editorCreated, editorDeleted).When(grantRead).Refused(t, identity.ErrRoleNotFound)
}

func TestWithdrawingAPermission(t *testing.T) {
	d := spec.Given[identity.RoleDefinition](editorCreated, readGranted).When(withdrawRead).Then(t, readWithdrawn).State
	if d.Allows("posts:read") || len(d.Claims()) != 1 {
		t.Errorf("%+v", d)
	}
	spec.Given[identity.RoleDefinition](editorCreated).When(withdrawRead).Refused(t, identity.ErrNotGranted)
	spec.Given[identity.RoleDefinition](editorCreated, readGranted, editorDeleted).When(withdrawRead).Refused(t, identity.ErrRoleNotFound)
}

func TestARoleHoldsSoManyPermissions(t *testing.T) {
	past := []domain.Event{editorCreated}
	for n := range 500 {
		past = append(past, identity.RolePermissionGranted{RoleID: editor, PermissionID: identity.PermissionID{ID: id.Named(fmt.Sprint(n))}})
	}
	spec.Given[identity.RoleDefinition](past...).When(grantRead).Refused(t, identity.ErrManyGrants)
	spec.Given[identity.RoleDefinition](past[:500]...).When(grantRead).Then(t, readGranted)
}

func TestAssigningARole(t *testing.T) {
	assign := identity.AssignRole{User: ann, Role: editor}
	u := spec.Given[identity.User](annRegistered).When(assign).Then(t, annAssigned).State
	if !u.Has(editor) || !u.Has(identity.SystemRoleID("r", "member")) {
		t.Errorf("%v", u.Roles)
	}
	spec.Given[identity.User](annRegistered, annAssigned).When(assign).Nothing(t)
	spec.Given[identity.User]().When(assign).Refused(t, identity.ErrUserNotFound)
	past := []domain.Event{annRegistered}
	for n := range 49 {
		past = append(past, identity.UserRoleAssigned{UserID: ann, RoleID: identity.RoleID{ID: id.Named(fmt.Sprint(n))}})
	}
	spec.Given[identity.User](past...).When(assign).Refused(t, identity.ErrManyRoles)
	spec.Given[identity.User](past[:49]...).When(assign).Then(t, annAssigned)
}

func TestTakingARoleAway(t *testing.T) {
	unassign := identity.UnassignRole{User: ann, Role: editor}
	u := spec.Given[identity.User](annRegistered, annAssigned).When(unassign).Then(t, annUnassigned).State
	if u.Has(editor) || !u.Has(identity.SystemRoleID("r", "member")) {
		t.Errorf("%v", u.Roles)
	}
	spec.Given[identity.User](annRegistered).When(unassign).Refused(t, identity.ErrRoleNotAssigned)
	spec.Given[identity.User]().When(unassign).Refused(t, identity.ErrUserNotFound)
}

func TestNamesOfRoles(t *testing.T) {
	for given, want := range map[string]identity.Role{
		" Moderator ": "moderator", "a_b-9": "a_b-9", "x": "", "": "", "with space": "", "ü2": "", "a:b": "",
		strings.Repeat("x", 50): identity.Role(strings.Repeat("x", 50)), strings.Repeat("x", 51): "",
	} {
		if got, err := identity.ParseRoleName(given); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", given, got, err)
		}
	}
}

func TestTextsOfRoles(t *testing.T) {
	for _, given := range []string{"", "x", " x ", strings.Repeat("x", 101), "a\x00b"} {
		if got, err := identity.ParseDisplayName(given); err == nil {
			t.Errorf("%q: %q", given, got)
		}
	}
	for given, want := range map[string]string{" Öl ": "Öl", strings.Repeat("ö", 100): strings.Repeat("ö", 100)} {
		if got, err := identity.ParseDisplayName(given); got != want || err != nil {
			t.Errorf("%q: %q %v", given, got, err)
		}
	}
	if _, err := identity.ParseDescription(strings.Repeat("x", 501)); err == nil {
		t.Error("a description of 501 characters")
	}
	if got, err := identity.ParseDescription(""); got != "" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestWhoMayRegisterWhereRolesHoldPermissions(t *testing.T) {
	realm := identity.Realm{
		Name: "r", Roles: []identity.Role{"boss", "helper", "member"}, Administrator: "boss", Newcomer: "member",
		SystemRoles: []identity.SystemRole{{Name: "boss"}},
	}
	itself := identity.Caller{Realm: "r", Role: "boss"}
	stale := identity.Caller{Realm: "r", Role: "boss", User: ann} // A token says so, which may have been true once.
	for _, c := range []struct {
		role    identity.Role
		by      identity.Caller
		signUp  identity.SignUp
		first   bool
		refused bool
	}{
		{"member", identity.Caller{}, identity.SignUpClosed, false, false},
		{"helper", identity.Caller{}, identity.SignUpClosed, false, true},
		{"helper", identity.Caller{}, identity.SignUpFirst, false, true},
		{"helper", identity.Caller{}, identity.SignUpOpen, false, true},
		{"boss", identity.Caller{}, identity.SignUpClosed, false, true},
		{"boss", identity.Caller{}, identity.SignUpFirst, true, false},
		{"boss", stale, identity.SignUpClosed, false, true},
		{"helper", stale, identity.SignUpClosed, false, true},
		{"boss", itself, identity.SignUpClosed, false, false},
		{"helper", itself, identity.SignUpClosed, false, false},
	} {
		realm.SignUp = c.signUp
		if first, err := realm.MayRegister(c.role, c.by); first != c.first || (err != nil) != c.refused {
			t.Errorf("%+v: first %t, %v", c, first, err)
		}
	}
	if realm.Sees(stale, bob) || !realm.Sees(stale, ann) || !realm.Sees(itself, bob) {
		t.Error("a token's word counts")
	}
}

func TestWhatIsForStaffNoNewcomersRoleGives(t *testing.T) {
	realm := identity.Realm{Name: "r", Newcomer: "member", StaffOnly: []identity.Permission{"customers:*"}}
	holding := func(name identity.Role) identity.RoleDefinition {
		return identity.RoleDefinition{
			ID: editor, Realm: "r", Name: name, Grants: []identity.Granted{{Permission: "customers:*"}, {Permission: "posts:read"}},
		}
	}
	for _, c := range []struct {
		role  identity.Role
		asked identity.Permission
		given bool
	}{
		{"member", "customers:read", false}, {"member", "posts:read", true}, {"clerk", "customers:read", true}, {"clerk", "posts:write", false},
	} {
		if realm.Allows(holding(c.role), c.asked) != c.given {
			t.Errorf("%s: %s is given %t", c.role, c.asked, !c.given)
		}
	}
	realm.Name = "another"
	if realm.Allows(holding("clerk"), "posts:read") {
		t.Error("a role of another realm gives something")
	}
}
