package promenade_test

import (
	"net/http"
	"strings"
	"testing"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/http/promenade"
	"gesta/http/web/webtest"
)

// person is somebody who has signed in.
type person struct{ id, token string }

// as registers somebody with a role, as the command line does, and signs him in.
func as(t testing.TB, stack *webtest.Stack, role identity.Role, name string) person {
	t.Helper()
	realm := promenade.Realm()
	u, err := stack.Identity.Register(t.Context(), commands.Registration{
		Realm: realm, By: identity.Caller{Realm: realm.Name, Role: promenade.SuperAdmin}, Role: role,
		Email: value.Email(name + "@example.com"), Name: name, Password: "Password123",
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := stack.Identity.SignIn(t.Context(), commands.Credentials{Realm: realm, Email: u.Email, Password: "Password123"})
	if err != nil {
		t.Fatal(err)
	}
	return person{u.ID.String(), g.Access}
}

const (
	rolesPath       = "/api/v1/identity/roles"
	permissionsPath = "/api/v1/identity/permissions"
	usersPath       = "/api/v1/identity/users"
)

func (p person) get(path string) webtest.Call {
	return webtest.Call{Method: http.MethodGet, Path: path, Token: p.token}
}

func (p person) post(path string, body any) webtest.Call {
	return webtest.Call{Method: http.MethodPost, Path: path, Token: p.token, Body: body}
}

func (p person) put(path string, body any) webtest.Call {
	return webtest.Call{Method: http.MethodPut, Path: path, Token: p.token, Body: body}
}

func (p person) delete(path string) webtest.Call {
	return webtest.Call{Method: http.MethodDelete, Path: path, Token: p.token}
}

func (p person) grant(role string, permissions ...string) webtest.Call {
	return p.post(rolesPath+"/"+role+"/permissions", map[string]any{"permission_ids": permissions})
}

func (p person) assign(to person, role string) webtest.Call {
	return p.post(usersPath+"/"+to.id+"/roles", map[string]string{"role_id": role})
}

// idOf is the id of what an answer shows.
func idOf(t testing.TB, a webtest.Answer) string {
	t.Helper()
	var shown struct{ Data struct{ ID string } }
	a.JSON(t, &shown)
	if shown.Data.ID == "" {
		t.Fatalf("no id in %s", a.Text)
	}
	return shown.Data.ID
}

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
	admin, john := as(t, stack, promenade.Admin, "admin"), as(t, stack, promenade.User, "john")
	one := idOf(t, client.Say(t, "create a permission", admin.post(permissionsPath, newPermission("content", "read"))))
	two := idOf(t, client.Say(t, "create another", admin.post(permissionsPath, newPermission(" Content ", "Hide"))))
	role := idOf(t, client.Say(t, "create a role", admin.post(rolesPath, moderator)))
	client.Say(t, "the same name in another spelling", admin.post(rolesPath, map[string]string{"name": " Moderator ", "display_name": "Mod"}))
	client.Say(t, "assign permissions to the role", admin.grant(role, one, two))
	client.Say(t, "assign the role to a user", admin.assign(john, role))
	client.Say(t, "assign it again", admin.assign(john, role))
	client.Say(t, "the role", admin.get(rolesPath+"/"+role))
	client.Say(t, "the role, by name", admin.get(rolesPath+"/name/Moderator"))
	client.Say(t, "all roles", admin.get(rolesPath))
	client.Say(t, "a page of the roles", admin.get(rolesPath+"?page=2&page_size=5"))
	client.Say(t, "the roles of a user", admin.get(usersPath+"/"+john.id+"/roles"))
	client.Say(t, "the roles of a user, as the router spells it", admin.get(rolesPath+"/user/"+john.id+"?page_size=1"))
	client.Say(t, "the permissions of a role", admin.get(rolesPath+"/"+role+"/permissions"))
	client.Say(t, "the permissions of a role, behind the last page", admin.get(permissionsPath+"/role/"+role+"?page=2&page_size=2"))
	client.Say(t, "change how it is shown", admin.put(rolesPath+"/"+role, map[string]string{"display_name": "Moderators", "name": "ignored"}))
	client.Say(t, "withdraw a permission", admin.delete(rolesPath+"/"+role+"/permissions/"+two))
	client.Say(t, "withdraw it again", admin.delete(rolesPath+"/"+role+"/permissions/"+two))
	client.Say(t, "take the role away", admin.delete(usersPath+"/"+john.id+"/roles/"+role))
	client.Say(t, "take it away again", admin.delete(usersPath+"/"+john.id+"/roles/"+role))
	client.Say(t, "delete the role", admin.delete(rolesPath+"/"+role))
	client.Say(t, "delete it again", admin.delete(rolesPath+"/"+role))
	client.Say(t, "its name is free", admin.post(rolesPath, moderator))
	client.Golden(t, "roles")
}

func TestTheExchangesOfPermissions(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	admin := as(t, stack, promenade.Admin, "admin")
	created := idOf(t, client.Say(t, "create", admin.post(permissionsPath, newPermission("content", "*"))))
	role := idOf(t, client.Do(t, admin.post(rolesPath, moderator)))
	client.Do(t, admin.grant(role, created, systemPermission("users:read")))
	client.Say(t, "one that there is", admin.post(permissionsPath, newPermission("Content", "*")))
	client.Say(t, "everything wrong", admin.post(permissionsPath, map[string]string{"resource": "con:tent", "action": "", "description": strings.Repeat("x", 501)}))
	client.Say(t, "by id", admin.get(permissionsPath+"/"+created))
	client.Say(t, "by name", admin.get(permissionsPath+"/name/content:*"))
	client.Say(t, "by a name that is none", admin.get(permissionsPath+"/name/content"))
	client.Say(t, "a page of all", admin.get(permissionsPath+"?page=1&page_size=3"))
	client.Say(t, "a page that is none", admin.get(permissionsPath+"?page=0&page_size=101"))
	client.Say(t, "describe", admin.put(permissionsPath+"/"+created, map[string]string{"description": "Everything about content"}))
	client.Say(t, "delete", admin.delete(permissionsPath+"/"+created))
	client.Say(t, "the role that held it", admin.get(rolesPath+"/"+role))
	client.Say(t, "delete it again", admin.delete(permissionsPath+"/"+created))
	client.Say(t, "one that rows ask for", admin.delete(permissionsPath+"/"+systemPermission("customers:read")))
	client.Say(t, "find none", admin.get(permissionsPath+"/"+created))
	client.Say(t, "describe none", admin.put(permissionsPath+"/"+created, map[string]string{}))
	client.Golden(t, "permissions")
}

func TestTheExchangesOfRefusedRoles(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	root, admin := as(t, stack, promenade.SuperAdmin, "root"), as(t, stack, promenade.Admin, "admin")
	manager, user := as(t, stack, promenade.Manager, "manager"), as(t, stack, promenade.User, "user")
	unknown := id.Named("unknown").String()
	client.Say(t, "no token", person{}.post(rolesPath, moderator))
	client.Say(t, "without the permission", user.post(rolesPath, moderator))
	client.Say(t, "everything wrong", admin.post(rolesPath, map[string]string{"name": "x y", "description": strings.Repeat("x", 501)}))
	role := idOf(t, client.Do(t, admin.post(rolesPath, moderator)))

	client.Say(t, "delete a system role", admin.delete(rolesPath+"/"+systemRole(promenade.User)))
	client.Say(t, "change what the super administrator may do", root.grant(systemRole(promenade.SuperAdmin), systemPermission("users:read")))
	client.Say(t, "take from it", root.delete(rolesPath+"/"+systemRole(promenade.SuperAdmin)+"/permissions/"+systemPermission("*:*")))
	client.Say(t, "an administrator makes a super administrator", admin.assign(user, systemRole(promenade.SuperAdmin)))
	client.Say(t, "the last super administrator", root.delete(usersPath+"/"+root.id+"/roles/"+systemRole(promenade.SuperAdmin)))

	delegate := idOf(t, client.Do(t, admin.post(rolesPath, map[string]string{"name": "delegate", "display_name": "Delegate"})))
	client.Do(t, admin.grant(delegate, systemPermission("roles:assign"), systemPermission("roles:update")))
	client.Do(t, admin.assign(manager, delegate))
	client.Say(t, "grant what one does not hold", manager.grant(role, systemPermission("users:ban")))
	client.Say(t, "grant what one holds", manager.grant(role, systemPermission("customers:read")))
	client.Say(t, "assign what one does not hold", manager.assign(user, systemRole(promenade.Admin)))
	client.Say(t, "take what one does not hold", manager.delete(usersPath+"/"+admin.id+"/roles/"+systemRole(promenade.Admin)))

	client.Say(t, "grant nothing", admin.grant(role))
	client.Say(t, "grant what is no id", admin.grant(role, systemPermission("users:ban"), "01JGPERM1..."))
	client.Say(t, "grant what is unknown", admin.grant(role, systemPermission("users:ban"), unknown))
	client.Say(t, "grant to an unknown role", admin.grant(unknown, systemPermission("users:ban")))
	client.Say(t, "assign what is no id", admin.assign(user, "01JGROLE..."))
	client.Say(t, "assign an unknown role", admin.assign(user, unknown))
	client.Say(t, "assign to nobody", admin.assign(person{id: unknown}, role))
	client.Say(t, "the roles of nobody", admin.get(usersPath+"/"+unknown+"/roles"))
	client.Say(t, "the permissions of an unknown role", admin.get(rolesPath+"/"+unknown+"/permissions"))
	client.Say(t, "an unknown role", admin.get(rolesPath+"/"+unknown))
	client.Say(t, "what is no id", admin.get(rolesPath+"/1"))
	client.Say(t, "an unknown name", admin.get(rolesPath+"/name/nobody"))
	client.Golden(t, "roles_refused")
}

// What is granted and taken away counts for the next request of the same token, at every process.
func TestPermissionsCountForTheNextRequest(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	here, there := client, stack.Client(t, surface)
	admin, john := as(t, stack, promenade.Admin, "admin"), as(t, stack, promenade.User, "john")
	role := idOf(t, here.Do(t, admin.post(rolesPath, moderator)))
	expect := func(status int) {
		t.Helper()
		for _, c := range []*webtest.Client{here, there} {
			if a := c.Do(t, john.get(rolesPath)); a.Status != status {
				t.Errorf("%d, not %d: %s", a.Status, status, a.Text)
			}
		}
	}
	expect(403)
	here.Do(t, admin.assign(john, role))
	expect(403)
	here.Do(t, admin.grant(role, systemPermission("roles:read")))
	expect(200)
	here.Do(t, admin.delete(rolesPath+"/"+role+"/permissions/"+systemPermission("roles:read")))
	expect(403)
	here.Do(t, admin.grant(role, systemPermission("roles:read")))
	expect(200)
	here.Do(t, admin.delete(usersPath+"/"+john.id+"/roles/"+role))
	expect(403)
}

// One round trip tells whether somebody may, along with whether his session lives; another one answers.
func TestRoundTripsOfPermissions(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	stack.Connect(t)
	admin, user := as(t, stack, promenade.Admin, "admin"), as(t, stack, promenade.User, "user")
	john := as(t, stack, promenade.User, "john")
	role := idOf(t, client.Do(t, admin.post(rolesPath, moderator)))
	for _, v := range []struct {
		title        string
		call         webtest.Call
		status, cold int
		warm         int64
	}{
		{"a read that one may", admin.get(rolesPath), 200, 3, 2},
		{"a read that one may not", user.get(rolesPath), 403, 2, 1},
		{"a grant", admin.grant(role, systemPermission("users:read")), 200, 4, 1},
		{"an assignment", admin.assign(john, role), 200, 5, 1},
	} {
		for _, cold := range []bool{false, true} {
			trips := v.warm
			if cold {
				stack.Forget()
				client.Do(t, admin.delete(usersPath+"/"+john.id+"/roles/"+role))
				client.Do(t, admin.delete(rolesPath+"/"+role+"/permissions/"+systemPermission("users:read")))
				stack.Forget()
				trips = int64(v.cold)
			}
			if a := client.Do(t, v.call); a.Status != v.status || a.RoundTrips != trips {
				t.Errorf("%s (cold: %t): %d after %d round trips: %s", v.title, cold, a.Status, a.RoundTrips, a.Text)
			}
		}
	}
}

// Under a key each is done once, and shown as it was.
func TestRolesUnderAKey(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	admin, john := as(t, stack, promenade.Admin, "admin"), as(t, stack, promenade.User, "john")
	role := idOf(t, client.Do(t, admin.post(rolesPath, map[string]string{"name": "other", "display_name": "Other"})))
	for n, call := range []webtest.Call{
		admin.post(rolesPath, moderator), admin.post(permissionsPath, newPermission("content", "read")),
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
