package web

import (
	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/value"
)

// credentials prove who somebody is.
type credentials struct {
	Email    string `json:"email" format:"email" required:"true"`
	Password string `json:"password" required:"true"`
}

// TakesCredentials reads what somebody signs in to a realm with: any password that anybody could have, since whether it
// is right is all that counts.
func TakesCredentials(realm identity.Realm) Reading[commands.Credentials] {
	return Takes(func(_ *Request, in credentials) (commands.Credentials, error) {
		var f Fields
		return commands.Credentials{
			Realm:    realm,
			Email:    Field(&f, "email", in.Email, value.ParseEmail),
			Password: Field(&f, "password", in.Password, identity.ParsePresented),
		}, f.Err()
	}).Names(func(c commands.Credentials) string { return string(c.Email) })
}

// refresh asks for new tokens.
type refresh struct {
	// The latest one that the session was given.
	Token string `json:"refresh_token" required:"true"`
}

// TakesRefreshToken reads a refresh token.
func TakesRefreshToken() Reading[string] {
	return Takes(func(_ *Request, in refresh) (string, error) {
		var f Fields
		return Field(&f, "refresh_token", in.Token, ParseToken), f.Err()
	})
}

// ParseToken refuses none where there must be a token; whether it is one, who gave it says.
func ParseToken(s string) (string, error) {
	if s == "" {
		return "", value.ErrRequired
	}
	return s, nil
}
