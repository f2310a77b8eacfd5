package commands_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore/memory"
)

func (p *population) role(name string) identity.RoleID {
	p.t.Helper()
	d, err := p.CreateRole(p.t.Context(), commands.NewRole{Realm: club, Name: identity.Role(name), DisplayName: name})
	must(p.t, err)
	return d.ID
}

func (p *population) permission(resource, action string) identity.PermissionID {
	p.t.Helper()
	d, err := p.CreatePermission(p.t.Context(), commands.NewPermission{Realm: club, Resource: resource, Action: action})
	must(p.t, err)
	return d.ID
}

func (p *population) grant(by identity.Caller, r identity.RoleID, permissions ...identity.PermissionID) error {
	_, err := p.GrantPermissions(p.t.Context(), commands.Granting{Realm: club, By: by, Role: r, Permissions: permissions})
	return err
}

func (p *population) withdraw(by identity.Caller, r identity.RoleID, permissions ...identity.PermissionID) error {
	return p.WithdrawPermissions(p.t.Context(), commands.Granting{Realm: club, By: by, Role: r, Permissions: permissions})
}

func (p *population) assign(by, to identity.Caller, r identity.RoleID) error {
	_, err := p.AssignRole(p.t.Context(), commands.Assignment{Realm: club, By: by, User: to.User, Role: r})
	return err
}

func (p *population) unassign(by, from identity.Caller, r identity.RoleID) error {
	return p.UnassignRole(p.t.Context(), commands.Assignment{Realm: club, By: by, User: from.User, Role: r})
}

func (p *population) deleteRole(by identity.Caller, r identity.RoleID) error {
	return p.DeleteRole(p.t.Context(), commands.RoleDeletion{Realm: club, By: by, Role: r})
}

func (p *population) deletePermission(by identity.Caller, one identity.PermissionID) error {
	return p.DeletePermission(p.t.Context(), commands.PermissionDeletion{Realm: club, By: by, Permission: one})
}

func refused(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, not %v", err, want)
	}
}

func systemPermission(p identity.Permission) identity.PermissionID {
	return identity.SystemPermissionID(club.Name, p)
}

var (
	bossRole  = club.AdministratorID()
	clerkRole = identity.SystemRoleID(club.Name, "clerk")
)

// Whoever gives or takes must hold all of it.
func TestNobodyGivesOrTakesWhatHeDoesNotHold(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	boss, clerk, member := p.caller("boss", "boss"), p.caller("clerk", "clerk"), p.caller("member", "member")
	editor, all, write := p.role("editor"), systemPermission("*:*"), systemPermission("posts:write")
	refused(t, p.grant(clerk, editor, all), commands.ErrEscalation)
	refused(t, p.grant(clerk, editor, write, all), commands.ErrEscalation)
	refused(t, p.grant(member, editor, write), commands.ErrEscalation)
	must(t, p.grant(clerk, editor, write))
	refused(t, p.assign(member, member, editor), commands.ErrEscalation)
	must(t, p.assign(clerk, member, editor))
	refused(t, p.withdraw(identity.Caller{Realm: "r"}, editor, write), identity.ErrUserNotFound)
	must(t, p.withdraw(member, editor, write)) // Which he holds, by that very role.
	must(t, p.grant(boss, editor, all))
	refused(t, p.assign(clerk, clerk, editor), commands.ErrEscalation)
	refused(t, p.unassign(clerk, member, editor), commands.ErrEscalation)
	refused(t, p.withdraw(clerk, editor, all), commands.ErrEscalation)
	refused(t, p.deleteRole(clerk, editor), commands.ErrEscalation)
	must(t, p.deleteRole(member, editor))
	p.expect(member, false, false)
	custom := p.permission("users", "read")
	refused(t, p.deletePermission(clerk, custom), commands.ErrEscalation)
	must(t, p.deletePermission(boss, custom))
}

// What somebody held once, or a token says he is, counts for nothing.
func TestOnlyWhatIsHeldAtTheMomentIsGiven(t *testing.T) {
	store := &memory.Store{}
	p, other := populate(t, store).prepare(), populate(t, store)
	boss, clerk, member := p.caller("boss", "boss"), p.caller("clerk", "clerk"), p.caller("member", "member")
	must(t, p.assign(clerk, member, clerkRole))
	must(t, other.unassign(boss, clerk, clerkRole))
	refused(t, p.unassign(clerk, member, clerkRole), commands.ErrEscalation)
	must(t, other.deactivate(member.User))
	refused(t, p.assign(member, clerk, clerkRole), identity.ErrForbidden)
}

