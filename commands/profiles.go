package commands

import (
	"context"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// ProfileCreation asks for a profile of the caller's.
type ProfileCreation struct {
	By      identity.Caller
	Profile identity.ProfileID // zero for a new id; an id that is taken is refused with ErrExists
	Details identity.ProfileDetails
	Public  bool
}

// CreateProfile refuses a second profile with identity.ErrProfileExists.
func (i *Identity) CreateProfile(ctx context.Context, c ProfileCreation) (p identity.Profile, err error) {
	profile := c.Profile
	if profile.IsZero() {
		profile.ID = id.New(i.Executor.Now())
	}
	err = i.Executor.Do(ctx, func(w *Work) (err error) {
		p, err = Begin(w, identity.CreateProfile{
			Profile: profile, User: c.By.User, Realm: c.By.Realm, Details: c.Details, Public: c.Public, At: w.At(),
		})
		return err
	})
	return p, err
}

// ProfileCreated answers the profile that a request has made, as it was then.
func (i *Identity) ProfileCreated(ctx context.Context, _ ProfileCreation, made Made) (identity.Profile, error) {
	return StateAt[identity.Profile](ctx, i.Executor, made.Of("identity.profile"))
}

// OwnProfile is a profile of the caller's: the one that he has where none is named.
type OwnProfile struct {
	By      identity.Caller
	Profile identity.ProfileID
}

// ProfileChange asks for changes to the caller's profile; what is nil stays as it is, what is empty is taken back.
type ProfileChange struct {
	OwnProfile
	Details identity.ProfileDetails
	Public  *bool
}

// ChangeProfile refuses, as it does without any, another's profile with identity.ErrProfileNotFound.
func (i *Identity) ChangeProfile(ctx context.Context, c ProfileChange) (p identity.Profile, err error) {
	err = i.Executor.Do(ctx, func(w *Work) error {
		was, err := i.profileIn(w, c.OwnProfile)
		if err != nil {
			return err
		}
		p, err = Decide(w, identity.ChangeProfile{Profile: was.ID, Details: c.Details, Public: c.Public, At: w.At()})
		return err
	})
	return p, err
}

// DeleteProfile makes room for another one.
func (i *Identity) DeleteProfile(ctx context.Context, o OwnProfile) error {
	return i.Executor.Do(ctx, func(w *Work) error {
		p, err := i.profileIn(w, o)
		if err == nil {
			_, err = Decide(w, identity.DeleteProfile{Profile: p.ID})
		}
		return err
	})
}

// ProfileOf names the caller's profile.
func (i *Identity) ProfileOf(ctx context.Context, by identity.Caller) (id.ID, error) {
	s, held, err := i.Executor.Holder(ctx, identity.ProfileClaim(by.Realm, by.User))
	if err == nil && !held {
		err = identity.ErrProfileNotFound
	}
	return s.ID, err
}

// profileIn hides the profiles of others.
func (i *Identity) profileIn(w *Work, o OwnProfile) (p identity.Profile, err error) {
	if o.Profile.IsZero() {
		if o.Profile.ID, err = i.ProfileOf(w.ctx, o.By); err != nil {
			return p, err
		}
	}
	p, err = Look[identity.Profile](w, identity.ProfileStream(o.Profile))
	if err == nil && (p.ID.IsZero() || p.User != o.By.User || p.Realm != o.By.Realm) {
		err = identity.ErrProfileNotFound
	}
	return p, err
}

// clear deletes all that a user has said of himself.
func (i *Identity) clear(w *Work, u identity.User) error {
	profile, held, err := w.x.Holder(w.ctx, identity.ProfileClaim(u.Realm, u.ID))
	if err != nil {
		return err
	}
	contacts, err := w.holders(identity.ContactScope(u.ID))
	if err != nil {
		return err
	}
	all := contacts
	if held {
		all = append([]domain.Stream{profile}, contacts...)
	}
	if err := w.Hold(all...); err != nil {
		return err
	}
	if held {
		if _, err := Decide(w, identity.DeleteProfile{Profile: identity.ProfileID{ID: profile.ID}}); err != nil {
			return err
		}
	}
	for _, s := range contacts {
		if _, err := Decide(w, identity.DeleteContact{Contact: identity.ContactID{ID: s.ID}}); err != nil {
			return err
		}
	}
	return nil
}
