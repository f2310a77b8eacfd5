package identity_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/domain/spec"
)

var (
	readCreated = identity.PermissionCreated{
		PermissionID: read, Realm: "r", Resource: "posts", Action: "read", Description: "Read posts",
	}
	readDeleted = identity.PermissionDeleted{PermissionID: read, Realm: "r"}
	readUsed    = identity.PermissionGranted{PermissionID: read, RoleID: editor}
)

func TestCreatingAPermissionTakesItsName(t *testing.T) {
	create := identity.CreatePermission{Permission: read, Realm: "r", Resource: "posts", Action: "read", Description: "Read posts"}
	d := spec.Given[identity.PermissionDefinition]().When(create).Then(t, readCreated).State
	if got := d.Claims(); len(got) != 1 || got[0] != (domain.Claim{Scope: "permission/r", Name: "posts:read"}) || d.Name() != "posts:read" {
		t.Errorf("claims: %v", got)
	}
	spec.Given[identity.PermissionDefinition](readCreated).When(create).Refused(t, identity.ErrPermissionExists)
	spec.Given[identity.PermissionDefinition](readCreated, readDeleted).When(create).Refused(t, identity.ErrPermissionExists)
}

func TestDescribingAPermission(t *testing.T) {
	given := spec.Given[identity.PermissionDefinition](readCreated)
	given.When(identity.DescribePermission{Permission: read, Description: "Read"}).
		Then(t, identity.PermissionDescriptionChanged{PermissionID: read, Description: "Read"})
	given.When(identity.DescribePermission{Permission: read, Description: "Read posts"}).Nothing(t)
	spec.Given[identity.PermissionDefinition]().When(identity.DescribePermission{Permission: read}).Refused(t, identity.ErrPermissionNotFound)
}

func TestADeletedPermissionIsGone(t *testing.T) {
	remove := identity.DeletePermission{Permission: read}
	d := spec.Given[identity.PermissionDefinition](readCreated).When(remove).Then(t, readDeleted).State
	if d.Exists("r") || len(d.Claims()) != 0 {
		t.Errorf("%+v", d)
	}
	spec.Given[identity.PermissionDefinition](readCreated, readDeleted).When(remove).Refused(t, identity.ErrPermissionNotFound)
	spec.Given[identity.PermissionDefinition]().When(remove).Refused(t, identity.ErrPermissionNotFound)
}

func TestOnlyAPermissionThatExistsIsGranted(t *testing.T) {
	use := identity.UsePermission{Permission: read, Role: editor}
	spec.Given[identity.PermissionDefinition](readCreated, readUsed).When(use).Then(t, readUsed)
	spec.Given[identity.PermissionDefinition](readCreated, readDeleted).When(use).Refused(t, identity.ErrPermissionNotFound)
}

func TestWordsOfPermissions(t *testing.T) {
	for given, want := range map[string]string{
		" Posts ": "posts", "*": "*", "a_b-9": "a_b-9", "x": "", "": "", "9a": "", "a:b": "", "a*": "", "**": "", "ü2": "",
		strings.Repeat("x", 50): strings.Repeat("x", 50), strings.Repeat("x", 51): "",
	} {
		if got, err := identity.ParsePermissionWord(given); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", given, got, err)
		}
	}
}

// anyPermission draws from few words, so that some cover others.
var anyPermission = rapid.Custom(func(t *rapid.T) identity.Permission {
	word := rapid.SampledFrom([]string{"*", "posts", "users"})
	return identity.PermissionTo(word.Draw(t, "resource"), word.Draw(t, "action"))
})

// To cover is an order: of what covers each other there is one, and what is covered covers no more. Everything is below *:*.
func TestCoveringIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyPermission.Draw(t, "a"), anyPermission.Draw(t, "b"), anyPermission.Draw(t, "c")
		switch {
		case !a.Covers(a), !identity.Permission("*:*").Covers(a):
			t.Fatalf("%s is not covered", a)
		case a.Covers(b) && b.Covers(a) && a != b:
			t.Fatalf("%s and %s", a, b)
		case a.Covers(b) && b.Covers(c) && !a.Covers(c):
			t.Fatalf("%s, %s and %s", a, b, c)
		}
	})
}

// What covers a permission with a * covers all that it stands for.
func TestAStarStandsForEveryWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyPermission.Draw(t, "a"), anyPermission.Draw(t, "b")
		resource, action := b.Parts()
		instance := identity.PermissionTo(strings.ReplaceAll(resource, "*", "things"), strings.ReplaceAll(action, "*", "do"))
		if a.Covers(b) != a.Covers(instance) {
			t.Fatalf("%s covers %s: %t, and %s: %t", a, b, a.Covers(b), instance, a.Covers(instance))
		}
	})
}
