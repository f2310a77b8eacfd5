package web

import (
	"slices"
	"strings"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/identity"
)

// identify finds out who asks and whether the row is for them. A token that is sent must be good, on
// public rows too: a client with a broken one wants to know.
func (r *Request) identify() error {
	authorization := r.echo.Request().Header.Get("Authorization")
	switch {
	case authorization != "":
		if err := r.authenticate(authorization); err != nil {
			return err
		}
	case !r.route.Access.Public:
		return commands.ErrToken
	}
	if roles := r.route.Access.Roles; len(roles) > 0 && !slices.Contains(roles, r.Caller.Role) {
		return identity.ErrForbidden
	}
	return nil
}

func (r *Request) authenticate(authorization string) (err error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return commands.ErrToken
	}
	if r.Caller, err = r.surface.Authenticate(r.ctx, strings.TrimSpace(token)); err != nil {
		return err
	}
	r.ctx = domain.ActingAs(r.ctx, identity.Actor(r.Caller.User))
	return nil
}
