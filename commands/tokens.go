package commands

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// TokenKind is what a token is good for.
type TokenKind string

// The kinds there are.
const (
	AccessToken  TokenKind = "access"
	RefreshToken TokenKind = "refresh"
)

// Refusals of tokens, for which every surface may say the same.
var (
	// ErrToken refuses one that is missing, broken, or meant for something else.
	ErrToken = &domain.Fault{Kind: domain.Unauthenticated, Code: "invalid_token", Text: noToken}
	// ErrTokenExpired refuses one whose time is over.
	ErrTokenExpired = &domain.Fault{Kind: domain.Unauthenticated, Code: "token_expired", Text: noToken}
	// ErrTokenRevoked refuses one whose session was ended.
	ErrTokenRevoked = &domain.Fault{Kind: domain.Unauthenticated, Code: "token_revoked", Text: noToken}
)

const noToken = "invalid or expired token"

const issuer = "gesta"

// Lifetimes are how long the tokens of a realm are good for.
type Lifetimes struct {
	Access, Refresh time.Duration
	Spell           func(id.ID) string // how its clients know the user's id, which they may look for in a token; nil for a UUID
}

// Tokens signs and reads JWTs. Each realm has its own keys, derived from the secrets, so that a token
// of one realm is nothing in another, whatever it says. The first secret signs; all of them verify.
type Tokens struct {
	secrets   []string
	lifetimes map[string]Lifetimes // by the first word of a realm's name
	now       func() time.Time
	keys      sync.Map // realm -> []signingKey
}

type signingKey struct {
	id  string
	key []byte
}

// claims are what a token says. UserID repeats the subject, as clients spell it, for those that look for it there.
type claims struct {
	jwt.RegisteredClaims
	Kind    TokenKind     `json:"type"`
	UserID  string        `json:"user_id"`
	Role    identity.Role `json:"role,omitempty"`
	Session string        `json:"sid"`
}

// MinSecret is the shortest secret that tokens are signed with, in bytes.
const MinSecret = 32

// NewTokens refuses secrets that are too short. Lifetimes go by the first word of a realm's name, up to
// its first "/"; a realm without any has no tokens.
func NewTokens(lifetimes map[string]Lifetimes, now func() time.Time, secret string, previous ...string) (*Tokens, error) {
	secrets := append([]string{secret}, previous...)
	for _, s := range secrets {
		if len(s) < MinSecret {
			return nil, fmt.Errorf("a secret for signing tokens must have at least %d characters, not %d", MinSecret, len(s))
		}
	}
	return &Tokens{secrets: secrets, lifetimes: lifetimes, now: now}, nil
}

// Sign makes a token for the caller's session; it expires when its kind does.
func (t *Tokens) Sign(kind TokenKind, c identity.Caller, at time.Time) (token string, expires time.Time, err error) {
	keys, err := t.keysOf(c.Realm)
	if err != nil {
		return "", time.Time{}, err
	}
	if t.Lifetime(kind, c.Realm) == 0 {
		return "", time.Time{}, fmt.Errorf("commands: the realm %q has no tokens", c.Realm)
	}
	expires = at.Add(t.Lifetime(kind, c.Realm)).Truncate(time.Second)
	j := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{c.Realm}, Subject: c.User.UUID(), ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(at), ExpiresAt: jwt.NewNumericDate(expires),
		},
		Kind: kind, UserID: t.spell(c), Role: c.Role, Session: c.Session.UUID(),
	})
	j.Header["kid"] = keys[0].id
	token, err = j.SignedString(keys[0].key)
	return token, expires, err
}

func (t *Tokens) spell(c identity.Caller) string {
	if spell := t.of(c.Realm).Spell; spell != nil {
		return spell(c.User.ID)
	}
	return c.User.UUID()
}

// Lifetime is how long tokens of that kind are good for in a realm.
func (t *Tokens) Lifetime(kind TokenKind, realm string) time.Duration {
	if kind == RefreshToken {
		return t.of(realm).Refresh
	}
	return t.of(realm).Access
}

func (t *Tokens) of(realm string) Lifetimes {
	first, _, _ := strings.Cut(realm, "/")
	return t.lifetimes[first]
}

// Parse answers who a token speaks for. It refuses, with ErrToken, whatever was not signed here as a
// token of that kind and realm. An access token of which only the time is over comes with ErrTokenExpired beside who it
// spoke for. When a refresh token expires, and whether the session still lives, is for the session to say.
func (t *Tokens) Parse(kind TokenKind, realm, token string) (identity.Caller, error) {
	if strings.ContainsAny(token, "\r\n") { // Base64 would pass them over, and the token's hash would be another.
		return identity.Caller{}, ErrToken
	}
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(j *jwt.Token) (any, error) { return t.verifyingKey(realm, j) },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer),
		jwt.WithAudience(realm), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(beforeAll))
	user, err1 := id.ParseUUID(c.Subject)
	session, err2 := id.ParseUUID(c.Session)
	var expired error
	switch err := errors.Join(err, err1, err2); {
	case err != nil || c.Kind != kind:
		return identity.Caller{}, ErrToken
	case kind == AccessToken && !t.now().Before(c.ExpiresAt.Time):
		expired = ErrTokenExpired
	}
	return identity.Caller{
		Realm: realm, User: identity.UserID{ID: user}, Session: identity.SessionID{ID: session}, Role: c.Role,
	}, expired
}

// beforeAll is a time at which no token has expired.
func beforeAll() time.Time { return time.Unix(0, 0) }

func (t *Tokens) verifyingKey(realm string, j *jwt.Token) (any, error) {
	keys, err := t.keysOf(realm)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if j.Header["kid"] == k.id {
			return k.key, nil
		}
	}
	return nil, ErrToken
}

func (t *Tokens) keysOf(realm string) ([]signingKey, error) {
	if keys, ok := t.keys.Load(realm); ok {
		return keys.([]signingKey), nil
	}
	var keys []signingKey
	for _, secret := range t.secrets {
		key, err := hkdf.Key(sha256.New, []byte(secret), nil, "gesta/tokens/"+realm, sha256.Size)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(key)
		keys = append(keys, signingKey{id: hex.EncodeToString(sum[:8]), key: key})
	}
	t.keys.Store(realm, keys)
	return keys, nil
}
