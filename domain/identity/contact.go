package identity

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/value"
)

// ContactID names contacts.
type ContactID = id.Contact

// Refusals.
var (
	ErrContactNotFound = &domain.Fault{Kind: domain.NotFound, Code: "contact_not_found", Text: "contact not found"}
	ErrContactExists   = &domain.Fault{Kind: domain.Conflict, Code: "contact_exists", Text: "contact already exists"}
	ErrPrimaryTaken    = &domain.Fault{Kind: domain.Conflict, Code: "primary_taken", Text: "another contact is the primary one"}
	ErrManyContacts    = &domain.Fault{Kind: domain.Conflict, Code: "many_contacts", Text: "there can't be more than 50 contacts"}
	ErrContactType     = &domain.Fault{Kind: domain.Invalid, Code: "contact_type", Text: "invalid request body"}
)

// MaxContacts are as many as one user has.
const MaxContacts = 50

// ContactType is by what somebody can be reached.
type ContactType string

// The types that there are.
const (
	EmailContact   ContactType = "email"
	PhoneContact   ContactType = "phone"
	AddressContact ContactType = "address"
)

// ParseContactType refuses other words.
func ParseContactType(s string) (ContactType, error) {
	if !slices.Contains([]ContactType{EmailContact, PhoneContact, AddressContact}, ContactType(s)) {
		return "", errors.New("must be one of email, phone, address")
	}
	return ContactType(s), nil
}

// What is said of a contact, and of a place.
var (
	ParseLabel      = value.Line(1, 50)
	ParseStreet     = value.Line(1, 255)
	ParseApartment  = value.Line(0, 50)
	ParseCity       = value.Line(1, 100)
	ParseState      = value.Line(0, 100)
	ParsePostalCode = value.Line(0, 20)
)

// ContactDetails are how somebody can be reached: by one of address, number and place, as the type says. What is nil is
// not said.
type ContactDetails struct {
	Label   *string         `json:"label,omitempty" privacy:"personal:user_id"`
	Email   *value.Email    `json:"email,omitempty" privacy:"personal:user_id"`
	Phone   *value.Phone    `json:"phone,omitempty" privacy:"personal:user_id"`
	Address *ContactAddress `json:"address,omitempty" privacy:"public"`
}

// ContactAddress is a place that letters can be sent to.
type ContactAddress struct {
	Street     string        `json:"street" privacy:"personal:user_id"`
	Apartment  string        `json:"apartment,omitempty" privacy:"personal:user_id"`
	City       string        `json:"city" privacy:"personal:user_id"`
	State      string        `json:"state,omitempty" privacy:"personal:user_id"`
	PostalCode string        `json:"postal_code,omitempty" privacy:"personal:user_id"`
	Country    value.Country `json:"country" privacy:"personal:user_id"`
}

// Facts.
type (
	// ContactCreated says that a user can be reached in one more way.
	ContactCreated struct {
		ContactID ContactID      `json:"contact_id" privacy:"public"`
		UserID    UserID         `json:"user_id" privacy:"public"`
		Type      ContactType    `json:"type" privacy:"public"` // email, phone or address
		Details   ContactDetails `json:"details" privacy:"public"`
	}
	// ContactChanged is how the user can be reached from now on; what it does not say is as it was.
	ContactChanged struct {
		ContactID ContactID      `json:"contact_id" privacy:"public"`
		UserID    UserID         `json:"user_id" privacy:"public"`
		Details   ContactDetails `json:"details" privacy:"public"` // those alone that are new
	}
	// ContactVerificationRequested says that a code is to be sent, and good for a while, to see whether the user can be
	// reached so.
	ContactVerificationRequested struct {
		ContactID ContactID `json:"contact_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		ExpiresAt time.Time `json:"expires_at" privacy:"public"`
		Code      Code      `json:"code" privacy:"secret:user_id"`
	}
	// ContactVerificationFailed says that a wrong code was given.
	ContactVerificationFailed struct {
		ContactID ContactID `json:"contact_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
		Number    int       `json:"number" privacy:"public"` // of the wrong ones since a code was requested, this one included
	}
	// ContactVerified says that the user can indeed be reached so.
	ContactVerified struct {
		ContactID ContactID `json:"contact_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
	}
	// ContactVerificationLapsed says that the contact is another one than was verified.
	ContactVerificationLapsed struct {
		ContactID ContactID `json:"contact_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
	}
	// ContactMadePrimary says that the contact goes before all others of its type.
	ContactMadePrimary struct {
		ContactID ContactID   `json:"contact_id" privacy:"public"`
		UserID    UserID      `json:"user_id" privacy:"public"`
		Type      ContactType `json:"type" privacy:"public"`
	}
	// ContactPrimaryWithdrawn says that the contact goes before no other any more.
	ContactPrimaryWithdrawn struct {
		ContactID ContactID   `json:"contact_id" privacy:"public"`
		UserID    UserID      `json:"user_id" privacy:"public"`
		Type      ContactType `json:"type" privacy:"public"`
	}
	// ContactMadePublic says that the user lets others know the contact.
	ContactMadePublic struct {
		ContactID ContactID `json:"contact_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
	}
	// ContactMadePrivate says that the user keeps the contact to himself.
	ContactMadePrivate struct {
		ContactID ContactID `json:"contact_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
	}
	// ContactDeleted says that the user can't be reached so any more.
	ContactDeleted struct {
		ContactID ContactID `json:"contact_id" privacy:"public"`
		UserID    UserID    `json:"user_id" privacy:"public"`
	}
)

