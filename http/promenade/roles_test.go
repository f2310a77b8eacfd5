package promenade_test

import (
	"strings"
	"testing"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/http/promenade"
	"gesta/http/web/webtest"
)

const (
	roles       = "/api/v1/identity/roles"
	permissions = "/api/v1/identity/permissions"
)

func (p person) grant(role string, ids ...string) webtest.Call {
	return p.as("POST", roles+"/"+role+"/permissions", map[string]any{"permission_ids": ids})
}

func (p person) assign(to person, role string) webtest.Call {
	return p.as("POST", users+"/"+to.id+"/roles", map[string]string{"role_id": role})
}

func idOf(t testing.TB, a webtest.Answer) string { return a.Field(t, "data.id") }

func systemRole(r identity.Role) string { return identity.SystemRoleID("promenade", r).String() }

func systemPermission(p identity.Permission) string {
	return identity.SystemPermissionID("promenade", p).String()
}

// The document's own example.
var moderator = map[string]string{
	"name": "moderator", "display_name": "Moderator", "description": "Content moderation role",
}

func newPermission(resource, action string) map[string]string {
	return map[string]string{"resource": resource, "action": action, "description": "Moderate content"}
}

func TestTheExchangesOfRoles(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	admin, john := appoint(t, stack, promenade.Admin, "admin"), appoint(t, stack, promenade.User, "john")
	one := idOf(t, client.Say(t, "create a permission", admin.as("POST", permissions, newPermission("content", "read"))))
	two := idOf(t, client.Say(t, "create another", admin.as("POST", permissions, newPermission(" Content ", "Hide"))))
	role := idOf(t, client.Say(t, "create a role", admin.as("POST", roles, moderator)))
	client.Say(t, "the same name in another spelling", admin.as("POST", roles, map[string]string{"name": " Moderator ", "display_name": "Mod"}))
	client.Say(t, "assign permissions to the role", admin.grant(role, one, two))
	client.Say(t, "assign the role to a user", admin.assign(john, role))
	client.Say(t, "assign it again", admin.assign(john, role))
	client.Say(t, "the role", admin.as("GET", roles+"/"+role))
	client.Say(t, "the role, by name", admin.as("GET", roles+"/name/Moderator"))
	client.Say(t, "all roles", admin.as("GET", roles))
	client.Say(t, "a page of the roles", admin.as("GET", roles+"?page=2&page_size=5"))
	client.Say(t, "the roles of a user", admin.as("GET", users+"/"+john.id+"/roles"))
	client.Say(t, "the roles of a user, as the router spells it", admin.as("GET", roles+"/user/"+john.id+"?page_size=1"))
	client.Say(t, "the permissions of a role", admin.as("GET", roles+"/"+role+"/permissions"))
	client.Say(t, "the permissions of a role, behind the last page", admin.as("GET", permissions+"/role/"+role+"?page=2&page_size=2"))
	client.Say(t, "change how it is shown", admin.as("PUT", roles+"/"+role, map[string]string{"display_name": "Moderators", "name": "ignored"}))
	client.Say(t, "withdraw a permission", admin.as("DELETE", roles+"/"+role+"/permissions/"+two))
	client.Say(t, "withdraw it again", admin.as("DELETE", roles+"/"+role+"/permissions/"+two))
	client.Say(t, "take the role away", admin.as("DELETE", users+"/"+john.id+"/roles/"+role))
	client.Say(t, "take it away again", admin.as("DELETE", users+"/"+john.id+"/roles/"+role))
	client.Say(t, "delete the role", admin.as("DELETE", roles+"/"+role))
	client.Say(t, "delete it again", admin.as("DELETE", roles+"/"+role))
	client.Say(t, "its name is free", admin.as("POST", roles, moderator))
	client.Golden(t, "roles")
}