func TestTheRoleThatRunsTheRealmIsForItsHoldersToGive(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	boss, member := p.caller("boss", "boss"), p.caller("member", "member")
	peer := p.role("peer")
	must(t, p.grant(boss, peer, systemPermission("*:*")))
	must(t, p.assign(boss, member, peer))
	refused(t, p.assign(member, member, bossRole), commands.ErrEscalation)
	refused(t, p.unassign(member, boss, bossRole), commands.ErrEscalation)
	must(t, p.assign(boss, member, bossRole))
	must(t, p.unassign(member, boss, bossRole))
	refused(t, p.unassign(member, member, bossRole), identity.ErrLastAdministrator)
	refused(t, p.deactivate(member.User), identity.ErrLastAdministrator)
	must(t, p.assign(itself, boss, bossRole))
	must(t, p.unassign(member, member, bossRole))
}

// Who is out does not count as an administrator, and is one again when he is back.
func TestAnAdministratorWhoIsOutDoesNotCount(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	boss, member := p.caller("boss", "boss"), p.caller("member", "member")
	must(t, p.deactivate(member.User))
	must(t, p.assign(boss, member, bossRole))
	refused(t, p.unassign(boss, boss, bossRole), identity.ErrLastAdministrator)
	back := true
	_, err := p.Change(t.Context(), commands.Change{Realm: club, By: itself, User: member.User, Active: &back})
	must(t, err)
	must(t, p.unassign(boss, boss, bossRole))
	refused(t, p.deactivate(member.User), identity.ErrLastAdministrator)
}

