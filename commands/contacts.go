package commands

import (
	"context"
	"errors"
	"math/rand/v2"

	"gesta/domain/id"
	"gesta/domain/identity"
)

// ContactCreation asks for one more contact of the caller's.
type ContactCreation struct {
	By              identity.Caller
	Contact         identity.ContactID // zero for a new id; an id that is taken is refused with ErrExists
	Type            identity.ContactType
	Details         identity.ContactDetails
	Primary, Public bool
}

// CreateContact refuses more contacts than identity.MaxContacts with identity.ErrManyContacts; those who ask at the
// same time may come to a few more. A primary one takes the place of the one there is.
func (i *Identity) CreateContact(ctx context.Context, c ContactCreation) (made identity.Contact, err error) {
	contact := c.Contact
	if contact.IsZero() {
		contact.ID = id.New(i.Executor.Now())
	}
	err = i.takePrimary(ctx, func(w *Work) error {
		all, err := w.holders(identity.ContactScope(c.By.User))
		if err != nil {
			return err
		}
		if len(all) >= identity.MaxContacts {
			return identity.ErrManyContacts
		}
		if err := withdrawPrimary(w, c.Primary, c.By.User, c.Type, contact); err != nil {
			return err
		}
		made, err = Begin(w, identity.CreateContact{
			Contact: contact, User: c.By.User, Type: c.Type, Details: c.Details, Primary: c.Primary, Public: c.Public,
		})
		return err
	})
	return made, err
}

// ContactCreated answers the contact that a request has made, as it was then.
func (i *Identity) ContactCreated(ctx context.Context, _ ContactCreation, made Made) (identity.Contact, error) {
	return StateAt[identity.Contact](ctx, i.Executor, made.Last("identity.contact"))
}

// OwnContact is one of the caller's contacts.
type OwnContact struct {
	By      identity.Caller
	Contact identity.ContactID
}

// ContactChange asks for changes to a contact of the caller's; what is nil stays as it is.
type ContactChange struct {
	OwnContact
	Type            *identity.ContactType // that it is taken to be of
	Details         identity.ContactDetails
	Primary, Public *bool
}

// ChangeContact refuses another's contact, as one that there is not, with identity.ErrContactNotFound.
func (i *Identity) ChangeContact(ctx context.Context, c ContactChange) (is identity.Contact, err error) {
	err = i.takePrimary(ctx, func(w *Work) error {
		was, err := contactIn(w, c.OwnContact)
		if err != nil {
			return err
		}
		if err := withdrawPrimary(w, c.Primary != nil && *c.Primary, was.User, was.Type, was.ID); err != nil {
			return err
		}
		is, err = Decide(w, identity.ChangeContact{
			Contact: was.ID, Type: c.Type, Details: c.Details, Primary: c.Primary, Public: c.Public,
		})
		return err
	})
	return is, err
}

// MakePrimary puts a contact before all others of its type.
func (i *Identity) MakePrimary(ctx context.Context, o OwnContact) (identity.Contact, error) {
	primary := true
	return i.ChangeContact(ctx, ContactChange{OwnContact: o, Primary: &primary})
}

// DeleteContact deletes one of the caller's contacts; no other becomes the primary one.
func (i *Identity) DeleteContact(ctx context.Context, o OwnContact) error {
	return i.Executor.Do(ctx, func(w *Work) error {
		c, err := contactIn(w, o)
		if err == nil {
			_, err = Decide(w, identity.DeleteContact{Contact: c.ID})
		}
		return err
	})
}

// contactIn hides the contacts of others.
func contactIn(w *Work, o OwnContact) (identity.Contact, error) {
	c, err := Look[identity.Contact](w, identity.ContactStream(o.Contact))
	if err == nil && (c.ID.IsZero() || c.User != o.By.User) {
		err = identity.ErrContactNotFound
	}
	return c, err
}

// withdrawPrimary has a user's primary contact of a type give way to another one.
func withdrawPrimary(w *Work, asked bool, u identity.UserID, t identity.ContactType, to identity.ContactID) error {
	if !asked {
		return nil
	}
	s, held, err := w.x.Holder(w.ctx, identity.PrimaryContactClaim(u, t))
	if err == nil && held && s.ID != to.ID {
		_, err = Decide(w, identity.WithdrawPrimary{Contact: identity.ContactID{ID: s.ID}})
	}
	return err
}

// maxPasses is how often the place of the primary contact may pass to yet another one while a work asks for it.
const maxPasses = 50

// takePrimary does a work that may ask for the place of the primary contact. When another contact has taken the place
// since the work saw who had it, that one is to give way: the work begins anew.
func (i *Identity) takePrimary(ctx context.Context, f func(*Work) error) (err error) {
	for range maxPasses {
		if err = i.Executor.Do(ctx, f); !errors.Is(err, identity.ErrPrimaryTaken) {
			return err
		}
		rest(ctx, rand.N(maxPause))
	}
	return err
}
