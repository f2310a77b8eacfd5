package web

import (
	"context"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"gesta/domain/identity"
)

// Surface is one documented API: its words and its rows.
type Surface struct {
	Name, Realm string
	Title       string   // what it is, for people
	Prefixes    []string // the paths it owns, each with all that is below it
	IDs         Spelling
	Dialect     Dialect
	CORS        CORS
	Routes      []Route
	// Authenticate answers who a request says it is from, by whatever the surface takes as proof; nobody
	// when it brings none. It refuses proof that is not good. Nil where everybody is nobody.
	Authenticate func(*http.Request) (identity.Caller, error)
	// Permits refuses, with identity.ErrForbidden, who does not hold a permission. Nil where no row asks for one.
	Permits func(ctx context.Context, c identity.Caller, p identity.Permission) error
	// Reached waits until what the surface reads has passed a position, where it reads something else than the read models;
	// nil where it does not.
	Reached func(ctx context.Context, position int64) error
	// Strict refuses parameters of the query that a row does not know: what narrows an answer must not be overlooked.
	Strict bool
	// Exchanges are files of requests and answers as tests have seen them, for examples; nil for none.
	Exchanges fs.FS
}

// Route is one row of a surface's table.
type Route struct {
	Method, Path string
	Summary      string // what it does, for people
	Access       Access
	Handler      Handler
	Status       int   // when all went well
	Refusals     []int // the statuses it is documented to refuse with, beside those that every route has
	Credential   bool  // takes a password or a token that somebody could guess at
	Secret       bool  // what it answers holds secrets: they are said once, and never compressed
	Unkeyed      bool  // knows no idempotency keys
	Session      bool  // is about the caller's session, not about the caller
	Unheaded     bool  // knows no HEAD, though it is a GET
	Limit        Limit // how often the document lets an address use it; zero where it says nothing
	Thing        Thing

	MaxAge time.Duration // for how long anybody may keep what it shows; 0 for nobody
}

// Access says who may use a row.
type Access struct {
	Public     bool
	Unasked    bool                // what proof a request brings is not looked at: it need not be good
	Roles      []identity.Role     // empty for every role
	Permission identity.Permission // that the caller must hold; "" for none
}

// IsRestricted tells whether the row is for some of those only who are signed in.
func (a Access) IsRestricted() bool { return len(a.Roles) > 0 || a.Permission != "" }

// Who may use a row.
var (
	Anyone   = Access{Public: true}
	Unasked  = Access{Public: true, Unasked: true}
	SignedIn = Access{}
)

// Only lets the given roles in.
func Only(roles ...identity.Role) Access { return Access{Roles: roles} }

// May lets those in who hold a permission at the moment, by whatever role.
func May(p identity.Permission) Access { return Access{Permission: p} }

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

// GivesTokens marks a sign-in or a refresh: each makes other tokens.
func (r Route) GivesTokens() Route { r.Credential, r.Secret, r.Unkeyed = true, true, true; return r }

// SaysSecrets marks a row whose answers hold secrets. A repetition leaves them out, so the fields are `omitempty`.
func (r Route) SaysSecrets() Route { r.Secret = true; return r }

// WithoutHead marks a GET with an effect, such as a note of what was given: a HEAD, which gives nothing, is refused.
func (r Route) WithoutHead() Route { r.Unheaded = true; return r }

// Limited sets how often the document lets an address use the row.
func (r Route) Limited(requests int, per time.Duration) Route {
	r.Limit = Limit{requests, per}
	return r
}

// OfSession marks a row that is about the caller's session.
func (r Route) OfSession() Route { r.Session = true; return r }

// Does says in a few words what the row does.
func (r Route) Does(summary string) Route { r.Summary = summary; return r }

// Cacheable lets anybody keep what a GET for anyone shows, for it is the same for everybody and no secret.
func (r Route) Cacheable(maxAge time.Duration) Route { r.MaxAge = maxAge; return r }

// Kept tells whether caches may keep what the row shows: never what only some may see.
func (r Route) Kept() bool { return r.MaxAge > 0 && r.Method == http.MethodGet && r.Access.Public }

// Keyed tells whether a request may bring an idempotency key.
func (r Route) Keyed() bool { return r.Method == http.MethodPost && !r.Unkeyed }

// row is how a route is named in settings.
func (s Surface) row(r Route) string { return s.Name + " " + r.Method + " " + r.Path }

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
