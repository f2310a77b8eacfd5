package audit

import (
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/http/web"
)

func (a api) sessionRoutes() []web.Route {
	return []web.Route{
		web.Post(prefix+"/sessions", web.Unasked, web.Handle(web.TakesCredentials(a.realm), a.Identity.SignIn, showSession)).
			Does("Sign in").Refuses(400, 401, 429).GivesTokens().Limited(10, time.Minute),
		web.Delete(prefix+"/sessions", web.SignedIn, web.Do(web.Reads(caller), a.Identity.SignOut)).
			Does("End the session").Refuses(401).OfSession(),
	}
}

func caller(r *web.Request) (identity.Caller, error) { return r.Caller, nil }

// session is what a sign-in gives. There is nothing to make it longer: when it is over, sign in again.
type session struct {
	// Good until it expires, as the bearer of the Authorization header.
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type" enum:"Bearer"`
	// Seconds until the access token expires.
	ExpiresIn int `json:"expires_in"`
	// What its holder may do.
	Role string `json:"role" enum:"auditor,officer,consumer,decryptor"`
}

func showSession(g commands.Grant) session {
	return session{AccessToken: g.Access, TokenType: "Bearer", ExpiresIn: int(g.ExpiresIn.Seconds()), Role: string(g.User.Role)}
}