func (ContactCreated) EventType() string { return "identity.contact.created" }
func (ContactChanged) EventType() string { return "identity.contact.changed" }
func (ContactVerificationRequested) EventType() string {
	return "identity.contact.verification_requested"
}

func (ContactVerificationFailed) EventType() string { return "identity.contact.verification_failed" }
func (ContactVerified) EventType() string           { return "identity.contact.verified" }
func (ContactVerificationLapsed) EventType() string { return "identity.contact.verification_lapsed" }
func (ContactMadePrimary) EventType() string        { return "identity.contact.made_primary" }
func (ContactPrimaryWithdrawn) EventType() string   { return "identity.contact.primary_withdrawn" }
func (ContactMadePublic) EventType() string         { return "identity.contact.made_public" }
func (ContactMadePrivate) EventType() string        { return "identity.contact.made_private" }
func (ContactDeleted) EventType() string            { return "identity.contact.deleted" }

var contactTypes = []domain.Type{
	domain.TypeOf[ContactCreated](),
	domain.TypeOf[ContactChanged](),
	domain.TypeOf[ContactVerificationRequested](),
	domain.TypeOf[ContactVerificationFailed](),
	domain.TypeOf[ContactVerified](),
	domain.TypeOf[ContactVerificationLapsed](),
	domain.TypeOf[ContactMadePrimary](),
	domain.TypeOf[ContactPrimaryWithdrawn](),
	domain.TypeOf[ContactMadePublic](),
	domain.TypeOf[ContactMadePrivate](),
	domain.TypeOf[ContactDeleted](),
}

// Contact is one way in which a user can be reached. The zero Contact is none: so is one that was deleted.
type Contact struct {
	ID                        ContactID
	User                      UserID
	Type                      ContactType
	Details                   ContactDetails
	Primary, Verified, Public bool
	Proof                     Proof // that is under way
	CreatedAt, UpdatedAt      time.Time
}

// ContactStream is where a contact's facts are.
func ContactStream(c ContactID) domain.Stream {
	return domain.Stream{Kind: "identity.contact", ID: c.ID}
}

// ContactScope is the scope of the claims that a user's contacts hold.
func ContactScope(u UserID) string { return "contact/" + u.String() }

// PrimaryContactClaim is held by the primary contact that a user has of a type.
func PrimaryContactClaim(u UserID, t ContactType) domain.Claim {
	return domain.Claim{Scope: "primary_contact/" + u.String(), Name: string(t)}
}

// Claims are released when the contact is deleted.
func (c Contact) Claims() (all []domain.Claim) {
	if c.ID.IsZero() {
		return nil
	}
	all = append(all, domain.Claim{Scope: ContactScope(c.User), Name: c.ID.String()})
	if c.Primary {
		all = append(all, PrimaryContactClaim(c.User, c.Type))
	}
	return all
}

// Refuse says that another contact is the primary one.
func (Contact) Refuse(domain.Claim) error { return ErrPrimaryTaken }

// IsQuiet tells the facts that change nothing that is shown of a contact.
func (Contact) IsQuiet(e domain.Event) bool {
	switch e.(type) {
	case ContactVerificationRequested, ContactVerificationFailed:
		return true
	}
	return false
}

