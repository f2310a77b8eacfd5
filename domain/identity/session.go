package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"gesta/domain"
)

// Refusals of refresh tokens, for which every surface may say the same.
var (
	// ErrSessionEnded refuses one that is not good for anything.
	ErrSessionEnded = &domain.Fault{Kind: domain.Unauthenticated, Code: "invalid_refresh_token", Text: noRefresh}
	// ErrRefreshExpired refuses one whose time is over.
	ErrRefreshExpired = &domain.Fault{Kind: domain.Unauthenticated, Code: "refresh_token_expired", Text: noRefresh}
	// ErrRefreshRevoked refuses one that was spent, or whose session was ended.
	ErrRefreshRevoked = &domain.Fault{Kind: domain.Unauthenticated, Code: "refresh_token_revoked", Text: noRefresh}
)

const noRefresh = "invalid or expired refresh token"

// EndReason says why a session is over.
type EndReason string

// The reasons there are.
const (
	SignedOut       EndReason = "signed_out"
	TokenReused     EndReason = "refresh_token_reused"
	TokenExpired    EndReason = "refresh_token_expired"
	PasswordChanged EndReason = "password_changed"
	Deactivated     EndReason = "user_deactivated"
	Suspended       EndReason = "user_suspended"
	Banned          EndReason = "user_banned"
	Superseded      EndReason = "superseded" // by newer ones
)

// Facts. A refresh token is kept only as its hash, and even that only in the store.
type (
	// SessionOpened says that a session has its first pair of tokens.
	SessionOpened struct {
		SessionID   SessionID `json:"session_id" privacy:"public"`
		UserID      UserID    `json:"user_id" privacy:"public"`
		Realm       string    `json:"realm" privacy:"public"`
		ExpiresAt   time.Time `json:"expires_at" privacy:"public"`
		RefreshHash TokenHash `json:"refresh_hash" privacy:"secret"`
	}
	// SessionRefreshed says that a session has a new pair of tokens, and the old refresh token is spent.
	SessionRefreshed struct {
		SessionID   SessionID `json:"session_id" privacy:"public"`
		ExpiresAt   time.Time `json:"expires_at" privacy:"public"`
		RefreshHash TokenHash `json:"refresh_hash" privacy:"secret"`
	}
	// RefreshTokenReused says that a spent token was presented: two have it.
	RefreshTokenReused struct {
		SessionID SessionID `json:"session_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
	}
	// SessionEnded says that none of the session's tokens is good any more, and why.
	SessionEnded struct {
		SessionID SessionID `json:"session_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		Reason    EndReason `json:"reason" privacy:"public"` // as in signed_out or password_changed; there may be more
	}
)

func (SessionOpened) EventType() string      { return "identity.session.opened" }
func (SessionRefreshed) EventType() string   { return "identity.session.refreshed" }
func (RefreshTokenReused) EventType() string { return "identity.session.refresh_token_reused" }
func (SessionEnded) EventType() string       { return "identity.session.ended" }

var sessionTypes = []domain.Type{
	domain.TypeOf[SessionOpened](),
	domain.TypeOf[SessionRefreshed](),
	domain.TypeOf[RefreshTokenReused](),
	domain.TypeOf[SessionEnded](),
}

// TokenHash is the SHA-256 of a refresh token. The tokens are signed and random, so that no slow hash
// is needed.
type TokenHash []byte

