package commands

import (
	"context"
	"errors"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
)

// ErrCredentials refuses a sign-in without telling what was wrong with it.
var ErrCredentials = &domain.Fault{
	Kind: domain.Unauthenticated, Code: "invalid_credentials", Text: "invalid credentials or inactive user", Guess: true,
}

// Credentials ask for a session.
type Credentials struct {
	Realm    identity.Realm
	Email    value.Email
	Password string
}

// Grant is what a session gives its client.
type Grant struct {
	Access, Refresh string
	ExpiresIn       time.Duration // of the access token
	ExpiresAt       time.Time     // the same, whole seconds
	User            identity.User

	refreshUntil time.Time
}

// SignIn opens a session for the right password. It decides on the write side, so that it is exact,
// and takes as long for an address that nobody has. An attempt that it refuses with ErrCredentials is a
// fact.
func (i *Identity) SignIn(ctx context.Context, c Credentials) (Grant, error) {
	ctx = remembering(ctx)
	known, err := i.find(ctx, c.Realm.Name, c.Email)
	if err != nil {
		return Grant{}, err
	}
	attempts := i.signIns(c.Realm.Name, c.Email)
	if err := i.tryable(ctx, c.Realm, attempts); err != nil {
		return Grant{}, err
	}
	g, err := i.signIn(ctx, known, c)
	if errors.Is(err, ErrCredentials) {
		if instead := i.failSignIn(ctx, c.Realm, attempts, known.ID); instead != nil {
			return Grant{}, instead
		}
	}
	return g, err
}

// tryable refuses to try a password at all where too many were wrong.
func (i *Identity) tryable(ctx context.Context, realm identity.Realm, attempts identity.SignInID) error {
	if realm.Lockout.IsOff() {
		return nil
	}
	s, err := State[identity.SignIns](ctx, i.Executor, identity.SignInStream(attempts))
	if err != nil {
		return err
	}
	return s.Try(i.Executor.Now())
}

func (i *Identity) signIn(ctx context.Context, known identity.User, c Credentials) (g Grant, err error) {
	ok, err := i.Passwords.Match(ctx, known.PasswordHash, c.Password)
	if err != nil {
		return g, err
	}
	if !ok {
		return g, ErrCredentials
	}
	if err := enter(known); err != nil {
		return g, err
	}
	var rehash string
	if i.Passwords.IsStale(known.PasswordHash) {
		if rehash, err = i.Passwords.Hash(ctx, c.Password); err != nil {
			return g, err
		}
	}
	return i.open(ctx, c.Realm, known, rehash)
}

// failSignIn asks the store as often for an address that nobody has, and leaves nothing in the answer:
// neither may tell whether the address is known. Where passwords are not tried any more by now it refuses as if this one
// had not been either: nobody hears which of many at once was the right one.
func (i *Identity) failSignIn(ctx context.Context, realm identity.Realm, s identity.SignInID, known identity.UserID) error {
	if realm.FailedSignIns.IsOff() && realm.Lockout.IsOff() {
		return nil
	}
	return i.Executor.Do(Aside(domain.ActingAs(ctx, "", realm.Name)), func(w *Work) error {
		is, err := Look[identity.SignIns](w, identity.SignInStream(s)) // Only now is it this attempt's turn, and the time to be told.
		if err == nil {
			err = is.Try(w.At())
		}
		if err != nil {
			return err
		}
		_, err = Decide(w, identity.FailSignIn{
			SignIn: s, Realm: realm.Name, User: known, At: w.At(), Rule: realm.FailedSignIns, Lockout: realm.Lockout,
		})
		return err
	})
}

// open records the sign-in and the session it opens.
func (i *Identity) open(ctx context.Context, realm identity.Realm, known identity.User, rehash string) (g Grant, err error) {
	c := identity.SignIn{User: known.ID, Session: identity.SessionID{ID: id.New(i.Executor.Now())}, Rehash: rehash}
	ctx = domain.ActingAs(ctx, identity.Actor(known.ID), known.Realm)
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		if err = i.forgive(w, realm, known, i.signIns(realm.Name, known.Email)); err == nil {
			g, err = i.openSession(w, c, known.PasswordHash)
		}
		return err
	})
	return g, err
}

// forgive lets wrong passwords count no more, unless there were too many meanwhile.
func (i *Identity) forgive(w *Work, realm identity.Realm, known identity.User, s identity.SignInID) error {
	if realm.Lockout.IsOff() {
		return nil
	}
	if _, err := Look[identity.SignIns](w, identity.SignInStream(s)); err != nil {
		return err // Only now is the time told.
	}
	_, err := Decide(w, identity.SucceedSignIn{SignIn: s, Realm: realm.Name, User: known.ID, At: w.At()})
	return err
}

// openSession refuses when the user has changed since the password was compared.
func (i *Identity) openSession(w *Work, c identity.SignIn, compared string) (g Grant, err error) {
	before, err := Look[identity.User](w, c.Target())
	if err != nil {
		return g, err
	}
	if before.PasswordHash != compared {
		return g, ErrCredentials
	}
	if err := enter(before); err != nil {
		return g, err
	}
	if err := endOldest(w, before.ID); err != nil {
		return g, err
	}
	return i.beginSession(w, c)
}

// enter says of who was put out and who knew the password only what the realm has a word for.
func enter(u identity.User) error {
	err := u.Enter()
	if errors.Is(err, identity.ErrInactive) {
		return ErrCredentials
	}
	return err
}

