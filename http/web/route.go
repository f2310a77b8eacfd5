package web

import (
	"net/http"
	"slices"
	"strings"

	"gesta/domain/identity"
)

// Surface is one documented API: its words and its rows.
type Surface struct {
	Name, Realm string
	Prefixes    []string // the paths it owns, each with all that is below it
	Dialect     Dialect
	Routes      []Route
	// Authenticate answers who a request says it is from, by whatever the surface takes as proof; nobody
	// when it brings none. It refuses proof that is not good. Nil where everybody is nobody.
	Authenticate func(*http.Request) (identity.Caller, error)
}

// Route is one row of a surface's table.
type Route struct {
	Method, Path string
	Access       Access
	Handler      Handler
	Status       int   // when all went well
	Refusals     []int // the statuses it is documented to refuse with, beside those that every route has
	Credential   bool  // takes a password or a token that somebody could guess at
}

// Access says who may use a row.
type Access struct {
	Public bool
	Roles  []identity.Role // empty for every role
}

// Who may use a row.
var (
	Anyone   = Access{Public: true}
	SignedIn = Access{}
)

// Only lets the given roles in.
func Only(roles ...identity.Role) Access { return Access{Roles: roles} }

// The rows of a table.
func Get(path string, a Access, h Handler) Route {
	return Route{Method: http.MethodGet, Path: path, Access: a, Handler: h, Status: http.StatusOK}
}

func Post(path string, a Access, h Handler) Route {
	return Route{Method: http.MethodPost, Path: path, Access: a, Handler: h, Status: http.StatusCreated}
}

func Put(path string, a Access, h Handler) Route {
	return Route{Method: http.MethodPut, Path: path, Access: a, Handler: h, Status: http.StatusOK}
}

func Delete(path string, a Access, h Handler) Route {
	return Route{Method: http.MethodDelete, Path: path, Access: a, Handler: h, Status: http.StatusNoContent}
}

// Answers sets another status for success.
func (r Route) Answers(status int) Route { r.Status = status; return r }

// Refuses lists the documented refusals.
func (r Route) Refuses(statuses ...int) Route { r.Refusals = statuses; return r }

// TakesCredential marks a row that somebody could guess at.
func (r Route) TakesCredential() Route { r.Credential = true; return r }

// row is how a route is named in settings.
func (s Surface) row(r Route) string { return s.Name + " " + r.Method + " " + r.Path }

func (s Surface) hasRow(row string) bool {
	return slices.ContainsFunc(s.Routes, func(r Route) bool { return s.row(r) == row })
}

// Owner answers the surface that owns a path: the one with the longest prefix of it.
func Owner(surfaces []Surface, path string) (owner Surface, found bool) {
	longest := 0
	for _, s := range surfaces {
		for _, prefix := range s.Prefixes {
			if len(prefix) > longest && isBelow(path, prefix) {
				owner, found, longest = s, true, len(prefix)
			}
		}
	}
	return owner, found
}

func isBelow(path, prefix string) bool {
	rest, below := strings.CutPrefix(path, prefix)
	return below && (rest == "" || rest[0] == '/')
}