// HashToken hashes a refresh token.
func HashToken(token string) TokenHash {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Session is what a sign-in begins: a family of refresh tokens of which only the newest is good.
type Session struct {
	ID          SessionID
	User        UserID
	Realm       string
	RefreshHash TokenHash
	ExpiresAt   time.Time
	Ended       EndReason // "" while it lives
}

// SessionStream is where a session's facts are.
func SessionStream(s SessionID) domain.Stream {
	return domain.Stream{Kind: "identity.session", ID: s.ID}
}

// SessionScope is the scope of the claims that a user's live sessions hold: who holds one in it is
// signed in.
func SessionScope(u UserID) string { return "session/" + u.String() }

// SessionClaim is held by a session as long as it lives.
func SessionClaim(u UserID, s SessionID) domain.Claim {
	return domain.Claim{Scope: SessionScope(u), Name: s.String()}
}

// Lives tells whether the session's newest tokens are good for anything.
func (s Session) Lives() bool { return !s.ID.IsZero() && s.Ended == "" }

// Refusal says why a session that has ended has; nil while it lives.
func (s Session) Refusal() error {
	switch {
	case s.ID.IsZero():
		return ErrSessionEnded
	case s.Ended == "":
		return nil
	case s.Ended == TokenExpired:
		return ErrRefreshExpired
	}
	return ErrRefreshRevoked
}

// Claims are released when the session ends, in the same append, so that its access tokens end too.
func (s Session) Claims() []domain.Claim {
	if !s.Lives() {
		return nil
	}
	return []domain.Claim{SessionClaim(s.User, s.ID)}
}

// Refuse says that the session is another's, which can't be.
func (Session) Refuse(domain.Claim) error { return ErrSessionEnded }

// Evolve is what each fact means for the session.
func (s Session) Evolve(e domain.Event, _ time.Time) Session {
	switch e := e.(type) {
	case SessionOpened:
		return Session{
			ID: e.SessionID, User: e.UserID, Realm: e.Realm,
			RefreshHash: e.RefreshHash, ExpiresAt: e.ExpiresAt,
		}
	case SessionRefreshed:
		s.RefreshHash, s.ExpiresAt = e.RefreshHash, e.ExpiresAt
	case SessionEnded:
		s.Ended = e.Reason
	}
	return s
}

// Commands.
type (
	OpenSession struct {
		Session   SessionID
		User      UserID
		Realm     string
		Refresh   TokenHash
		ExpiresAt time.Time
	}
	// RefreshSession spends one refresh token for the next.
	RefreshSession struct {
		Session         SessionID
		Presented, Next TokenHash
		At, ExpiresAt   time.Time
	}
	EndSession struct {
		Session SessionID
		Reason  EndReason
	}
)

func (c OpenSession) Target() domain.Stream    { return SessionStream(c.Session) }
func (c RefreshSession) Target() domain.Stream { return SessionStream(c.Session) }
func (c EndSession) Target() domain.Stream     { return SessionStream(c.Session) }

// Decide opens a session once.
func (c OpenSession) Decide(s Session) ([]domain.Event, error) {
	if !s.ID.IsZero() {
		return nil, ErrSessionEnded
	}
	return []domain.Event{SessionOpened{
		SessionID: c.Session, UserID: c.User, Realm: c.Realm, ExpiresAt: c.ExpiresAt, RefreshHash: c.Refresh,
	}}, nil
}

// Decide renews a live session. A token that was spent before means that two have it, so that the
// whole family ends; an expired one ends it too. Both are facts, so they are no refusals here: whoever
// asked looks at the session.
func (c RefreshSession) Decide(s Session) ([]domain.Event, error) {
	switch {
	case !s.Lives():
		return nil, s.Refusal()
	case subtle.ConstantTimeCompare(s.RefreshHash, c.Presented) != 1:
		return []domain.Event{RefreshTokenReused{s.ID, s.User}, SessionEnded{s.ID, s.User, TokenReused}}, nil
	case !c.At.Before(s.ExpiresAt):
		return []domain.Event{SessionEnded{s.ID, s.User, TokenExpired}}, nil
	}
	return []domain.Event{SessionRefreshed{SessionID: s.ID, ExpiresAt: c.ExpiresAt, RefreshHash: c.Next}}, nil
}

// Decide ends a session that lives; it changes nothing about others.
func (c EndSession) Decide(s Session) ([]domain.Event, error) {
	if !s.Lives() {
		return nil, nil
	}
	return []domain.Event{SessionEnded{s.ID, s.User, c.Reason}}, nil
}
