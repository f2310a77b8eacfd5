package promenade_test

import (
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
	if err := stack.Identity.Prepare(t.Context(), realm); err != nil {
		t.Fatal(err)
	}
	reads := &postgres.Lookups{Pool: stack.Reads}
	surface := promenade.New(promenade.App{
		Identity: stack.Identity, CRM: &commands.CRM{Executor: stack.Identity.Executor, Identity: stack.Identity, Realm: realm.Name},
		Users: projections.Users{DB: reads, Realm: realm.Name}, Roles: projections.Roles{DB: reads, Realm: realm.Name},
		Profiles: projections.Profiles{DB: reads, Realm: realm.Name}, Contacts: projections.Contacts{DB: reads},
		Customers: projections.Customers{DB: reads},
	}, realm)
	return stack, stack.Client(t, surface), surface
}
