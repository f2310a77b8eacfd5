package promenade

import (
	"context"
	"errors"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/http/web"
	"gesta/projections"
)

func (a api) userRoutes() []web.Route {
	const users, auth, user = prefix + "/identity/users", prefix + "/identity/auth", "identity.user"
	status := func(path, does string, p identity.Permission, to identity.Status) web.Route {
		return web.Post(users+"/:id/"+path, web.May(p), web.Make(web.Reads(a.statusChange(to)), a.Identity.SetStatus, a.Identity.StatusSet, showChanged)).
			Does(does).Answers(200).Refuses(400, 401, 403, 404, 409).Of(user)
	}
	verifying := web.MayTake(a.emailVerification).Names(func(c commands.EmailVerification) string { return who(c.User, c.Code) })
	return []web.Route{
		web.Post(users+"/register", web.Unasked, web.Make(web.Takes(a.registration), a.Identity.SignUp, a.Identity.SignedUp, showSignIn)).
			Does("Register, and sign in").Refuses(400, 409, 429).TakesCredential().SaysSecrets().Limited(3, time.Minute).Of(user),
		web.Post(users+"/login", web.Unasked, web.Handle(web.TakesCredentials(a.realm), a.Identity.SignIn, showSignIn)).
			Does("Sign in").Answers(200).Refuses(400, 401, 429).GivesTokens().Limited(5, time.Minute),
		web.Post(auth+"/refresh", web.Unasked, web.Handle(web.TakesRefreshToken(), a.refresh, showTokens)).
			Does("Spend a refresh token for new tokens").Answers(200).Refuses(400, 401).GivesTokens(),
		web.Post(auth+"/revoke", web.SignedIn, web.Tell(web.Takes(revocation), a.Identity.Revoke, said{"Token revoked successfully"})).
			Does("End the session of a token, with all its tokens").Answers(200).Refuses(400, 401).OfSession(),

		web.Get(users, web.May("users:read"), web.Handle(web.Lists(20, 100, byStatus, byVerified), a.Users.List, showUsers)).
			Does("List users").Refuses(400, 401, 403),
		web.Get(users+"/me", web.SignedIn, web.Handle(web.Reads(caller), a.Users.Find, showUser)).
			Does("Show me").Refuses(401, 404).OfCaller(user),
		web.Put(users+"/me", web.SignedIn, web.Handle(web.Takes(a.change), a.Identity.Change, showChanged)).
			Does("Change me").Refuses(400, 401, 409).OfCaller(user),
		web.Put(users+"/me/password", web.SignedIn, web.Tell(web.Takes(a.myPassword).Names(whose), a.changePassword, passwordChanged)).
			Does("Change my password").Refuses(400, 401).TakesCredential().OfCaller(user),
		web.Get(users+"/email/:email", web.SignedIn, web.Handle(web.Reads(a.byAddress), a.findByAddress, showUser)).
			Does("Find a user by e-mail").Refuses(400, 401, 404),
		web.Get(users+"/:id", web.SignedIn, web.Handle(web.Reads(a.userAsked), a.find, showUser)).
			Does("Find a user").Refuses(400, 401, 404).Of(user),
		web.Post(users+"/:id/change-password", web.SignedIn, web.Tell(web.Takes(a.password).Names(whose), a.changePassword, passwordChanged)).
			Does("Change my password").Answers(200).Refuses(400, 401, 404).TakesCredential().Of(user),
		a.proving(web.Post(users+"/:id/verify-email", web.SignedIn, web.Make(verifying, a.Identity.VerifyEmail, a.Identity.EmailVerified, showChanged)).
			Does("Take my address for verified").Answers(200).Refuses(400, 401, 404)).Of(user),

		status("suspend", "Put a user out for a while", "users:suspend", identity.IsSuspended),
		status("ban", "Put a user out for good", "users:ban", identity.IsBanned),
		status("activate", "Let a user in again", "users:activate", identity.Active),
		web.Post(users+"/:id/unlock", web.May("users:unlock"), web.Make(web.Reads(a.unlocking), a.Identity.Unlock, a.Identity.Unlocked, showChanged)).
			Does("Let passwords be tried again").Answers(200).Refuses(400, 401, 403, 404).Of(user),
	}
}

// What users are filtered by.
var (
	byStatus = web.Filter{Column: "status", Param: web.Param{
		Name: "status", Text: "Only users of this status.", Enum: []string{"active", "suspended", "banned"},
	}}
	byVerified = web.Filter{Column: "email_verified", Param: web.Param{
		Name: "is_email_verified", Text: "Only users whose address is verified, or is not.", Boolean: true,
	}}
)