// Evolve is what each fact means for the contact.
func (c Contact) Evolve(e domain.Event, at time.Time) Contact {
	switch e := e.(type) {
	case ContactCreated:
		return Contact{ID: e.ContactID, User: e.UserID, Type: e.Type, Details: e.Details, CreatedAt: at, UpdatedAt: at}
	case ContactDeleted:
		return Contact{}
	case ContactVerificationRequested:
		c.Proof = asked(e.Code, e.ExpiresAt, at)
		return c
	case ContactVerificationFailed:
		c.Proof.Wrong = e.Number
		return c
	case ContactChanged:
		c.Details = c.Details.with(e.Details)
		if e.Details.reaches() {
			c.Proof = c.Proof.void()
		}
	case ContactVerified:
		c.Verified, c.Proof = true, c.Proof.void()
	case ContactVerificationLapsed:
		c.Verified = false
	case ContactMadePrimary:
		c.Primary = true
	case ContactPrimaryWithdrawn:
		c.Primary = false
	case ContactMadePublic:
		c.Public = true
	case ContactMadePrivate:
		c.Public = false
	}
	c.UpdatedAt = at
	return c
}

// with answers d with what c says in the place of what d says.
func (d ContactDetails) with(c ContactDetails) ContactDetails {
	return ContactDetails{
		Label: cmp.Or(c.Label, d.Label), Email: cmp.Or(c.Email, d.Email), Phone: cmp.Or(c.Phone, d.Phone),
		Address: cmp.Or(c.Address, d.Address),
	}
}

// news answers what c says that d does not.
func (d ContactDetails) news(c ContactDetails) ContactDetails {
	return ContactDetails{
		Label: news(d.Label, c.Label), Email: news(d.Email, c.Email), Phone: news(d.Phone, c.Phone),
		Address: news(d.Address, c.Address),
	}
}

// reaches tells whether details say anything but a label.
func (d ContactDetails) reaches() bool {
	d.Label = nil
	return d != (ContactDetails{})
}

// Misfits are the fields of another type, and the one of this type if it is not said.
func (d ContactDetails) Misfits(t ContactType) (all []domain.Field) {
	for _, one := range d.ways() {
		if one.of == t && !one.said {
			all = append(all, domain.Field{Name: string(t), Text: value.ErrRequired.Error()})
		}
	}
	return append(all, d.strange(t)...)
}

// strange are the fields of another type.
func (d ContactDetails) strange(t ContactType) (all []domain.Field) {
	for _, one := range d.ways() {
		if one.of != t && one.said {
			all = append(all, domain.Field{Name: string(one.of), Text: "is not for a contact of type " + string(t)})
		}
	}
	return all
}

// way is a field that contacts of a type have, and is called as the type is.
type way struct {
	of   ContactType
	said bool
}

func (d ContactDetails) ways() [3]way {
	return [...]way{{EmailContact, d.Email != nil}, {PhoneContact, d.Phone != nil}, {AddressContact, d.Address != nil}}
}

// Commands.
type (
	CreateContact struct {
		Contact         ContactID
		User            UserID
		Type            ContactType
		Details         ContactDetails
		Primary, Public bool
	}
	// ChangeContact changes what is given.
	ChangeContact struct {
		Contact         ContactID
		Type            *ContactType // that it is taken to be of
		Details         ContactDetails
		Primary, Public *bool
	}
	// VerifyContact takes the user's word for it.
	VerifyContact struct{ Contact ContactID }
	// RequestContactVerification wants a code to be sent.
	RequestContactVerification struct {
		Contact ContactID
		Code    Code
		At      time.Time
	}
	// ProveContact brings the code that was sent.
	ProveContact struct {
		Contact ContactID
		Code    Code
		At      time.Time
	}
	WithdrawPrimary struct{ Contact ContactID }
	DeleteContact   struct{ Contact ContactID }
)

func (c CreateContact) Target() domain.Stream { return ContactStream(c.Contact) }
func (c ChangeContact) Target() domain.Stream { return ContactStream(c.Contact) }
func (c VerifyContact) Target() domain.Stream { return ContactStream(c.Contact) }
func (c ProveContact) Target() domain.Stream  { return ContactStream(c.Contact) }
func (c RequestContactVerification) Target() domain.Stream {
	return ContactStream(c.Contact)
}
func (c WithdrawPrimary) Target() domain.Stream { return ContactStream(c.Contact) }
func (c DeleteContact) Target() domain.Stream   { return ContactStream(c.Contact) }

