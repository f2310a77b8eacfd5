package accounts

import (
	"context"
	"embed"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/http/web"
	"gesta/projections"
)

// App is what the surface asks of the rest.
type App struct {
	Identity *commands.Identity
	Users    projections.Users
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
		Name: "accounts", Realm: realm.Name, Title: "Users, sign-in and sessions",
		Prefixes: []string{"/users", "/auth"}, IDs: web.UUID,
		Dialect: dialect, Routes: a.routes(), Exchanges: exchanges,
		Authenticate: web.Bearer(func(ctx context.Context, token string) (identity.Caller, error) {
			return app.Identity.Authenticate(ctx, realm.Name, token)
		}),
	}
}

func (a api) routes() []web.Route {
	staff := web.Only(BusinessOwner)
	const user = "identity.user"
	return []web.Route{
		web.Post("/users", web.Anyone, web.Make(web.Takes(a.registration), a.Identity.Register, a.Identity.Registered, showChanged)).
			Does("Register a user").Refuses(400, 401, 403, 409).TakesCredential().Of(user),
		web.Get("/users", staff, web.Handle(web.Lists(20, 100, byRole, byActive), a.Users.List, showUsers)).
			Does("List users").Refuses(400, 401, 403),
		web.Get("/users/by-email", web.SignedIn, web.Handle(web.Reads(a.address).Asks(address), a.byEmail, showUser)).
			Does("Find a user by e-mail").Refuses(400, 401, 404),
		web.Get("/users/:id", web.SignedIn, web.Handle(web.Reads(a.user), a.Users.Find, showUser)).
			Does("Find a user").Refuses(400, 401, 404).Of(user),
		web.Put("/users/:id", web.SignedIn, web.Handle(web.Takes(a.change).Names(changed), a.Identity.Change, showChanged)).
			Does("Change a user").Refuses(400, 401, 403, 404, 409).TakesCredential().Of(user),
		web.Delete("/users/:id", staff, web.Do(web.Reads(a.deactivation), a.Identity.Deactivate)).
			Does("Deactivate a user").Refuses(401, 403, 404).Of(user),
		web.Post("/auth/login", web.Anyone, web.Handle(web.TakesCredentials(a.realm), a.Identity.SignIn, showSignIn)).
			Does("Sign in").Answers(200).Refuses(400, 401).GivesTokens(),
		web.Post("/auth/refresh", web.Anyone, web.Handle(web.TakesRefreshToken(), a.refresh, showTokens)).
			Does("Spend a refresh token for new tokens").Answers(200).Refuses(400, 401).GivesTokens(),
		web.Post("/auth/logout", web.SignedIn, web.Do(web.Reads(caller), a.Identity.SignOut)).
			Does("End the session").Answers(204).Refuses(401).OfSession(),
	}
}

// What users are filtered by.
var (
	byRole   = web.Filter{Column: "role", Param: web.Param{Name: "role", Text: "Only users of this role.", Enum: []string{"BO", "CU"}}}
	byActive = web.Filter{Column: "active", Param: web.Param{Name: "is_active", Text: "Only users who may sign in, or may not.", Boolean: true}}
)

// registration asks for an account.
type registration struct {
	Email string `json:"email" format:"email" required:"true"`
	// At least 6 characters, at most 72 bytes.
	Password string `json:"password" required:"true"`
	Phone    string `json:"phone" required:"true"`
	// BO runs the realm, CU is a customer.
	Role string `json:"role" enum:"BO,CU" required:"true"`
}

func (a api) registration(r *web.Request, in registration) (commands.Registration, error) {
	var f web.Fields
	return commands.Registration{
		Realm: a.realm, By: r.Caller,
		Email:    web.Field(&f, "email", in.Email, value.ParseEmail),
		Password: web.Field(&f, "password", in.Password, a.realm.ParsePassword),
		Phone:    web.Field(&f, "phone", in.Phone, value.ParsePhone),
		Role:     web.Field(&f, "role", in.Role, a.realm.ParseRole),
	}, f.Err()
}

func caller(r *web.Request) (identity.Caller, error) { return r.Caller, nil }

// user reads whom a request is about. A customer sees only itself: of others it learns nothing, not
// even that they exist.
func (a api) user(r *web.Request) (identity.UserID, error) {
	i, err := web.UUID.ID(r, "id", identity.ErrUserNotFound)
	u := identity.UserID{ID: i}
	if err == nil && !a.realm.Sees(r.Caller, u) {
		err = identity.ErrUserNotFound
	}
	return u, err
}

// question asks for the user with an address, on behalf of somebody.
type question struct {
	email value.Email
	by    identity.Caller
}

var address = web.Param{Name: "email", Text: "The user's address.", Format: "email", Required: true}

func (a api) address(r *web.Request) (question, error) {
	email, err := value.ParseEmail(r.Query(address.Name))
	if err != nil {
		return question{}, web.ErrQuery.In(web.Wrong(address.Name, err))
	}
	return question{email, r.Caller}, nil
}

func (a api) byEmail(ctx context.Context, q question) (projections.User, error) {
	u, err := a.Users.ByEmail(ctx, q.email)
	if err == nil && !a.realm.Sees(q.by, identity.UserID{ID: u.ID}) {
		return projections.User{}, identity.ErrUserNotFound
	}
	return u, err
}

// change says what is to change about a user; what is left out stays.
type change struct {
	Email *string `json:"email" format:"email"`
	Phone *string `json:"phone"`
	// At least 6 characters, at most 72 bytes. It ends the user's other sessions.
	Password *string `json:"password"`
	// Needed with a new password.
	CurrentPassword string `json:"current_password"`
	// Whether the user may sign in; only a BO says so, about others.
	IsActive *bool `json:"is_active"`
}

func (a api) change(r *web.Request, in change) (commands.Change, error) {
	c := commands.Change{Realm: a.realm, By: r.Caller}
	var err error
	if c.User, err = a.user(r); err != nil {
		return c, err
	}
	var f web.Fields
	c.Email = web.Optional(&f, "email", in.Email, value.ParseEmail)
	c.Phone = web.Optional(&f, "phone", in.Phone, value.ParsePhone)
	c.Active = in.IsActive
	if password := web.Optional(&f, "password", in.Password, a.realm.ParsePassword); password != nil {
		c.Password = &commands.PasswordChange{Current: in.CurrentPassword, New: *password}
	}
	return c, f.Err()
}

// changed is whose current password is presented.
func changed(c commands.Change) string {
	if c.Password == nil {
		return ""
	}
	return c.User.String()
}

func (a api) deactivation(r *web.Request) (commands.Deactivation, error) {
	u, err := a.user(r)
	return commands.Deactivation{Realm: a.realm, User: u}, err
}

func (a api) refresh(ctx context.Context, token string) (commands.Grant, error) {
	return a.Identity.Refresh(ctx, a.realm.Name, token)
}
