// Package promenade serves identity, reference data and customers. There is one file per noun: its rows, what they
// read, what they show.
package promenade

import (
	"context"
	"embed"
	"slices"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/http/web"
	"gesta/projections"
)

// prefix begins every path.
const prefix = "/api/v1"

// App is what the surface asks of the rest.
type App struct {
	Identity  *commands.Identity
	CRM       *commands.CRM
	Users     projections.Users
	Roles     projections.Roles
	Profiles  projections.Profiles
	Contacts  projections.Contacts
	Customers projections.Customers
}

// api is the surface with its realm.
type api struct {
	App
	realm identity.Realm
}

// exchanges are what the tests of the surface have seen.
//
//go:embed testdata/wire/*.txt
var exchanges embed.FS

// New makes the surface over an app.
func New(app App, realm identity.Realm) web.Surface {
	a := api{app, realm}
	return web.Surface{
		Name: "promenade", Realm: realm.Name, Title: "Identity, reference data and customers",
		Prefixes: []string{prefix}, IDs: web.ULID,
		Dialect: dialect, Exchanges: exchanges,
		Routes: slices.Concat(
			[]web.Route{web.Get(prefix, web.Unasked, web.Handle(web.Reads(nothing), greet, greeting)).Does("Say what this is").Cacheable(dayLong)},
			a.userRoutes(), a.roleRoutes(), a.profileRoutes(), a.contactRoutes(), a.referenceRoutes(), a.customerRoutes(),
		),
		Authenticate: web.Bearer(func(ctx context.Context, token string) (identity.Caller, error) {
			return app.Identity.Authenticate(ctx, realm.Name, token)
		}),
		Permits: app.Identity.May,
	}
}

// nothing reads nothing of a request.
func nothing(*web.Request) (none struct{}, err error) { return none, nil }

// banner says what answers here.
type banner struct {
	Message string `json:"message"`
	// Of the API.
	Version string `json:"version"`
}

func greet(context.Context, struct{}) (banner, error) {
	return banner{"Promenade Platform API", "v1"}, nil
}

func greeting(b banner) banner { return b }
