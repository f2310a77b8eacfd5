package commands

import (
	"cmp"
	"context"
	"slices"

	"gesta/commands/gateway"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
)

// Identity is what can be asked of the identity context.
type Identity struct {
	Executor  *Executor
	Passwords *Passwords
	Tokens    *Tokens
	Realms    map[string]identity.Realm // whose rules policies and permissions go by
	Mail      gateway.Mail              // nil where nothing can be sent
}

// Registration asks for a new user.
type Registration struct {
	User     identity.UserID // zero for a new id; an id that is taken is refused with ErrExists
	Realm    identity.Realm
	By       identity.Caller // nobody, for a public one
	Role     identity.Role
	Name     string
	Email    value.Email
	Phone    value.Phone
	Password string

	PasswordHash string // of a password that was hashed before, in the place of one
}

// Register makes a user and answers him. It refuses a taken address with identity.ErrEmailTaken, and a
// role that the caller may not give with identity.ErrForbidden.
func (i *Identity) Register(ctx context.Context, r Registration) (u identity.User, err error) {
	err = i.register(ctx, r, func(_ *Work, made identity.User) error {
		u = made
		return nil
	})
	return u, err
}

// SignUp registers a user who is signed in at once.
func (i *Identity) SignUp(ctx context.Context, r Registration) (g Grant, err error) {
	err = i.register(ctx, r, func(w *Work, made identity.User) (err error) {
		g, err = i.beginSession(w, identity.SignIn{User: made.ID, Session: identity.SessionID{ID: id.New(i.Executor.Now())}})
		return err
	})
	return g, err
}

// SignedUp answers the user that a registration has made, and no tokens: they are said once.
func (i *Identity) SignedUp(ctx context.Context, r Registration, made Made) (g Grant, err error) {
	g.User, err = i.Registered(ctx, r, made)
	return g, err
}

// register lets then have its say in the same commit.
func (i *Identity) register(ctx context.Context, r Registration, then func(*Work, identity.User) error) error {
	user := r.User
	if user.IsZero() {
		user.ID = id.New(i.Executor.Now())
	}
	ctx = remembering(ctx)
	if err := i.mayRegister(ctx, r); err != nil {
		return err
	}
	hash, err := i.hashOf(ctx, r)
	if err != nil {
		return err
	}
	ctx = domain.ActingAs(ctx, identity.Actor(user), r.Realm.Name)
	return i.Executor.Do(ctx, func(w *Work) error {
		made, err := register(w, r, user, hash)
		if err == nil {
			err = i.unlock(w, r.Realm, made, i.signIns(made.Realm, made.Email))
		}
		if err != nil {
			return err
		}
		return then(w, made)
	})
}

func (i *Identity) hashOf(ctx context.Context, r Registration) (string, error) {
	if r.PasswordHash != "" {
		return r.PasswordHash, nil
	}
	return i.Passwords.Hash(ctx, r.Password)
}

// Registered answers the user that a registration has made, as he was then: whoever knows what was asked for may hear
// of nothing else.
func (i *Identity) Registered(ctx context.Context, _ Registration, made Made) (identity.User, error) {
	return StateAt[identity.User](ctx, i.Executor, made.Of("identity.user"))
}

// mayRegister refuses early what the append would refuse in the end, before a hash is paid for.
func (i *Identity) mayRegister(ctx context.Context, r Registration) error {
	first, err := r.Realm.MayRegister(r.Role, r.By)
	if err != nil {
		return err
	}
	if first {
		roster, err := State[identity.Roster](ctx, i.Executor, identity.RosterStream(r.Realm.Name))
		if err != nil {
			return err
		}
		if !roster.IsEmpty() {
			return identity.ErrForbidden
		}
	}
	_, taken, err := i.Executor.Holder(ctx, identity.EmailClaim(r.Realm.Name, r.Email))
	if taken {
		return identity.ErrEmailTaken
	}
	return err
}

func register(w *Work, r Registration, user identity.UserID, hash string) (u identity.User, err error) {
	if r.Role == r.Realm.Administrator {
		first, err := r.Realm.MayRegister(r.Role, r.By)
		if err != nil {
			return u, err
		}
		if _, err := Decide(w, identity.JoinRoster{Realm: r.Realm.Name, User: user, OnlyAsFirst: first}); err != nil {
			return u, err
		}
	}
	return Begin(w, identity.RegisterUser{
		User: user, Realm: r.Realm.Name, Role: r.Role, Name: r.Name, Email: r.Email, Phone: r.Phone, PasswordHash: hash,
	})
}

// Change asks for changes to a user; what is nil stays as it is.
type Change struct {
	Realm    identity.Realm
	By       identity.Caller
	User     identity.UserID
	Name     *string
	Email    *value.Email
	Phone    *value.Phone
	Password *PasswordChange
	Active   *bool
}

// PasswordChange brings the current password as proof.
type PasswordChange struct{ Current, New string }

// ErrWrongPassword refuses a change of password without the current one.
var ErrWrongPassword = &domain.Fault{
	Kind: domain.Invalid, Code: "wrong_password", Text: "current password is wrong", Guess: true,
}