// registration asks for an account.
type registration struct {
	Email string `json:"email" format:"email" required:"true"`
	// 1 to 100 characters.
	Name string `json:"name" required:"true"`
	// 8 characters at least, 72 bytes at most, with a letter and a digit.
	Password string `json:"password" required:"true"`
}

func (a api) registration(_ *web.Request, in registration) (commands.Registration, error) {
	var f web.Fields
	return commands.Registration{
		Realm: a.realm, Role: User,
		Email:    web.Field(&f, "email", in.Email, value.ParseEmail),
		Name:     web.Field(&f, "name", in.Name, identity.ParseName),
		Password: web.Field(&f, "password", in.Password, a.realm.ParsePassword),
	}, f.Err()
}

func (a api) refresh(ctx context.Context, token string) (commands.Grant, error) {
	return a.Identity.Refresh(ctx, a.realm.Name, token)
}

// revoke names a token.
type revoke struct {
	// An access or a refresh token of the caller's.
	Token string `json:"token" required:"true"`
}

func revocation(r *web.Request, in revoke) (commands.Revocation, error) {
	var f web.Fields
	return commands.Revocation{By: r.Caller, Token: web.Field(&f, "token", in.Token, web.ParseToken)}, f.Err()
}

// caller is whom a path means that says "me".
func caller(r *web.Request) (identity.UserID, error) { return r.Caller.User, nil }

// userID reads an id that is the caller's own: of others he learns nothing, not even that they exist.
func (a api) userID(r *web.Request) (identity.UserID, error) {
	i, err := web.ULID.ID(r, "id", identity.ErrUserNotFound)
	u := identity.UserID{ID: i}
	if err == nil && u != r.Caller.User {
		err = identity.ErrUserNotFound
	}
	return u, err
}

// asked is a question about a user, on somebody's behalf.
type asked struct {
	user  identity.UserID
	email value.Email
	by    identity.Caller
}

func (a api) userAsked(r *web.Request) (asked, error) {
	i, err := web.ULID.ID(r, "id", identity.ErrUserNotFound)
	return asked{user: identity.UserID{ID: i}, by: r.Caller}, err
}

func (a api) byAddress(r *web.Request) (asked, error) {
	email, err := web.FromPath(r, "email", value.ParseEmail)
	return asked{email: email, by: r.Caller}, err
}

func (a api) find(ctx context.Context, q asked) (projections.User, error) {
	if err := a.sees(ctx, q.by, q.user); err != nil {
		return projections.User{}, err
	}
	return a.Users.Find(ctx, q.user)
}

func (a api) findByAddress(ctx context.Context, q asked) (projections.User, error) {
	u, err := a.Users.ByEmail(ctx, q.email)
	if err != nil && !errors.Is(err, identity.ErrUserNotFound) {
		return u, err
	}
	// Also where nobody has the address: the time that it takes must not tell.
	if err := a.sees(ctx, q.by, identity.UserID{ID: u.ID}); err != nil {
		return projections.User{}, err
	}
	return u, err
}

// sees lets everybody know of himself, and who may read users of all.
func (a api) sees(ctx context.Context, by identity.Caller, u identity.UserID) error {
	if by.User == u {
		return nil
	}
	err := a.Identity.May(ctx, by, "users:read")
	if errors.Is(err, identity.ErrForbidden) {
		return identity.ErrUserNotFound
	}
	return err
}

// change says what is to change about the caller; what is left out stays.
type change struct {
	// 1 to 100 characters.
	Name *string `json:"name"`
	// Has to be verified anew.
	Email *string `json:"email" format:"email"`
}

func (a api) change(r *web.Request, in change) (commands.Change, error) {
	var f web.Fields
	return commands.Change{
		Realm: a.realm, By: r.Caller, User: r.Caller.User,
		Name:  web.Optional(&f, "name", in.Name, identity.ParseName),
		Email: web.Optional(&f, "email", in.Email, value.ParseEmail),
	}, f.Err()
}

// passwords are the one that is good and the one that is to be.
type passwords struct {
	Old string `json:"old_password" required:"true"`
	// 8 characters at least, 72 bytes at most, with a letter and a digit. It ends the user's other sessions.
	New string `json:"new_password" required:"true"`
}

