package commands_test

import (
	"errors"
	"sync"
	"testing"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore/memory"
)

// club is a realm whose roles hold permissions.
var club = identity.Realm{
	Name: "r", Roles: []identity.Role{"boss", "clerk", "member"}, Administrator: "boss", Newcomer: "member", MinPassword: 1,
	SignUp: identity.SignUpClosed, Permissions: []identity.Permission{"posts:read", "posts:write"},
	SystemRoles: []identity.SystemRole{
		{Name: "boss", DisplayName: "Boss", Permissions: []identity.Permission{"*:*"}},
		{Name: "clerk", DisplayName: "Clerk", Permissions: []identity.Permission{"posts:*"}},
		{Name: "member", DisplayName: "Member"},
	},
}

var itself = identity.Caller{Realm: "r", Role: "boss"}

func (p *population) prepare() *population {
	p.t.Helper()
	must(p.t, p.Prepare(p.t.Context(), club))
	return p
}

// caller registers somebody, and answers how he asks.
func (p *population) caller(name string, role identity.Role) identity.Caller {
	p.t.Helper()
	u, err := p.Register(p.t.Context(), commands.Registration{
		Realm: club, By: itself, Role: role, Email: value.Email(name + "@example.com"), Phone: "1", Password: "password",
	})
	must(p.t, err)
	return identity.Caller{Realm: "r", User: u.ID, Role: role}
}

func (p *population) may(c identity.Caller, asked identity.Permission) bool {
	p.t.Helper()
	err := p.May(p.t.Context(), c, asked)
	if err != nil && !errors.Is(err, identity.ErrForbidden) {
		p.t.Fatal(err)
	}
	return err == nil
}

func (p *population) expect(c identity.Caller, posts, users bool) {
	p.t.Helper()
	if p.may(c, "posts:read") != posts || p.may(c, "users:read") != users {
		p.t.Errorf("%s: posts %t, users %t", c.Role, !posts, !users)
	}
}

func do[S domain.State[S]](p *population, c domain.Command[S]) {
	p.t.Helper()
	_, err := commands.Execute(p.t.Context(), p.Executor, c)
	must(p.t, err)
}

func TestARoleAllowsWhatItHolds(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	p.expect(p.caller("boss", "boss"), true, true)
	p.expect(p.caller("clerk", "clerk"), true, false)
	p.expect(p.caller("member", "member"), false, false)
	p.expect(identity.Caller{}, false, false)
	p.expect(itself, false, false) // Nobody in particular asks for a row.
	elsewhere := p.caller("clerk2", "clerk")
	elsewhere.Realm = "other"
	p.expect(elsewhere, false, false)
}

// What changes about a role, or about who has it, counts for the next question, wherever that is asked.
func TestPermissionsAreOfTheMoment(t *testing.T) {
	store := &memory.Store{}
	here, there := populate(t, store).prepare(), populate(t, store)
	ann := here.caller("ann", "member")
	expect := func(posts bool) {
		t.Helper()
		for range 2 {
			here.expect(ann, posts, false)
			there.expect(ann, posts, false)
		}
	}
	editor, read := identity.RoleID{ID: id.Named("editor")}, identity.PermissionID{ID: id.Named("read")}
	expect(false)
	do(here, identity.CreateRole{Role: editor, Realm: "r", Name: "editor"})
	do(here, identity.AssignRole{User: ann.User, Role: editor})
	expect(false)
	do(there, identity.GrantPermission{Role: editor, ID: read, Permission: "posts:*"})
	expect(true)
	do(here, identity.WithdrawPermission{Role: editor, ID: read})
	expect(false)
	do(here, identity.GrantPermission{Role: editor, ID: read, Permission: "posts:read"})
	expect(true)
	do(there, identity.UnassignRole{User: ann.User, Role: editor})
	expect(false)
	do(there, identity.AssignRole{User: ann.User, Role: editor})
	expect(true)
	do(here, identity.DeactivateUser{User: ann.User})
	expect(false)
	do(here, identity.ReactivateUser{User: ann.User})
	expect(true)
	do(here, identity.DeleteRole{Role: editor})
	expect(false)
}

func TestARoleOfAnotherRealmCountsForNothing(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	ann, foreign := p.caller("ann", "member"), identity.RoleID{ID: id.Named("foreign")}
	do(p, identity.CreateRole{Role: foreign, Realm: "other", Name: "boss"})
	do(p, identity.GrantPermission{Role: foreign, ID: identity.PermissionID{ID: id.Named("all")}, Permission: "*:*"})
	do(p, identity.AssignRole{User: ann.User, Role: foreign})
	p.expect(ann, false, false)
}

func head(t *testing.T, s *memory.Store) int64 {
	t.Helper()
	h, err := s.Head(t.Context())
	must(t, err)
	return h.Position
}

func TestARealmIsPreparedOnce(t *testing.T) {
	store := &memory.Store{}
	processes := []*population{populate(t, store), populate(t, store)}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() { processes[n%2].prepare() })
	}
	all.Wait()
	// Four permissions and three roles, of which two hold one each: both sides know.
	if n := head(t, store); n != 11 {
		t.Errorf("%d events", n)
	}
	clerk := identity.SystemRoleID("r", "clerk")
	do(processes[0], identity.WithdrawPermission{Role: clerk, ID: identity.SystemPermissionID("r", "posts:*")})
	populate(t, store).prepare()
	if n := head(t, store); n != 12 {
		t.Errorf("%d events: what was taken away is back", n)
	}
}

// A later program may ask for what an administrator has thought of before.
func TestAPermissionThatExistsIsTaken(t *testing.T) {
	p := populate(t, &memory.Store{})
	custom := identity.PermissionID{ID: id.Named("custom")}
	do(p, identity.CreatePermission{Permission: custom, Realm: "r", Resource: "posts", Action: "*"})
	p.prepare()
	d, err := commands.State[identity.RoleDefinition](t.Context(), p.Executor, identity.RoleStream(identity.SystemRoleID("r", "clerk")))
	if _, has := d.Grant(custom); err != nil || !has {
		t.Errorf("%+v %v", d, err)
	}
}

// A role that an administrator has made stays his, though a newer program would make one of that name.
func TestARoleOfThatNameStays(t *testing.T) {
	p := populate(t, &memory.Store{})
	custom := identity.RoleID{ID: id.Named("custom")}
	do(p, identity.CreateRole{Role: custom, Realm: "r", Name: "clerk", DisplayName: "Our clerk"})
	p.prepare()
	if holder, _, err := p.Executor.Holder(t.Context(), identity.RoleClaim("r", "clerk")); err != nil || holder.ID != custom.ID {
		t.Errorf("%v %v", holder, err)
	}
	p.caller("boss", "boss")
}