func TestOneAdministratorStaysUnderARace(t *testing.T) {
	store := &memory.Store{}
	processes := []*population{populate(t, store).prepare(), populate(t, store)}
	var bosses []identity.Caller
	for n := range 4 {
		bosses = append(bosses, processes[0].caller(fmt.Sprint("boss", n), "boss"))
	}
	var kept atomic.Int64
	var all sync.WaitGroup
	for n, b := range bosses {
		all.Go(func() {
			err := processes[n%2].unassign(b, b, bossRole)
			if errors.Is(err, identity.ErrLastAdministrator) {
				kept.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if kept.Load() != 1 {
		t.Errorf("%d were refused", kept.Load())
	}
}

func TestSystemRolesAndPermissionsStay(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	boss := p.caller("boss", "boss")
	refused(t, p.deleteRole(boss, clerkRole), identity.ErrSystemRole)
	refused(t, p.deletePermission(boss, systemPermission("posts:read")), identity.ErrSystemPermission)
	refused(t, p.withdraw(boss, bossRole, systemPermission("*:*")), identity.ErrFixedGrants)
	refused(t, p.grant(boss, bossRole, systemPermission("posts:read")), identity.ErrFixedGrants)
	must(t, p.withdraw(boss, clerkRole, systemPermission("posts:*")))
	must(t, p.grant(boss, clerkRole, systemPermission("posts:read")))
	p.expect(p.caller("clerk", "clerk"), true, false)
}

func TestWhatIsUnknownOrOfAnotherRealmIsNotFound(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	boss, editor, read := p.caller("boss", "boss"), p.role("editor"), systemPermission("posts:read")
	foreignRole, foreign := identity.RoleID{ID: id.Named("foreign")}, identity.PermissionID{ID: id.Named("foreign")}
	do(p, identity.CreateRole{Role: foreignRole, Realm: "other", Name: "editor"})
	do(p, identity.CreatePermission{Permission: foreign, Realm: "other", Resource: "posts", Action: "read"})
	for _, r := range []identity.RoleID{foreignRole, {ID: id.Named("nothing")}} {
		_, err := p.ChangeRole(t.Context(), commands.RoleChange{Realm: club, Role: r})
		refused(t, err, identity.ErrRoleNotFound)
		refused(t, p.deleteRole(boss, r), identity.ErrRoleNotFound)
		refused(t, p.grant(boss, r, read), identity.ErrRoleNotFound)
		refused(t, p.withdraw(boss, r, read), identity.ErrRoleNotFound)
		refused(t, p.assign(boss, boss, r), identity.ErrRoleNotFound)
		refused(t, p.unassign(boss, boss, r), identity.ErrRoleNotAssigned)
	}
	for _, one := range []identity.PermissionID{foreign, {ID: id.Named("nothing")}} {
		_, err := p.DescribePermission(t.Context(), commands.PermissionChange{Realm: club, Permission: one})
		refused(t, err, identity.ErrPermissionNotFound)
		refused(t, p.deletePermission(boss, one), identity.ErrPermissionNotFound)
		refused(t, p.grant(boss, editor, read, one), identity.ErrPermissionNotFound)
		refused(t, p.withdraw(boss, editor, one), identity.ErrNotGranted)
	}
	if d, err := commands.State[identity.RoleDefinition](t.Context(), p.Executor, identity.RoleStream(editor)); err != nil || len(d.Grants) > 0 {
		t.Errorf("half of a grant: %+v %v", d, err)
	}
	refused(t, p.assign(boss, identity.Caller{User: identity.UserID{ID: id.Named("nobody")}}, editor), identity.ErrUserNotFound)
}

func TestNamesOfRolesAndPermissionsAreFreeOnceDeleted(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	editor, custom := p.role("editor"), p.permission("a", "b")
	_, err := p.CreateRole(t.Context(), commands.NewRole{Realm: club, Name: "editor"})
	refused(t, err, identity.ErrRoleExists)
	_, err = p.CreatePermission(t.Context(), commands.NewPermission{Realm: club, Resource: "a", Action: "b"})
	refused(t, err, identity.ErrPermissionExists)
	must(t, p.deleteRole(itself, editor))
	must(t, p.deletePermission(itself, custom))
	if p.role("editor") == editor || p.permission("a", "b") == custom {
		t.Error("the deleted ones are back")
	}
}

func TestADeletedPermissionIsWithdrawnFromAllRoles(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	custom := p.permission("posts", "delete")
	for n := range 3 {
		must(t, p.grant(itself, p.role(fmt.Sprint("role", n)), custom, systemPermission("posts:read")))
	}
	must(t, p.deletePermission(itself, custom))
	for _, use := range []struct {
		of  identity.PermissionID
		has int
	}{{custom, 0}, {systemPermission("posts:read"), 3}} {
		if holders, err := p.Executor.Holders(t.Context(), identity.PermissionUse(use.of)); err != nil || len(holders) != use.has {
			t.Errorf("%v %v", holders, err)
		}
	}
}

// A grant that is decided while the permission is deleted at another process is either found or refused.
func TestNoGrantSlipsInWhileAPermissionIsDeleted(t *testing.T) {
	store := &memory.Store{}
	between := &interrupted{Store: store}
	p, other := populate(t, between).prepare(), populate(t, store)
	custom, role := p.permission("posts", "delete"), p.role("editor")
	between.by = func() { must(t, other.grant(itself, role, custom)) }
	must(t, p.deletePermission(itself, custom))
	d, err := commands.State[identity.RoleDefinition](t.Context(), p.Executor, identity.RoleStream(role))
	if err != nil || len(d.Grants) > 0 || between.by != nil {
		t.Errorf("%+v %v", d, err)
	}
}

func TestDeletedRolesMakeRoomForOthers(t *testing.T) {
	p := populate(t, &memory.Store{}).prepare()
	member := p.caller("member", "member")
	for n := range 60 {
		r := p.role(fmt.Sprint("role", n))
		must(t, p.assign(itself, member, r))
		must(t, p.deleteRole(itself, r))
	}
	u, err := p.Get(t.Context(), club.Name, member.User)
	if err != nil || len(u.Roles) != 2 {
		t.Errorf("%v %v", u.Roles, err)
	}
}

func TestAssigningTwiceIsOnce(t *testing.T) {
	store := &memory.Store{}
	p := populate(t, store).prepare()
	member := p.caller("member", "member")
	must(t, p.assign(itself, member, clerkRole))
	before := head(t, store)
	must(t, p.assign(itself, member, clerkRole))
	must(t, p.grant(itself, clerkRole, systemPermission("posts:*")))
	if head(t, store) != before {
		t.Error("something happened")
	}
	must(t, p.unassign(itself, member, clerkRole))
	refused(t, p.unassign(itself, member, clerkRole), identity.ErrRoleNotAssigned)
}
