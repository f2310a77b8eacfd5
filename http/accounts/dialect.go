// Package accounts serves the small authentication API: users, sign-in and sessions.
package accounts

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/identity"
	"gesta/http/web"
	"gesta/projections"
)

// The realm's words for what a user is.
const (
	BusinessOwner identity.Role = "BO" // runs the realm
	Customer      identity.Role = "CU"
)

// Realm is the population of this surface.
func Realm(signUp identity.SignUp) identity.Realm {
	return identity.Realm{
		Name: "accounts", Roles: []identity.Role{BusinessOwner, Customer},
		Administrator: BusinessOwner, MinPassword: 6, SignUp: signUp,
	}
}

// dialect answers things bare, and refusals as one key with one text.
var dialect = web.Dialect{
	Envelope: func(h http.Header, shown any) any {
		if l, ok := shown.(web.Listed); ok {
			items, _, total := l.Listing()
			h.Set("X-Total-Count", strconv.Itoa(total))
			return items
		}
		return shown
	},
	Fault: func(f *domain.Fault) web.Body { return web.Body{Type: web.JSON, Value: refusal{textOf(f)}} },
}

// textOf says of a body only what the document says of one, whatever is wrong with it: clients compare.
func textOf(f *domain.Fault) string {
	if errors.Is(f, web.ErrBody) {
		return f.Text
	}
	return f.Error()
}

// refusal is how every refusal looks.
type refusal struct {
	// What is wrong, in lower case.
	Error string `json:"error"`
}

// user is somebody with an account.
type user struct {
	ID string `json:"id" format:"uuid"`
	// An address, or [forgotten] of somebody who was.
	Email string `json:"email"`
	// As it was given, or [forgotten].
	Phone string `json:"phone"`
	// BO runs the realm, CU is a customer.
	Role string `json:"role" enum:"BO,CU"`
	// Whether the user may sign in.
	IsActive  bool      `json:"is_active"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// showChanged shows what a command led to, as a GET would.
func showChanged(u identity.User) user { return showUser(projections.UserOf(u)) }

func showUser(u projections.User) user {
	return user{
		ID: web.UUID.Write(u.ID), Email: u.Email, Phone: u.Phone, Role: u.Role, IsActive: u.IsActive(),
		CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
	}
}

func showUsers(p projections.Paged[projections.User]) web.List[user] { return web.ListOf(p, showUser) }

// tokens are what a refresh gives.
type tokens struct {
	// Good for a while, as the bearer of the Authorization header.
	AccessToken string `json:"access_token"`
	// Good once, for another pair of tokens.
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type" enum:"Bearer"`
	// Seconds until the access token expires.
	ExpiresIn int `json:"expires_in"`
}

// signedIn is what a sign-in gives.
type signedIn struct {
	tokens
	User user `json:"user"`
}

func showSignIn(g commands.Grant) signedIn { return signedIn{showTokens(g), showChanged(g.User)} }

func showTokens(g commands.Grant) tokens {
	return tokens{
		AccessToken: g.Access, RefreshToken: g.Refresh,
		TokenType: "Bearer", ExpiresIn: int(g.ExpiresIn.Seconds()),
	}
}
