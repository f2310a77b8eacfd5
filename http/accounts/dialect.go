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
		if l, ok := shown.(web.List); ok {
			h.Set("X-Total-Count", strconv.Itoa(l.Total))
			return l.Items
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
	Error string `json:"error"`
}

// user is how a user looks.
type user struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Phone     string    `json:"phone"`
	Role      string    `json:"role"`
	IsActive  bool      `json:"is_active"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func showUser(u projections.User) any { return userOf(u) }

// showChanged shows what a command led to, as a GET would.
func showChanged(u identity.User) any { return userOf(projections.UserOf(u)) }

func userOf(u projections.User) user {
	return user{
		ID: web.UUID.Write(u.ID), Email: u.Email, Phone: u.Phone, Role: u.Role, IsActive: u.Active,
		CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
	}
}

func showUsers(l projections.UserList) any {
	users := make([]user, len(l.Users))
	for i, u := range l.Users {
		users[i] = userOf(u)
	}
	return web.List{Items: users, Page: l.Page, Total: l.Total}
}

// tokens are what a sign-in or a refresh gives; the user comes with the sign-in only.
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	User         *user  `json:"user,omitempty"`
}

func showSignIn(g commands.Grant) any {
	t := tokensOf(g)
	u := userOf(projections.UserOf(g.User))
	t.User = &u
	return t
}

func showTokens(g commands.Grant) any { return tokensOf(g) }

func tokensOf(g commands.Grant) tokens {
	return tokens{
		AccessToken: g.Access, RefreshToken: g.Refresh,
		TokenType: "Bearer", ExpiresIn: int(g.ExpiresIn.Seconds()),
	}
}