// beginSession records that a user has signed in.
func (i *Identity) beginSession(w *Work, c identity.SignIn) (g Grant, err error) {
	u, err := Decide(w, c)
	if err != nil {
		return g, err
	}
	if g, err = i.grant(u, c.Session, w.At()); err != nil {
		return g, err
	}
	_, err = Begin(w, identity.OpenSession{
		Session: c.Session, User: u.ID, Realm: u.Realm,
		Refresh: identity.HashToken(g.Refresh), ExpiresAt: g.refreshUntil,
	})
	return g, err
}

// maxSessions are as many as one user can have open; who opens more loses the oldest.
const maxSessions = 100

// endOldest makes room for one more session. A session that nobody ends or refreshes any more goes
// this way.
func endOldest(w *Work, u identity.UserID) error {
	live, err := w.holders(identity.SessionScope(u))
	if err != nil || len(live) < maxSessions {
		return err
	}
	return endAll(w, live[:len(live)-maxSessions+1], identity.Superseded)
}

// Refresh spends a refresh token for a new pair of tokens. Presenting a spent one ends the session.
func (i *Identity) Refresh(ctx context.Context, realm, token string) (g Grant, err error) {
	c, err := i.Tokens.Parse(RefreshToken, realm, token)
	if err != nil {
		return g, identity.ErrSessionEnded
	}
	var s identity.Session
	ctx = domain.ActingAs(ctx, identity.Actor(c.User), c.Realm)
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		g, s, err = i.refreshSession(w, c, token)
		return err
	})
	if err == nil {
		err = s.Refusal()
	}
	return g, err
}

func (i *Identity) refreshSession(w *Work, c identity.Caller, token string) (g Grant, s identity.Session, err error) {
	u, err := Look[identity.User](w, identity.UserStream(c.User))
	if err != nil {
		return g, s, err
	}
	if u.Realm != c.Realm { // The token is good, and the store has never heard of its user.
		return g, s, identity.ErrSessionEnded
	}
	if g, err = i.grant(u, c.Session, w.At()); err != nil {
		return g, s, err
	}
	s, err = Decide(w, identity.RefreshSession{
		Session: c.Session, Presented: identity.HashToken(token), Next: identity.HashToken(g.Refresh),
		At: w.At(), ExpiresAt: g.refreshUntil,
	})
	return g, s, err
}

func (i *Identity) grant(u identity.User, s identity.SessionID, at time.Time) (g Grant, err error) {
	caller := identity.Caller{Realm: u.Realm, User: u.ID, Session: s, Role: u.Role}
	g = Grant{User: u, ExpiresIn: i.Tokens.Lifetime(AccessToken, u.Realm)}
	if g.Access, g.ExpiresAt, err = i.Tokens.Sign(AccessToken, caller, at); err != nil {
		return g, err
	}
	g.Refresh, g.refreshUntil, err = i.Tokens.Sign(RefreshToken, caller, at)
	return g, err
}

// SignOut ends the caller's session.
func (i *Identity) SignOut(ctx context.Context, c identity.Caller) error {
	_, err := Execute(ctx, i.Executor, identity.EndSession{Session: c.Session, Reason: identity.SignedOut})
	return err
}

// Revocation asks to end the session that a token is of, by who is signed in.
type Revocation struct {
	By    identity.Caller
	Token string // of either kind
}

// ErrForeignToken refuses to revoke what is no token of the caller's.
var ErrForeignToken = &domain.Fault{Kind: domain.Invalid, Code: "foreign_token", Text: "this is no token of yours"}

// Revoke ends the session with all its tokens, also where the one that is brought has expired.
func (i *Identity) Revoke(ctx context.Context, r Revocation) error {
	c, err := i.Tokens.Parse(RefreshToken, r.By.Realm, r.Token)
	if err != nil {
		c, err = i.Tokens.Parse(AccessToken, r.By.Realm, r.Token)
	}
	if err != nil && !errors.Is(err, ErrTokenExpired) || c.User != r.By.User {
		return ErrForeignToken
	}
	return i.SignOut(ctx, c)
}

// Authenticate answers who an access token of the realm speaks for, if its session lives: one indexed
// read, which under Proving goes along with the first question. It refuses with ErrToken,
// ErrTokenExpired or ErrTokenRevoked.
func (i *Identity) Authenticate(ctx context.Context, realm, token string) (identity.Caller, error) {
	c, err := i.Tokens.Parse(AccessToken, realm, token)
	if err != nil {
		return identity.Caller{}, err
	}
	lives := i.Executor.Claims.Hash(identity.SessionClaim(c.User, c.Session))
	return c, unavailable(eventstore.Require(ctx, i.Executor.Store, lives, ErrTokenRevoked))
}

// Proving answers a context under which proof may stay unasked for until something is asked. Nothing is
// hashed or appended under it before, and nothing may be answered before Proven has been asked.
func Proving(ctx context.Context) context.Context { return eventstore.WithPrecondition(ctx) }

// Unproven answers a context under which something is asked whatever becomes of the proof.
func Unproven(ctx context.Context) context.Context { return eventstore.WithoutPrecondition(ctx) }

// Proven refuses where the proof that was brought is not good.
func Proven(ctx context.Context) error { return unavailable(eventstore.Met(ctx)) }