func TestTheExchangesOfPermissions(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	admin := appoint(t, stack, promenade.Admin, "admin")
	created := idOf(t, client.Say(t, "create", admin.as("POST", permissions, newPermission("content", "*"))))
	role := idOf(t, client.Do(t, admin.as("POST", roles, moderator)))
	client.Do(t, admin.grant(role, created, systemPermission("users:read")))
	client.Say(t, "one that there is", admin.as("POST", permissions, newPermission("Content", "*")))
	client.Say(t, "everything wrong", admin.as("POST", permissions, map[string]string{"resource": "con:tent", "action": "", "description": strings.Repeat("x", 501)}))
	client.Say(t, "by id", admin.as("GET", permissions+"/"+created))
	client.Say(t, "by name", admin.as("GET", permissions+"/name/content:*"))
	client.Say(t, "by a name that is none", admin.as("GET", permissions+"/name/content"))
	client.Say(t, "a page of all", admin.as("GET", permissions+"?page=1&page_size=3"))
	client.Say(t, "a page that is none", admin.as("GET", permissions+"?page=0&page_size=101"))
	client.Say(t, "describe", admin.as("PUT", permissions+"/"+created, map[string]string{"description": "Everything about content"}))
	client.Say(t, "delete", admin.as("DELETE", permissions+"/"+created))
	client.Say(t, "the role that held it", admin.as("GET", roles+"/"+role))
	client.Say(t, "delete it again", admin.as("DELETE", permissions+"/"+created))
	client.Say(t, "one that rows ask for", admin.as("DELETE", permissions+"/"+systemPermission("customers:read")))
	client.Say(t, "find none", admin.as("GET", permissions+"/"+created))
	client.Say(t, "describe none", admin.as("PUT", permissions+"/"+created, map[string]string{}))
	client.Golden(t, "permissions")
}

func TestTheExchangesOfRefusedRoles(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	root, admin := appoint(t, stack, promenade.SuperAdmin, "root"), appoint(t, stack, promenade.Admin, "admin")
	manager, user := appoint(t, stack, promenade.Manager, "manager"), appoint(t, stack, promenade.User, "user")
	unknown := id.Named("unknown").String()
	client.Say(t, "no token", person{}.as("POST", roles, moderator))
	client.Say(t, "without the permission", user.as("POST", roles, moderator))
	client.Say(t, "everything wrong", admin.as("POST", roles, map[string]string{"name": "x y", "description": strings.Repeat("x", 501)}))
	role := idOf(t, client.Do(t, admin.as("POST", roles, moderator)))

	client.Say(t, "delete a system role", admin.as("DELETE", roles+"/"+systemRole(promenade.User)))
	client.Say(t, "change what the super administrator may do", root.grant(systemRole(promenade.SuperAdmin), systemPermission("users:read")))
	client.Say(t, "take from it", root.as("DELETE", roles+"/"+systemRole(promenade.SuperAdmin)+"/permissions/"+systemPermission("*:*")))
	client.Say(t, "an administrator makes a super administrator", admin.assign(user, systemRole(promenade.SuperAdmin)))
	client.Say(t, "the last super administrator", root.as("DELETE", users+"/"+root.id+"/roles/"+systemRole(promenade.SuperAdmin)))

	delegate := idOf(t, client.Do(t, admin.as("POST", roles, map[string]string{"name": "delegate", "display_name": "Delegate"})))
	client.Do(t, admin.grant(delegate, systemPermission("roles:assign"), systemPermission("roles:update")))
	client.Do(t, admin.assign(manager, delegate))
	client.Say(t, "grant what one does not hold", manager.grant(role, systemPermission("users:ban")))
	client.Say(t, "grant what one holds", manager.grant(role, systemPermission("customers:read")))
	client.Say(t, "assign what one does not hold", manager.assign(user, systemRole(promenade.Admin)))
	client.Say(t, "take what one does not hold", manager.as("DELETE", users+"/"+admin.id+"/roles/"+systemRole(promenade.Admin)))

	client.Say(t, "grant nothing", admin.grant(role))
	client.Say(t, "grant what is no id", admin.grant(role, systemPermission("users:ban"), "01JGPERM1..."))
	client.Say(t, "grant what is unknown", admin.grant(role, systemPermission("users:ban"), unknown))
	client.Say(t, "grant to an unknown role", admin.grant(unknown, systemPermission("users:ban")))
	client.Say(t, "assign what is no id", admin.assign(user, "01JGROLE..."))
	client.Say(t, "assign an unknown role", admin.assign(user, unknown))
	client.Say(t, "assign to nobody", admin.assign(person{id: unknown}, role))
	client.Say(t, "the roles of nobody", admin.as("GET", users+"/"+unknown+"/roles"))
	client.Say(t, "the permissions of an unknown role", admin.as("GET", roles+"/"+unknown+"/permissions"))
	client.Say(t, "an unknown role", admin.as("GET", roles+"/"+unknown))
	client.Say(t, "what is no id", admin.as("GET", roles+"/1"))
	client.Say(t, "an unknown name", admin.as("GET", roles+"/name/nobody"))
	client.Golden(t, "roles_refused")
}