// Decide creates a contact once.
func (c CreateContact) Decide(was Contact) ([]domain.Event, error) {
	if !was.ID.IsZero() {
		return nil, ErrContactExists
	}
	if wrong := c.Details.Misfits(c.Type); len(wrong) > 0 {
		return nil, ErrContactType.In(wrong...)
	}
	events := []domain.Event{ContactCreated{c.Contact, c.User, c.Type, c.Details}}
	if c.Primary {
		events = append(events, ContactMadePrimary{c.Contact, c.User, c.Type})
	}
	if c.Public {
		events = append(events, ContactMadePublic{c.Contact, c.User})
	}
	return events, nil
}

// Decide changes what is other than before. What can be reached in another way is not verified any more.
func (c ChangeContact) Decide(is Contact) (events []domain.Event, err error) {
	if is.ID.IsZero() {
		return nil, ErrContactNotFound
	}
	wrong := c.Details.strange(is.Type)
	if c.Type != nil && *c.Type != is.Type {
		wrong = append(wrong, domain.Field{Name: "type", Text: "can't be changed"})
	}
	if len(wrong) > 0 {
		return nil, ErrContactType.In(wrong...)
	}
	if said := is.Details.news(c.Details); said != (ContactDetails{}) {
		events = append(events, ContactChanged{is.ID, is.User, said})
		if is.Verified && said.reaches() {
			events = append(events, ContactVerificationLapsed{is.ID, is.User})
		}
	}
	return append(append(events, is.turnPrimary(c.Primary)...), is.turnPublic(c.Public)...), nil
}

func (c Contact) turnPrimary(primary *bool) []domain.Event {
	switch {
	case primary == nil || *primary == c.Primary:
		return nil
	case *primary:
		return []domain.Event{ContactMadePrimary{c.ID, c.User, c.Type}}
	}
	return []domain.Event{ContactPrimaryWithdrawn{c.ID, c.User, c.Type}}
}

func (c Contact) turnPublic(public *bool) []domain.Event {
	switch {
	case public == nil || *public == c.Public:
		return nil
	case *public:
		return []domain.Event{ContactMadePublic{c.ID, c.User}}
	}
	return []domain.Event{ContactMadePrivate{c.ID, c.User}}
}

// Decide verifies a contact once.
func (c VerifyContact) Decide(is Contact) ([]domain.Event, error) {
	switch {
	case is.ID.IsZero():
		return nil, ErrContactNotFound
	case is.Verified:
		return nil, nil
	}
	return []domain.Event{ContactVerified{is.ID, is.User}}, nil
}

// Decide asks for a code, again only after a while. What was asked for before is not good any more.
func (c RequestContactVerification) Decide(is Contact) ([]domain.Event, error) {
	switch {
	case is.ID.IsZero():
		return nil, ErrContactNotFound
	case is.Verified:
		return nil, nil
	case is.Type != EmailContact:
		no := *ErrNoWayToIt
		no.Text = string(is.Type) + " contacts can't be verified here: there is no way to send a code"
		return nil, &no
	}
	if err := is.Proof.ask(c.At); err != nil {
		return nil, err
	}
	return []domain.Event{ContactVerificationRequested{is.ID, is.User, c.At.Add(CodeLife), c.Code}}, nil
}

// Decide verifies a contact by the right code. That it was a wrong one is a fact: the next try is one of fewer, however
// many are made at once.
func (c ProveContact) Decide(is Contact) ([]domain.Event, error) {
	switch {
	case is.ID.IsZero():
		return nil, ErrContactNotFound
	case is.Verified:
		return nil, nil
	}
	right, err := is.Proof.try(c.Code, c.At)
	if err != nil {
		return nil, err
	}
	if !right {
		return []domain.Event{ContactVerificationFailed{is.ID, is.User, is.Proof.Wrong + 1}}, nil
	}
	return []domain.Event{ContactVerified{is.ID, is.User}}, nil
}

// Decide puts a contact behind another one; one that is no primary contact, or none any more, is so already.
func (c WithdrawPrimary) Decide(is Contact) ([]domain.Event, error) {
	return is.turnPrimary(new(bool)), nil
}

// Decide deletes a contact that there is.
func (c DeleteContact) Decide(is Contact) ([]domain.Event, error) {
	if is.ID.IsZero() {
		return nil, ErrContactNotFound
	}
	return []domain.Event{ContactDeleted{is.ID, is.User}}, nil
}
