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
		Prefixes: []string{prefix + "/identity", prefix + "/shared", prefix + "/customer-mgmt"}, IDs: web.ULID,
		Dialect: dialect, Exchanges: exchanges,
		Routes: slices.Concat(
			a.userRoutes(), a.roleRoutes(), a.profileRoutes(), a.contactRoutes(), a.referenceRoutes(), a.customerRoutes(),
		),
		Authenticate: web.Bearer(func(ctx context.Context, token string) (identity.Caller, error) {
			return app.Identity.Authenticate(ctx, realm.Name, token)
		}),
		Permits: app.Identity.May,
	}
}