// What is granted and taken away counts for the next request of the same token, at every process.
func TestPermissionsCountForTheNextRequest(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	here, there := client, stack.Client(t, surface)
	admin, john := appoint(t, stack, promenade.Admin, "admin"), appoint(t, stack, promenade.User, "john")
	role := idOf(t, here.Do(t, admin.as("POST", roles, moderator)))
	expect := func(status int) {
		t.Helper()
		for _, c := range []*webtest.Client{here, there} {
			if a := c.Do(t, john.as("GET", roles)); a.Status != status {
				t.Errorf("%d, not %d: %s", a.Status, status, a.Text)
			}
		}
	}
	expect(403)
	here.Do(t, admin.assign(john, role))
	expect(403)
	here.Do(t, admin.grant(role, systemPermission("roles:read")))
	expect(200)
	here.Do(t, admin.as("DELETE", roles+"/"+role+"/permissions/"+systemPermission("roles:read")))
	expect(403)
	here.Do(t, admin.grant(role, systemPermission("roles:read")))
	expect(200)
	here.Do(t, admin.as("DELETE", users+"/"+john.id+"/roles/"+role))
	expect(403)
}

// One round trip tells whether somebody may, along with whether his session lives; another one answers.
func TestRoundTripsOfPermissions(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	stack.Connect(t)
	admin, user := appoint(t, stack, promenade.Admin, "admin"), appoint(t, stack, promenade.User, "user")
	john := appoint(t, stack, promenade.User, "john")
	role := idOf(t, client.Do(t, admin.as("POST", roles, moderator)))
	visits := []struct {
		title      string
		call       webtest.Call
		status     int
		warm, cold int64
	}{
		{"a read that one may", admin.as("GET", roles), 200, 2, 3},
		{"a read that one may not", user.as("GET", roles), 403, 1, 2},
		{"a grant", admin.grant(role, systemPermission("users:read")), 200, 2, 3},
		{"an assignment", admin.assign(john, role), 200, 1, 5},
	}
	for _, cold := range []bool{false, true} {
		for _, v := range visits {
			trips := v.warm
			if cold {
				stack.Forget()
				trips = v.cold
			}
			if a := client.Do(t, v.call); a.Status != v.status || a.RoundTrips != trips {
				t.Errorf("%s (cold: %t): %d after %d round trips: %s", v.title, cold, a.Status, a.RoundTrips, a.Text)
			}
		}
		client.Do(t, admin.as("DELETE", users+"/"+john.id+"/roles/"+role))
		client.Do(t, admin.as("DELETE", roles+"/"+role+"/permissions/"+systemPermission("users:read")))
	}
}

// Under a key each is done once, and shown as it was.
func TestRolesUnderAKey(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	admin, john := appoint(t, stack, promenade.Admin, "admin"), appoint(t, stack, promenade.User, "john")
	role := idOf(t, client.Do(t, admin.as("POST", roles, map[string]string{"name": "other", "display_name": "Other"})))
	for n, call := range []webtest.Call{
		admin.as("POST", roles, moderator), admin.as("POST", permissions, newPermission("content", "read")),
		admin.grant(role, systemPermission("users:read")), admin.grant(role, systemPermission("users:read")),
		admin.assign(john, role), admin.assign(john, role),
	} {
		call.Header = map[string]string{"Idempotency-Key": string(rune('a' + n))}
		first, second := client.Do(t, call), client.Do(t, call)
		if first.Status >= 300 || second.Status != first.Status || second.Text != first.Text || second.Header.Get("Idempotency-Replayed") == "" {
			t.Errorf("%s: %d %s, and %d %s", call.Path, first.Status, first.Text, second.Status, second.Text)
		}
	}
}