func (a api) myPassword(r *web.Request, in passwords) (commands.Change, error) {
	var f web.Fields
	return commands.Change{
		Realm: a.realm, By: r.Caller, User: r.Caller.User,
		Password: &commands.PasswordChange{
			Current: web.Field(&f, "old_password", in.Old, identity.ParsePresented),
			New:     web.Field(&f, "new_password", in.New, a.realm.ParsePassword),
		},
	}, f.Err()
}

func (a api) password(r *web.Request, in passwords) (commands.Change, error) {
	if _, err := a.userID(r); err != nil {
		return commands.Change{}, err
	}
	return a.myPassword(r, in)
}

func (a api) changePassword(ctx context.Context, c commands.Change) error {
	_, err := a.Identity.Change(ctx, c)
	return err
}

// whose password is tried.
func whose(c commands.Change) string { return c.User.String() }

func (a api) emailVerification(r *web.Request, in proof) (commands.EmailVerification, error) {
	u, err := a.userID(r)
	if err != nil {
		return commands.EmailVerification{}, err
	}
	code, err := a.code(in)
	return commands.EmailVerification{Realm: a.realm, User: u, Code: code}, err
}

func (a api) statusChange(to identity.Status) func(*web.Request) (commands.StatusChange, error) {
	return func(r *web.Request) (commands.StatusChange, error) {
		i, err := web.ULID.ID(r, "id", identity.ErrUserNotFound)
		return commands.StatusChange{Realm: a.realm, By: r.Caller, User: identity.UserID{ID: i}, To: to}, err
	}
}

func (a api) unlocking(r *web.Request) (commands.Unlocking, error) {
	i, err := web.ULID.ID(r, "id", identity.ErrUserNotFound)
	return commands.Unlocking{Realm: a.realm, User: identity.UserID{ID: i}}, err
}

// user is somebody with an account.
type user struct {
	ID string `json:"id" format:"ulid"`
	// An address, or [forgotten] of somebody who was.
	Email string `json:"email"`
	// As it was given, or [forgotten].
	Name string `json:"name"`
	// Who was active when he was forgotten is deactivated.
	Status string `json:"status" enum:"active,suspended,banned,deactivated"`
	// Whether the address is known to be the user's.
	IsEmailVerified bool      `json:"is_email_verified"`
	CreatedAt       time.Time `json:"created_at"`
}

// showChanged shows what a command led to, as a GET would.
func showChanged(u identity.User) user { return showUser(projections.UserOf(u)) }

func showUser(u projections.User) user {
	return user{
		ID: web.ULID.Write(u.ID), Email: u.Email, Name: u.Name, Status: u.Status,
		IsEmailVerified: u.EmailVerified, CreatedAt: u.CreatedAt.UTC(),
	}
}

func showUsers(p projections.Paged[projections.User]) web.List[user] { return web.ListOf(p, showUser) }

var passwordChanged = said{"Password changed successfully"}

// tokens are what a session gives its client.
type tokens struct {
	// Good for 15 minutes, as the bearer of the Authorization header.
	AccessToken string `json:"access_token"`
	// Good once, for another pair of tokens.
	RefreshToken string `json:"refresh_token"`
	// When the access token expires.
	ExpiresAt time.Time `json:"expires_at"`
}

func showTokens(g commands.Grant) tokens {
	return tokens{AccessToken: g.Access, RefreshToken: g.Refresh, ExpiresAt: g.ExpiresAt.UTC()}
}

// signedIn is what registering and signing in give.
type signedIn struct {
	// Good for 15 minutes, as the bearer of the Authorization header. Tokens are said once: a repetition leaves them out.
	AccessToken string `json:"access_token,omitempty"`
	// Good once, for another pair of tokens.
	RefreshToken string `json:"refresh_token,omitempty"`
	// When the access token expires.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	TokenType string     `json:"token_type,omitempty" enum:"Bearer"`
	User      newcomer   `json:"user"`
}

// newcomer is who has just signed in.
type newcomer struct {
	ID     string `json:"id" format:"ulid"`
	Email  string `json:"email"`
	Name   string `json:"name"`
	Status string `json:"status" enum:"active,suspended,banned,deactivated"`
}

func showSignIn(g commands.Grant) signedIn {
	u := showChanged(g.User)
	s := signedIn{User: newcomer{u.ID, u.Email, u.Name, u.Status}}
	if t := showTokens(g); t.AccessToken != "" {
		s.AccessToken, s.RefreshToken, s.ExpiresAt, s.TokenType = t.AccessToken, t.RefreshToken, &t.ExpiresAt, "Bearer"
	}
	return s
}
