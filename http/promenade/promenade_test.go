package promenade_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/http/promenade"
	"gesta/http/web"
	"gesta/http/web/webtest"
	"gesta/projections"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// start serves the surface on a stack of its own.
func start(t testing.TB) (*webtest.Stack, *webtest.Client, web.Surface) {
	t.Helper()
	return startAs(t, promenade.Realm())
}

// startAs serves it to a realm that has other rules.
func startAs(t testing.TB, realm identity.Realm) (*webtest.Stack, *webtest.Client, web.Surface) {
	t.Helper()
	stack := webtest.Start(t, realm.Name)
	stack.Identity.Realms = map[string]identity.Realm{realm.Name: realm}
	if err := stack.Identity.Prepare(t.Context(), realm); err != nil {
		t.Fatal(err)
	}
	reads := &postgres.Lookups{Pool: stack.Reads}
	surface := promenade.New(promenade.App{
		Identity: stack.Identity, CRM: &commands.CRM{Executor: stack.Identity.Executor, Realm: realm.Name},
		Users: projections.Users{DB: reads, Realm: realm.Name}, Roles: projections.Roles{DB: reads, Realm: realm.Name},
		Profiles: projections.Profiles{DB: reads, Realm: realm.Name}, Contacts: projections.Contacts{DB: reads},
		Customers: projections.Customers{DB: reads},
	}, realm)
	return stack, stack.Client(t, surface), surface
}

func TestTheExchangesOfTheBanner(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	client.Say(t, "what answers here", webtest.Call{Method: "GET", Path: "/api/v1"})
	client.Say(t, "no such path", webtest.Call{Method: "GET", Path: "/api/v1/nothing"})
	client.Golden(t, "banner")
}

func TestWalk(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	boss := appoint(t, stack, promenade.SuperAdmin, "boss")
	made := func(path string, body any) string {
		return client.Do(t, boss.as("POST", path, body)).Field(t, "data.id")
	}
	permission := made("/api/v1/identity/permissions", map[string]string{"resource": "posts", "action": "read"})
	role := made("/api/v1/identity/roles", map[string]string{"name": "moderator", "display_name": "Moderator"})
	client.Do(t, boss.as("POST", "/api/v1/identity/roles/"+role+"/permissions", map[string][]string{"permission_ids": {permission}}))
	client.Do(t, boss.as("POST", users+"/"+boss.id+"/roles", map[string]string{"role_id": role}))
	customer := made("/api/v1/customer-mgmt/customers", map[string]any{"name": "C", "email": "c@example.com", "tags": []string{"t"}})
	webtest.Walk{
		Client: client, Surface: surface, Token: boss.access, Powerless: appoint(t, stack, promenade.Guest, "guest").access,
		Known: map[string]string{
			"identity.user": boss.id, "identity.role": role, "identity.permission": permission, "crm.customer": customer,
			"identity.profile": made("/api/v1/identity/profiles", map[string]string{"display_name": "The boss"}),
			"identity.contact": made("/api/v1/identity/contacts", map[string]string{"type": "email", "email": "b@example.com", "label": "Work"}),

			"DELETE /api/v1/identity/users/:id/roles/:roleId":             users + "/" + boss.id + "/roles/" + role,
			"DELETE /api/v1/identity/roles/:id/permissions/:permissionId": "/api/v1/identity/roles/" + role + "/permissions/" + permission,
			"POST /api/v1/customer-mgmt/customers/:id/upgrade/:tier":      "/api/v1/customer-mgmt/customers/" + customer + "/upgrade/pro",
			"POST /api/v1/customer-mgmt/customers/:id/downgrade/:tier":    "/api/v1/customer-mgmt/customers/" + customer + "/downgrade/free",
			"DELETE /api/v1/customer-mgmt/customers/:id/tags/:tag":        "/api/v1/customer-mgmt/customers/" + customer + "/tags/t",
		},
		Open:      []string{"GET /api/v1/shared/countries/region/:region", "GET /api/v1/shared/timezones/region/:region"},
		IsRefusal: func(text string) bool { return webtest.IsObject(text, "status", "error") },
	}.Run(t)
}

// The table of routes has every row that was asked for, and no other, where it lies beside the project.
func TestTheTableOfRoutes(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../../../shared/routes.tsv")
	if err != nil {
		t.Skip("there is no table to compare with")
	}
	_, _, surface := start(t)
	rows := map[string]web.Route{}
	for _, r := range surface.Routes {
		rows[r.Method+" "+r.Path] = r
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if f[0] != "promenade" || f[1] == "later" {
			continue
		}
		row, there := rows[f[2]+" "+f[3]]
		if !there {
			t.Errorf("there is no %s %s", f[2], f[3])
			continue
		}
		delete(rows, f[2]+" "+f[3])
		if fmt.Sprint(row.Status) != f[5] {
			t.Errorf("%s %s answers %d, not %s", f[2], f[3], row.Status, f[5])
		}
		for status := range strings.SplitSeq(f[6], ",") {
			if n, err := strconv.Atoi(status); err == nil && !slices.Contains(surface.Statuses(row), n) {
				t.Errorf("%s %s is never refused with %s", f[2], f[3], status)
			}
		}
		if public := f[4] == "none"; public != row.Access.Public {
			t.Errorf("%s %s is public: %t", f[2], f[3], row.Access.Public)
		}
	}
	for row := range rows {
		t.Errorf("nobody has asked for %s", row)
	}
}