// Change applies all of the changes or none, and answers the user as he is then. Only an administrator may
// put somebody else out or let him in again; a new password ends the user's other sessions.
func (i *Identity) Change(ctx context.Context, c Change) (u identity.User, err error) {
	if c.Active != nil && !c.Realm.MaySwitch(c.By, c.User) {
		return u, identity.ErrForbidden
	}
	ctx = remembering(ctx)
	if c.endsSessions() {
		if err := i.surveyUser(ctx, c.Realm, c.User); err != nil {
			return u, err
		}
	}
	hashes, err := i.hashes(ctx, c)
	if err != nil {
		return u, err
	}
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		if err = c.decide(w, hashes); err == nil {
			u, err = Look[identity.User](w, identity.UserStream(c.User))
		}
		if err == nil && c.Password != nil {
			err = i.forgive(w, c.Realm, u, i.guesses(u))
		}
		return err
	})
	return u, err
}

// guesses names the attempts to show a user's current password where he is signed in. They are counted apart from those
// at sign-ins: nobody else can use them up, nor does another address begin them anew.
func (i *Identity) guesses(u identity.User) identity.SignInID {
	return identity.SignInID{ID: i.Executor.Claims.ID(identity.SignInClaim(u.Realm, "user "+u.ID.String()))}
}

func (c Change) endsSessions() bool { return c.Password != nil || c.Active != nil && !*c.Active }

// surveyUser asks at once for all that it takes to end a user's sessions, but for the sessions themselves.
func (i *Identity) surveyUser(ctx context.Context, realm identity.Realm, user identity.UserID) error {
	return i.Executor.survey(ctx, identity.SessionScope(user), identity.UserStream(user), identity.RosterStream(realm.Name))
}

// hashes are a changed password's, worked out before the decision: the one it was proven against, and
// the new one.
type hashes struct{ proven, next string }

func (i *Identity) hashes(ctx context.Context, c Change) (h hashes, err error) {
	if c.Password == nil {
		return h, nil
	}
	u, err := i.Get(ctx, c.Realm.Name, c.User)
	if err != nil {
		return h, err
	}
	if err := i.tryable(ctx, c.Realm, i.guesses(u)); err != nil {
		return h, err
	}
	ok, err := i.Passwords.Match(ctx, u.PasswordHash, c.Password.Current)
	if err != nil {
		return h, err
	}
	if !ok {
		return h, i.wrongPassword(ctx, c.Realm, u)
	}
	next, err := i.Passwords.Hash(ctx, c.Password.New)
	return hashes{proven: u.PasswordHash, next: next}, err
}

// wrongPassword counts, where too many lock.
func (i *Identity) wrongPassword(ctx context.Context, realm identity.Realm, u identity.User) error {
	if realm.Lockout.IsOff() {
		return ErrWrongPassword
	}
	return cmp.Or(i.failSignIn(ctx, realm, i.guesses(u), u.ID), error(ErrWrongPassword))
}

func (c Change) decide(w *Work, h hashes) error {
	u, err := userIn(w, c.Realm, c.User)
	if err != nil {
		return err
	}
	if c.Name != nil {
		if _, err := Decide(w, identity.ChangeName{User: c.User, Name: *c.Name}); err != nil {
			return err
		}
	}
	if c.Email != nil {
		if _, err := Decide(w, identity.ChangeEmail{User: c.User, Email: *c.Email}); err != nil {
			return err
		}
	}
	if c.Phone != nil {
		if _, err := Decide(w, identity.ChangePhone{User: c.User, Phone: *c.Phone}); err != nil {
			return err
		}
	}
	if c.Password != nil {
		if err := changePassword(w, u, c.By.Session, h); err != nil {
			return err
		}
	}
	if c.Active != nil && *c.Active {
		return reactivate(w, c.Realm, u)
	}
	if c.Active != nil {
		return putOut(w, c.Realm, u, identity.Inactive)
	}
	return nil
}

func changePassword(w *Work, u identity.User, keep identity.SessionID, h hashes) error {
	if u.PasswordHash != h.proven {
		return ErrWrongPassword
	}
	if _, err := Decide(w, identity.ChangePassword{User: u.ID, Hash: h.next}); err != nil {
		return err
	}
	return endSessions(w, u.ID, keep, identity.PasswordChanged)
}

// Deactivation asks to put a user out.
type Deactivation struct {
	Realm identity.Realm
	User  identity.UserID
}

// Deactivate puts a user out and ends all his sessions in the same commit. His address stays taken.
// The last active administrator can't go.
func (i *Identity) Deactivate(ctx context.Context, d Deactivation) error {
	ctx = remembering(ctx)
	if err := i.surveyUser(ctx, d.Realm, d.User); err != nil {
		return err
	}
	return i.Executor.Do(ctx, func(w *Work) error {
		u, err := userIn(w, d.Realm, d.User)
		if err != nil {
			return err
		}
		return putOut(w, d.Realm, u, identity.Inactive)
	})
}

