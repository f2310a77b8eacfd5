package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/identity"
)

// identify finds out who asks and whether the row is for them. Proof that is sent must be good, on
// public rows too, but for those that do not look: a client with a broken token wants to know.
func (r *Request) identify() (err error) {
	if authenticate := r.surface.Authenticate; authenticate != nil && !r.route.Access.Unasked {
		if r.Caller, err = authenticate(r.echo.Request().WithContext(r.ctx)); err != nil {
			return err
		}
	}
	nobody := r.Caller == identity.Caller{}
	switch roles := r.route.Access.Roles; {
	case nobody && !r.route.Access.Public:
		return commands.ErrToken
	case len(roles) > 0 && !slices.Contains(roles, r.Caller.Role):
		return identity.ErrForbidden
	}
	if !nobody {
		r.ctx = domain.ActingAs(r.ctx, identity.Actor(r.Caller.User), r.Caller.Realm)
	}
	if p := r.route.Access.Permission; p != "" {
		return r.surface.Permits(r.ctx, r.Caller, p)
	}
	return nil
}

// Bearer takes bearer tokens as proof, and nothing else in an Authorization header.
func Bearer(authenticate func(ctx context.Context, token string) (identity.Caller, error)) func(*http.Request) (identity.Caller, error) {
	return func(r *http.Request) (identity.Caller, error) {
		all := r.Header.Values("Authorization")
		if len(all) == 0 {
			return identity.Caller{}, nil
		}
		scheme, token, _ := strings.Cut(all[0], " ")
		if len(all) > 1 || !strings.EqualFold(scheme, "Bearer") {
			return identity.Caller{}, commands.ErrToken
		}
		return authenticate(r.Context(), strings.TrimSpace(token))
	}
}
