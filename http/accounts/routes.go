package accounts

import (
	"context"

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

// New makes the surface over an app.
func New(app App, realm identity.Realm) web.Surface {
	a := api{app, realm}
	return web.Surface{
		Name: "accounts", Realm: realm.Name, Prefixes: []string{"/users", "/auth"},
		Dialect: dialect, Routes: a.routes(),
		Authenticate: web.Bearer(func(ctx context.Context, token string) (identity.Caller, error) {
			return app.Identity.Authenticate(ctx, realm.Name, token)
		}),
	}
}

func (a api) routes() []web.Route {
	staff := web.Only(BusinessOwner)
	return []web.Route{
		web.Post("/users", web.Anyone, web.Handle(a.registration, a.Identity.Register, showChanged)).
			Refuses(400, 401, 403, 409).TakesCredential(),
		web.Get("/users", staff, web.Handle(page, a.Users.List, showUsers)).Refuses(400, 401, 403),
		web.Get("/users/by-email", web.SignedIn, web.Handle(a.address, a.byEmail, showUser)).Refuses(400, 401, 404),
		web.Get("/users/:id", web.SignedIn, web.Handle(a.user, a.Users.Find, showUser)).Refuses(400, 401, 404),
		web.Put("/users/:id", web.SignedIn, web.Handle(a.change, a.Identity.Change, showChanged)).
			Refuses(400, 401, 403, 404, 409).TakesCredential(),
		web.Delete("/users/:id", staff, web.Do(a.deactivation, a.Identity.Deactivate)).Refuses(401, 403, 404),
		web.Post("/auth/login", web.Anyone, web.Handle(a.credentials, a.Identity.SignIn, showSignIn)).
			Answers(200).Refuses(400, 401).TakesCredential(),
		web.Post("/auth/refresh", web.Anyone, web.Handle(refreshToken, a.refresh, showTokens)).
			Answers(200).Refuses(400, 401).TakesCredential(),
		web.Post("/auth/logout", web.SignedIn, web.Do(caller, a.Identity.SignOut)).Answers(204).Refuses(401),
	}
}

func (a api) registration(r *web.Request) (commands.Registration, error) {
	var in struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		Phone    string `json:"phone"`
		Role     string `json:"role"`
	}
	if err := r.Body(&in); err != nil {
		return commands.Registration{}, err
	}
	var f web.Fields
	return commands.Registration{
		Realm: a.realm, By: r.Caller,
		Email:    web.Field(&f, "email", in.Email, value.ParseEmail),
		Password: web.Field(&f, "password", in.Password, a.realm.ParsePassword),
		Phone:    web.Field(&f, "phone", in.Phone, value.ParsePhone),
		Role:     web.Field(&f, "role", in.Role, a.realm.ParseRole),
	}, f.Err()
}

// credentials takes any password that anybody could have: whether it is right is all that counts.
func (a api) credentials(r *web.Request) (commands.Credentials, error) {
	var in struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	if err := r.Body(&in); err != nil {
		return commands.Credentials{}, err
	}
	var f web.Fields
	return commands.Credentials{
		Realm:    a.realm,
		Email:    web.Field(&f, "email", in.Email, value.ParseEmail),
		Password: web.Field(&f, "password", in.Password, identity.ParsePresented),
	}, f.Err()
}

func refreshToken(r *web.Request) (string, error) {
	var in struct {
		Token string `json:"refresh_token"`
	}
	if err := r.Body(&in); err != nil {
		return "", err
	}
	var f web.Fields
	if in.Token == "" {
		f.Refuse("refresh_token", "is required")
	}
	return in.Token, f.Err()
}

func caller(r *web.Request) (identity.Caller, error) { return r.Caller, nil }

func page(r *web.Request) (projections.Page, error) { return r.Page(20, 100) }

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

func (a api) address(r *web.Request) (question, error) {
	email, err := value.ParseEmail(r.Query("email"))
	if err != nil {
		return question{}, web.ErrQuery.In(web.Wrong("email", err))
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

func (a api) change(r *web.Request) (commands.Change, error) {
	c := commands.Change{Realm: a.realm, By: r.Caller}
	var err error
	if c.User, err = a.user(r); err != nil {
		return c, err
	}
	var in struct {
		Email           *string `json:"email"`
		Phone           *string `json:"phone"`
		Password        *string `json:"password"`
		CurrentPassword string  `json:"current_password"`
		IsActive        *bool   `json:"is_active"`
	}
	if err := r.Body(&in); err != nil {
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

func (a api) deactivation(r *web.Request) (commands.Deactivation, error) {
	u, err := a.user(r)
	return commands.Deactivation{Realm: a.realm, User: u}, err
}

func (a api) refresh(ctx context.Context, token string) (commands.Grant, error) {
	return a.Identity.Refresh(ctx, a.realm.Name, token)
}