// DeactivateByEmail is Deactivate of whoever has an address. It refuses with identity.ErrUserNotFound where nobody has.
func (i *Identity) DeactivateByEmail(ctx context.Context, realm identity.Realm, e value.Email) error {
	u, err := i.find(ctx, realm.Name, e)
	if err != nil {
		return err
	}
	if u.ID.IsZero() {
		return identity.ErrUserNotFound
	}
	return i.Deactivate(ctx, Deactivation{Realm: realm, User: u.ID})
}

// userAt answers a user as a request has left him; as he is where it had nothing to decide.
func (i *Identity) userAt(ctx context.Context, user identity.UserID, made Made) (identity.User, error) {
	if at := made.Of("identity.user"); at != (Revision{}) {
		return StateAt[identity.User](ctx, i.Executor, at)
	}
	return State[identity.User](ctx, i.Executor, identity.UserStream(user))
}

// Leave puts somebody out who is going to be forgotten, with all sessions, and deletes his profile and his contacts.
// The last active administrator can't go.
func (i *Identity) Leave(w *Work, subject id.ID) (realm string, err error) {
	u, err := Look[identity.User](w, identity.UserStream(identity.UserID{ID: subject}))
	if err == nil && !u.ID.IsZero() {
		err = i.clear(w, u)
	}
	if err != nil || u.Status != identity.Active {
		return u.Realm, err
	}
	return u.Realm, putOut(w, i.Realms[u.Realm], u, identity.Inactive)
}

// Follow leads from a user to the sessions.
func (i *Identity) Follow(e domain.Event) []domain.Stream {
	if e, is := e.(identity.UserSignedIn); is {
		return []domain.Stream{identity.SessionStream(e.SessionID)}
	}
	return nil
}

// userIn hides the users of other realms.
func userIn(w *Work, realm identity.Realm, user identity.UserID) (identity.User, error) {
	u, err := Look[identity.User](w, identity.UserStream(user))
	if err == nil && u.Realm != realm.Name {
		err = identity.ErrUserNotFound
	}
	return u, err
}

// endSessions ends every live session of a user but one. None can slip in between: a sign-in is a fact
// of the user's stream as well, so one of the two commits finds that the stream has moved.
func endSessions(w *Work, user identity.UserID, keep identity.SessionID, why identity.EndReason) error {
	live, err := w.holders(identity.SessionScope(user))
	if err != nil {
		return err
	}
	return endAll(w, slices.DeleteFunc(live, func(s domain.Stream) bool { return s.ID == keep.ID }), why)
}

func endAll(w *Work, sessions []domain.Stream, why identity.EndReason) error {
	if len(sessions) == 0 {
		return nil
	}
	if err := w.Hold(sessions...); err != nil {
		return err
	}
	if err := w.x.survey(w.ctx, "", sessions...); err != nil {
		return err
	}
	for _, s := range sessions {
		if _, err := Decide(w, identity.EndSession{Session: identity.SessionID{ID: s.ID}, Reason: why}); err != nil {
			return err
		}
	}
	return nil
}

// nobody is a stream that nothing ever happens on.
var nobody = identity.UserStream(identity.UserID{ID: id.Named("nobody")})

// find answers the user registered with an address; the zero User if there is none. It asks the store
// as often either way, so that the time it takes does not tell, and at once for what the sign-in will need.
func (i *Identity) find(ctx context.Context, realm string, e value.Email) (u identity.User, err error) {
	s, held, err := i.Executor.Holder(ctx, identity.EmailClaim(realm, e))
	if err != nil {
		return u, err
	}
	if !held {
		s = nobody
	}
	sessions, failures := identity.SessionScope(identity.UserID{ID: s.ID}), identity.SignInStream(i.signIns(realm, e))
	if err := i.Executor.survey(ctx, sessions, s, failures); err != nil {
		return u, err
	}
	return State[identity.User](ctx, i.Executor, s)
}

// signIns names the attempts to sign in with an address.
func (i *Identity) signIns(realm string, e value.Email) identity.SignInID {
	return identity.SignInID{ID: i.Executor.Claims.ID(identity.SignInClaim(realm, string(e)))}
}

// suspectSignIn follows a failure that may have been one too many.
func (i *Identity) suspectSignIn(ctx context.Context, r eventstore.Recorded, e identity.SignInFailed) error {
	_, err := Execute(ctx, i.Executor, identity.SuspectSignIn{
		SignIn: identity.SignInID{ID: r.Stream.ID}, Failed: e, At: r.OccurredAt, Rule: i.Realms[e.Realm].FailedSignIns,
	})
	return err
}

// endSuspicion follows a suspicion whose time has come.
func (i *Identity) endSuspicion(ctx context.Context, r eventstore.Recorded, e identity.SignInSuspected) error {
	_, err := Execute(ctx, i.Executor, identity.EndSuspicion{
		SignIn: identity.SignInID{ID: r.Stream.ID}, Realm: e.Realm, Until: e.Until,
	})
	return err
}

// Get answers a user of a realm from the write side.
func (i *Identity) Get(ctx context.Context, realm string, user identity.UserID) (identity.User, error) {
	u, err := State[identity.User](ctx, i.Executor, identity.UserStream(user))
	if err == nil && u.Realm != realm {
		err = identity.ErrUserNotFound
	}
	return u, err
}
