package commands

import (
	"context"
	"errors"

	"gesta/domain"
	"gesta/domain/identity"
)

// StatusChange asks to put somebody out, or to let him in again.
type StatusChange struct {
	Realm identity.Realm
	By    identity.Caller
	User  identity.UserID
	To    identity.Status
}

// SetStatus does so, and answers the user as he is then. Nobody may do it to himself, nor to
// who may do more than himself. The last active administrator can't go.
func (i *Identity) SetStatus(ctx context.Context, c StatusChange) (u identity.User, err error) {
	if c.By.User == c.User {
		return u, ErrOneself
	}
	ctx = remembering(ctx)
	if err := i.surveyUser(ctx, c.Realm, c.User); err != nil {
		return u, err
	}
	err = i.Executor.Do(ctx, func(w *Work) error {
		before, err := userIn(w, c.Realm, c.User)
		if err == nil {
			err = maySwitch(w, c, before)
		}
		if err != nil {
			return err
		}
		if c.To == identity.Active {
			err = reactivate(w, c.Realm, before)
		} else {
			err = putOut(w, c.Realm, before, c.To)
		}
		if err == nil {
			u, err = Look[identity.User](w, identity.UserStream(c.User))
		}
		return err
	})
	return u, err
}

// Refusals of changes of status.
var (
	ErrOneself   = &domain.Fault{Kind: domain.Forbidden, Code: "oneself", Text: "nobody puts himself out, or lets himself in again"}
	ErrOutranked = &domain.Fault{Kind: domain.Forbidden, Code: "outranked", Text: "this user may do more than you"}
)

// maySwitch compares what the two hold at the moment.
func maySwitch(w *Work, c StatusChange, u identity.User) error {
	if u.IsForgotten() {
		return domain.ErrForgotten
	}
	roles, err := rolesOf(w, u)
	if err != nil {
		return err
	}
	for _, d := range roles {
		if err := mayMove(w, c.Realm, c.By, d); errors.Is(err, ErrEscalation) {
			return ErrOutranked
		} else if err != nil {
			return err
		}
	}
	return nil
}

// StatusSet answers the user as a change of status has left him.
func (i *Identity) StatusSet(ctx context.Context, c StatusChange, made Made) (identity.User, error) {
	return i.userAt(ctx, c.User, made)
}

// outs are the ways to put somebody out, and why sessions end then.
var outs = map[identity.Status]struct {
	command func(identity.UserID) domain.Command[identity.User]
	why     identity.EndReason
}{
	identity.Inactive:    {func(u identity.UserID) domain.Command[identity.User] { return identity.DeactivateUser{User: u} }, identity.Deactivated},
	identity.IsSuspended: {func(u identity.UserID) domain.Command[identity.User] { return identity.SuspendUser{User: u} }, identity.Suspended},
	identity.IsBanned:    {func(u identity.UserID) domain.Command[identity.User] { return identity.BanUser{User: u} }, identity.Banned},
}

// putOut ends all sessions in the same commit, and keeps the realm's roster in step.
func putOut(w *Work, realm identity.Realm, u identity.User, to identity.Status) error {
	out := outs[to]
	if _, err := Decide(w, out.command(u.ID)); err != nil {
		return err
	}
	if u.Has(realm.AdministratorID()) {
		if _, err := Decide(w, identity.LeaveRoster{Realm: realm.Name, User: u.ID}); err != nil {
			return err
		}
	}
	return endSessions(w, u.ID, identity.SessionID{}, out.why)
}

// reactivate lets a user in again, and keeps the realm's roster in step.
func reactivate(w *Work, realm identity.Realm, u identity.User) error {
	_, err := Decide(w, identity.ReactivateUser{User: u.ID})
	if err != nil || !u.Has(realm.AdministratorID()) {
		return err
	}
	_, err = Decide(w, identity.JoinRoster{Realm: realm.Name, User: u.ID})
	return err
}

// Unlocking asks to let passwords be tried again.
type Unlocking struct {
	Realm identity.Realm
	User  identity.UserID
}

// Unlock does so for a user's address, and answers the user.
func (i *Identity) Unlock(ctx context.Context, c Unlocking) (u identity.User, err error) {
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		if u, err = userIn(w, c.Realm, c.User); err != nil {
			return err
		}
		if u.IsForgotten() {
			return domain.ErrForgotten
		}
		if err := i.unlock(w, c.Realm, u, i.signIns(u.Realm, u.Email)); err != nil {
			return err
		}
		return i.unlock(w, c.Realm, u, i.guesses(u))
	})
	return u, err
}

// unlock lets a user's password be tried again.
func (i *Identity) unlock(w *Work, realm identity.Realm, u identity.User, s identity.SignInID) error {
	if realm.Lockout.IsOff() {
		return nil
	}
	if _, err := Look[identity.SignIns](w, identity.SignInStream(s)); err != nil {
		return err // Only now is the time told.
	}
	_, err := Decide(w, identity.UnlockSignIn{SignIn: s, Realm: realm.Name, User: u.ID, At: w.At()})
	return err
}

// Unlocked answers the user as a request has left him.
func (i *Identity) Unlocked(ctx context.Context, c Unlocking, made Made) (identity.User, error) {
	return i.userAt(ctx, c.User, made)
}
