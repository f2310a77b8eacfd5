package promenade

import (
	"context"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/reference"
	"gesta/domain/value"
	"gesta/http/web"
	"gesta/projections"
)

func (a api) contactRoutes() []web.Route {
	const contacts, contact = prefix + "/identity/contacts", "identity.contact"
	verifying := web.MayTake(a.contactVerification).Names(func(c commands.ContactVerification) string { return who(c.By.User, c.Code) })
	return []web.Route{
		web.Post(contacts, web.SignedIn, web.Make(web.Takes(contactCreation), a.Identity.CreateContact, a.Identity.ContactCreated, showMyContact)).
			Does("Create a contact of mine").Refuses(400, 401, 409).Of(contact),
		web.Get(contacts, web.SignedIn, web.Handle(web.Reads(contactsAsked).Asks(contactType), a.contacts, showContacts)).
			Does("List my contacts").Refuses(400, 401),
		web.Get(contacts+"/:id", web.SignedIn, web.Handle(web.Reads(ownContact), a.findContact, showContact)).
			Does("Find a contact of mine").Refuses(400, 401, 404).Of(contact),
		web.Put(contacts+"/:id", web.SignedIn, web.Handle(web.Takes(contactChanges), a.Identity.ChangeContact, showMyContact)).
			Does("Change a contact of mine").Refuses(400, 401, 404).Of(contact),
		web.Delete(contacts+"/:id", web.SignedIn, web.Tell(web.Reads(ownContact), a.Identity.DeleteContact, said{"Contact deleted successfully"})).
			Does("Delete a contact of mine").Answers(200).Refuses(400, 401, 404).Of(contact),
		a.proving(web.Post(contacts+"/:id/verify", web.SignedIn, web.Make(verifying, a.Identity.VerifyContact, a.Identity.ContactVerified, showMyContact)).
			Does("Take a contact of mine for verified").Answers(200).Refuses(400, 401, 403, 404, 409)).Of(contact),
		a.proving(web.Put(contacts+"/:id/verify", web.SignedIn, web.Handle(verifying, a.Identity.VerifyContact, showMyContact)).
			Does("Take a contact of mine for verified").Refuses(400, 401, 404, 409)).Of(contact),
		web.Put(contacts+"/:id/primary", web.SignedIn, web.Handle(web.Reads(ownContact), a.Identity.MakePrimary, showMyContact)).
			Does("Put a contact of mine before all others of its type").Refuses(400, 401, 404).Of(contact),
	}
}

// reach is by what somebody can be reached: one of the three, as the type says.
type reach struct {
	Email *string `json:"email" format:"email"`
	// With the country code, such as +441234567890; spaces, dashes, dots and parentheses do not count.
	Phone   *string  `json:"phone"`
	Address *address `json:"address"`
}

// address is a place that letters can be sent to; it is changed as a whole.
type address struct {
	// At most 255 characters.
	Street string `json:"street" required:"true"`
	// At most 50 characters.
	Apartment string `json:"apartment,omitempty"`
	// At most 100 characters.
	City string `json:"city" required:"true"`
	// At most 100 characters.
	State string `json:"state,omitempty"`
	// At most 20 characters.
	PostalCode string `json:"postal_code,omitempty"`
	// A code of ISO 3166-1, such as UA.
	Country string `json:"country" required:"true"`
}

func (in reach) read(f *web.Fields) identity.ContactDetails {
	return identity.ContactDetails{
		Email:   web.Optional(f, "email", in.Email, value.ParseEmail),
		Phone:   web.Optional(f, "phone", in.Phone, value.ParseE164),
		Address: in.Address.read(f),
	}
}

func (in *address) read(f *web.Fields) *identity.ContactAddress {
	if in == nil {
		return nil
	}
	return &identity.ContactAddress{
		Street:     web.Field(f, "address.street", in.Street, identity.ParseStreet),
		Apartment:  web.Field(f, "address.apartment", in.Apartment, identity.ParseApartment),
		City:       web.Field(f, "address.city", in.City, identity.ParseCity),
		State:      web.Field(f, "address.state", in.State, identity.ParseState),
		PostalCode: web.Field(f, "address.postal_code", in.PostalCode, identity.ParsePostalCode),
		Country:    web.Field(f, "address.country", in.Country, reference.ParseCountry),
	}
}

// newContact is one more way to reach somebody.
type newContact struct {
	Type string `json:"type" enum:"email,phone,address" required:"true"`
	// 1 to 50 characters.
	Label string `json:"label" required:"true"`
	reach
	// Whether it goes before all others of its type, and the one that did no longer.
	IsPrimary *bool `json:"is_primary" default:"false"`
	IsPublic  *bool `json:"is_public" default:"false"`
}

func contactCreation(r *web.Request, in newContact) (commands.ContactCreation, error) {
	var f web.Fields
	c := commands.ContactCreation{
		By: r.Caller, Type: web.Field(&f, "type", in.Type, identity.ParseContactType), Details: in.read(&f),
		Primary: value.Or(in.IsPrimary), Public: value.Or(in.IsPublic),
	}
	label := web.Field(&f, "label", in.Label, identity.ParseLabel)
	c.Details.Label = &label
	if c.Type != "" {
		for _, wrong := range c.Details.Misfits(c.Type) {
			f.Refuse(wrong.Name, wrong.Text)
		}
	}
	return c, f.Err()
}

// contactChange says what is to change; what is left out, or null, stays as it is.
type contactChange struct {
	// As it is: a contact keeps its type.
	Type *string `json:"type" enum:"email,phone,address"`
	// 1 to 50 characters.
	Label *string `json:"label"`
	reach
	IsPrimary *bool `json:"is_primary"`
	IsPublic  *bool `json:"is_public"`
}

func contactChanges(r *web.Request, in contactChange) (c commands.ContactChange, err error) {
	if c.OwnContact, err = ownContact(r); err != nil {
		return c, err
	}
	var f web.Fields
	c.Type = web.Optional(&f, "type", in.Type, identity.ParseContactType)
	c.Details = in.read(&f)
	c.Details.Label = web.Optional(&f, "label", in.Label, identity.ParseLabel)
	c.Primary, c.Public = in.IsPrimary, in.IsPublic
	return c, f.Err()
}

// ownContact reads an id that should be that of one of the caller's contacts.
func ownContact(r *web.Request) (commands.OwnContact, error) {
	i, err := web.ULID.ID(r, "id", identity.ErrContactNotFound)
	return commands.OwnContact{By: r.Caller, Contact: identity.ContactID{ID: i}}, err
}

func (a api) contactVerification(r *web.Request, in proof) (commands.ContactVerification, error) {
	own, err := ownContact(r)
	if err != nil {
		return commands.ContactVerification{}, err
	}
	code, err := a.code(in)
	return commands.ContactVerification{OwnContact: own, Realm: a.realm, Code: code}, err
}

func (a api) findContact(ctx context.Context, o commands.OwnContact) (projections.Contact, error) {
	return a.Contacts.Find(ctx, o.By.User, o.Contact)
}

// contactsQuestion asks for somebody's contacts, those of a type if one is named.
type contactsQuestion struct {
	user identity.UserID
	of   identity.ContactType
}

var contactType = web.Param{Name: "type", Text: "Only contacts of this type.", Enum: []string{"email", "phone", "address"}}

func contactsAsked(r *web.Request) (q contactsQuestion, err error) {
	q.user = r.Caller.User
	if text := r.Query(contactType.Name); text != "" {
		if q.of, err = identity.ParseContactType(text); err != nil {
			err = web.ErrQuery.In(web.Wrong(contactType.Name, err))
		}
	}
	return q, err
}

func (a api) contacts(ctx context.Context, q contactsQuestion) ([]projections.Contact, error) {
	return a.Contacts.Of(ctx, q.user, q.of)
}

// contact is a way to reach a user.
type contact struct {
	ID     string `json:"id" format:"ulid"`
	UserID string `json:"user_id" format:"ulid"`
	Type   string `json:"type" enum:"email,phone,address"`
	Label  string `json:"label"`
	Email  string `json:"email,omitempty"`
	// In the form of E.164.
	Phone   string   `json:"phone,omitempty"`
	Address *address `json:"address,omitempty"`
	// Whether it goes before all others of its type.
	IsPrimary  bool      `json:"is_primary"`
	IsVerified bool      `json:"is_verified"`
	IsPublic   bool      `json:"is_public"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// showMyContact shows what a command led to, as a GET would.
func showMyContact(c identity.Contact) contact { return showContact(projections.ContactOf(c)) }

func showContact(c projections.Contact) contact {
	d := c.Details
	return contact{
		ID: web.ULID.Write(c.ID), UserID: web.ULID.Write(c.User), Type: c.Type, Label: value.Or(d.Label),
		Email: string(value.Or(d.Email)), Phone: string(value.Or(d.Phone)), Address: showAddress(d.Address),
		IsPrimary: c.Primary, IsVerified: c.Verified, IsPublic: c.Public, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
}

func showAddress(a *identity.ContactAddress) *address {
	if a == nil {
		return nil
	}
	return &address{
		Street: a.Street, Apartment: a.Apartment, City: a.City, State: a.State, PostalCode: a.PostalCode, Country: string(a.Country),
	}
}

func showContacts(all []projections.Contact) []contact {
	shown := make([]contact, len(all))
	for i, one := range all {
		shown[i] = showContact(one)
	}
	return shown
}
