// Package crm holds the rules of customers: from lead to prospect to customer, and away and back.
package crm

import (
	"fmt"
	"slices"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/value"
)

// Types lists every fact of this context, once.
var Types = customerTypes

// Aggregates are the kinds of streams that these events are on.
var Aggregates = []domain.Aggregate{domain.AggregateOf[Customer](customerKind)}

// The things that this context speaks of.
type (
	CustomerID = id.Customer
	CompanyID  = id.Company
	UserID     = id.User
)

// Refusals.
var (
	ErrCustomerNotFound = &domain.Fault{Kind: domain.NotFound, Code: "customer_not_found", Text: "customer not found"}
	ErrCustomerExists   = &domain.Fault{Kind: domain.Conflict, Code: "customer_exists", Text: "customer already exists"}
	ErrEmailTaken       = &domain.Fault{Kind: domain.Conflict, Code: "customer_email_taken", Text: "a customer with this e-mail address exists"}
	ErrEmailFixed       = &domain.Fault{Kind: domain.Invalid, Code: "customer_email_fixed", Text: "the e-mail address of a customer can't be changed"}
	ErrStatus           = &domain.Fault{Kind: domain.Conflict, Code: "customer_status", Text: "the customer is in another status"}
	ErrTier             = &domain.Fault{Kind: domain.Conflict, Code: "customer_tier", Text: "the customer is in another tier"}
	ErrTagged           = &domain.Fault{Kind: domain.Conflict, Code: "customer_tagged", Text: "the customer has this tag"}
	ErrNotTagged        = &domain.Fault{Kind: domain.NotFound, Code: "customer_not_tagged", Text: "the customer does not have this tag"}
	ErrTagLimit         = &domain.Fault{Kind: domain.Conflict, Code: "customer_tag_limit", Text: fmt.Sprintf("the customer has %d tags, and can't have more", MaxTags)}
	ErrLinked           = &domain.Fault{Kind: domain.Conflict, Code: "customer_linked", Text: "the customer is linked to a user"}
	ErrUserLinked       = &domain.Fault{Kind: domain.Conflict, Code: "customer_user_linked", Text: "the user is linked to another customer"}
)

// Facts. Beside what has changed they say what whoever counts customers has to know: what they were before, and are
// otherwise.
type (
	// CustomerCreated says that somebody is known, who begins as a lead.
	CustomerCreated struct {
		CustomerID CustomerID  `json:"customer_id" privacy:"public"`
		Name       string      `json:"name" privacy:"personal:customer_id"`
		Email      value.Email `json:"email" privacy:"personal:customer_id"`
		Phone      value.Phone `json:"phone,omitempty" privacy:"personal:customer_id"`
		Tier       Tier        `json:"tier" privacy:"public"`
		// A word for where he was heard of, in lower case.
		Source string `json:"source,omitempty" privacy:"public"`
		// Sorted, each once.
		Tags []Tag `json:"tags,omitempty" privacy:"public"`
		// The user who looks after him.
		AssignedTo UserID `json:"assigned_to,omitzero" privacy:"public"`
		// The company that he stands for.
		CompanyID CompanyID `json:"company_id,omitzero" privacy:"public"`
	}
	// CustomerNameChanged is what the customer is called from now on.
	CustomerNameChanged struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		Name       string     `json:"name" privacy:"personal:customer_id"`
	}
	// CustomerPhoneChanged is the number that the customer is called at from now on; none when it is empty.
	CustomerPhoneChanged struct {
		CustomerID CustomerID  `json:"customer_id" privacy:"public"`
		Phone      value.Phone `json:"phone,omitempty" privacy:"personal:customer_id"`
	}
	// CustomerSourceChanged says that the customer was heard of elsewhere.
	CustomerSourceChanged struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		// Words; none where they are empty.
		From string `json:"from,omitempty" privacy:"public"`
		To   string `json:"to,omitempty" privacy:"public"`
	}
	// CustomerQualified says that a lead is a prospect from now on.
	CustomerQualified struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		// The one that the customer is in.
		Tier Tier `json:"tier" privacy:"public"`
	}
	// CustomerConverted says that a prospect is a customer from now on.
	CustomerConverted struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		// The one that the customer is in.
		Tier Tier `json:"tier" privacy:"public"`
	}
	// CustomerChurned says that a customer is none any more.
	CustomerChurned struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		// The one that the customer is in.
		Tier   Tier   `json:"tier" privacy:"public"`
		Reason string `json:"reason" privacy:"personal:customer_id"`
	}
	// CustomerReactivated says that who has churned is a customer again.
	CustomerReactivated struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		// The one that the customer is in.
		Tier Tier `json:"tier" privacy:"public"`
	}
	// CustomerTierUpgraded says that a customer has more from now on.
	CustomerTierUpgraded struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		// The one that the customer is in.
		Status Status `json:"status" privacy:"public"`
		From   Tier   `json:"from" privacy:"public"`
		To     Tier   `json:"to" privacy:"public"`
	}
	// CustomerTierDowngraded says that a customer has less from now on.
	CustomerTierDowngraded struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		// The one that the customer is in.
		Status Status `json:"status" privacy:"public"`
		From   Tier   `json:"from" privacy:"public"`
		To     Tier   `json:"to" privacy:"public"`
	}
	// CustomerAssigned says that a user looks after the customer from now on.
	CustomerAssigned struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		// Who did before, if anybody.
		From UserID `json:"from,omitzero" privacy:"public"`
		To   UserID `json:"to" privacy:"public"`
	}
	// CustomerTagged says that the customer has a tag more.
	CustomerTagged struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		Tag        Tag        `json:"tag" privacy:"public"`
	}
	// CustomerUntagged says that the customer has a tag less.
	CustomerUntagged struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		Tag        Tag        `json:"tag" privacy:"public"`
	}
	// CustomerLinked says which user the customer is.
	CustomerLinked struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		UserID     UserID     `json:"user_id" privacy:"public"`
	}
	// CustomerDeleted says that the customer is not to be seen any more. His address is free.
	CustomerDeleted struct {
		CustomerID CustomerID `json:"customer_id" privacy:"public"`
		Status     Status     `json:"status" privacy:"public"`
		Tier       Tier       `json:"tier" privacy:"public"`
		Source     string     `json:"source,omitempty" privacy:"public"`
		// Sorted, each once.
		Tags       []Tag     `json:"tags,omitempty" privacy:"public"`
		AssignedTo UserID    `json:"assigned_to,omitzero" privacy:"public"`
		CompanyID  CompanyID `json:"company_id,omitzero" privacy:"public"`
		UserID     UserID    `json:"user_id,omitzero" privacy:"public"`
	}
)

func (CustomerCreated) EventType() string        { return "crm.customer.created" }
func (CustomerNameChanged) EventType() string    { return "crm.customer.name_changed" }
func (CustomerPhoneChanged) EventType() string   { return "crm.customer.phone_changed" }
func (CustomerSourceChanged) EventType() string  { return "crm.customer.source_changed" }
func (CustomerQualified) EventType() string      { return "crm.customer.qualified" }
func (CustomerConverted) EventType() string      { return "crm.customer.converted" }
func (CustomerChurned) EventType() string        { return "crm.customer.churned" }
func (CustomerReactivated) EventType() string    { return "crm.customer.reactivated" }
func (CustomerTierUpgraded) EventType() string   { return "crm.customer.tier_upgraded" }
func (CustomerTierDowngraded) EventType() string { return "crm.customer.tier_downgraded" }
func (CustomerAssigned) EventType() string       { return "crm.customer.assigned" }
func (CustomerTagged) EventType() string         { return "crm.customer.tagged" }
func (CustomerUntagged) EventType() string       { return "crm.customer.untagged" }
func (CustomerLinked) EventType() string         { return "crm.customer.linked" }
func (CustomerDeleted) EventType() string        { return "crm.customer.deleted" }

var customerTypes = []domain.Type{
	domain.TypeOf[CustomerCreated](),
	domain.TypeOf[CustomerNameChanged](),
	domain.TypeOf[CustomerPhoneChanged](),
	domain.TypeOf[CustomerSourceChanged](),
	domain.TypeOf[CustomerQualified](),
	domain.TypeOf[CustomerConverted](),
	domain.TypeOf[CustomerChurned](),
	domain.TypeOf[CustomerReactivated](),
	domain.TypeOf[CustomerTierUpgraded](),
	domain.TypeOf[CustomerTierDowngraded](),
	domain.TypeOf[CustomerAssigned](),
	domain.TypeOf[CustomerTagged](),
	domain.TypeOf[CustomerUntagged](),
	domain.TypeOf[CustomerLinked](),
	domain.TypeOf[CustomerDeleted](),
}

// Customer is somebody who might buy, buys, or has bought.
type Customer struct {
	ID                     CustomerID
	Name                   string
	Email                  value.Email
	Phone                  value.Phone // "" for none
	Status                 Status
	Tier                   Tier
	Source                 string    // a word; "" for none
	Tags                   []Tag     // sorted, each once
	AssignedTo             UserID    // zero for nobody
	User                   UserID    // zero for none
	Company                CompanyID // zero for none
	Reason                 string    // why the customer has churned
	Deleted                bool
	CreatedAt, UpdatedAt   time.Time
	ConvertedAt, ChurnedAt time.Time // zero for not yet, and for not any more
}

const customerKind = "crm.customer"

// CustomerStream is where a customer's facts are.
func CustomerStream(c CustomerID) domain.Stream { return domain.Stream{Kind: customerKind, ID: c.ID} }

// The names that only one customer may hold.
const (
	emailScope = "customer_email"
	userScope  = "customer_user"
)

// EmailClaim is held by the customer with that address, until he is deleted or forgotten.
func EmailClaim(e value.Email) domain.Claim { return domain.Claim{Scope: emailScope, Name: string(e)} }

// UserClaim is held by the customer that a user is linked to.
func UserClaim(u UserID) domain.Claim {
	c := domain.Claim{Scope: userScope}
	if !u.IsZero() {
		c.Name = u.String()
	}
	return c
}

// Claims are the names that only this customer may hold. Who has no address any more was forgotten, and holds none.
func (c Customer) Claims() []domain.Claim {
	if c.Deleted || c.Email == "" {
		return nil
	}
	return []domain.Claim{EmailClaim(c.Email), UserClaim(c.User)}
}

// Refuse says that another customer holds the address, or is the user.
func (Customer) Refuse(c domain.Claim) error {
	if c.Scope == userScope {
		return ErrUserLinked
	}
	return ErrEmailTaken
}

// Evolve is what each fact means for the customer.
func (c Customer) Evolve(e domain.Event, at time.Time) Customer {
	switch e := e.(type) {
	case CustomerCreated:
		c = Customer{
			ID: e.CustomerID, Name: e.Name, Email: e.Email, Phone: e.Phone, Status: Lead, Tier: e.Tier, Source: e.Source,
			Tags: e.Tags, AssignedTo: e.AssignedTo, Company: e.CompanyID, CreatedAt: at,
		}
	case CustomerNameChanged:
		c.Name = e.Name
	case CustomerPhoneChanged:
		c.Phone = e.Phone
	case CustomerSourceChanged:
		c.Source = e.To
	case CustomerTierUpgraded:
		c.Tier = e.To
	case CustomerTierDowngraded:
		c.Tier = e.To
	case CustomerAssigned:
		c.AssignedTo = e.To
	case CustomerTagged:
		c.Tags = with(c.Tags, e.Tag)
	case CustomerUntagged:
		c.Tags = without(c.Tags, e.Tag)
	case CustomerLinked:
		c.User = e.UserID
	case CustomerDeleted:
		c.Deleted = true
	default:
		c = c.moved(e, at)
	}
	c.UpdatedAt = at
	return c
}

// moved is what facts mean that lead to another status.
func (c Customer) moved(e domain.Event, at time.Time) Customer {
	switch e := e.(type) {
	case CustomerQualified:
		c.Status = Prospect
	case CustomerConverted:
		c.Status, c.ConvertedAt = Active, at
	case CustomerChurned:
		c.Status, c.ChurnedAt, c.Reason = Churned, at, e.Reason
	case CustomerReactivated:
		c.Status, c.ChurnedAt, c.Reason = Active, time.Time{}, ""
	}
	return c
}

func with(tags []Tag, t Tag) []Tag {
	i, has := slices.BinarySearch(tags, t)
	if has {
		return tags
	}
	return slices.Insert(slices.Clone(tags), i, t)
}

func without(tags []Tag, t Tag) []Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(o Tag) bool { return o == t })
}

// Commands.
type (
	// CreateCustomer makes a customer known. Who is more than a lead from the beginning has come all the way to there.
	CreateCustomer struct {
		Customer   CustomerID
		Name       string
		Email      value.Email
		Phone      value.Phone
		Status     Status
		Tier       Tier
		Source     string
		Tags       []Tag
		AssignedTo UserID
		Company    CompanyID
	}
	// ChangeCustomer changes what is not nil. The address may be said, and must be the same.
	ChangeCustomer struct {
		Customer CustomerID
		Email    *value.Email
		Name     *string
		Phone    *value.Phone
		Source   *string
		Tags     *[]Tag // all of them
	}
	QualifyCustomer    struct{ Customer CustomerID }
	ConvertCustomer    struct{ Customer CustomerID }
	ReactivateCustomer struct{ Customer CustomerID }
	ChurnCustomer      struct {
		Customer CustomerID
		Reason   string
	}
	UpgradeCustomer struct {
		Customer CustomerID
		To       Tier
	}
	DowngradeCustomer struct {
		Customer CustomerID
		To       Tier
	}
	AssignCustomer struct {
		Customer CustomerID
		To       UserID
	}
	TagCustomer struct {
		Customer CustomerID
		Tag      Tag
	}
	UntagCustomer struct {
		Customer CustomerID
		Tag      Tag
	}
	LinkCustomer struct {
		Customer CustomerID
		User     UserID
	}
	DeleteCustomer struct{ Customer CustomerID }
)

func (c CreateCustomer) Target() domain.Stream     { return CustomerStream(c.Customer) }
func (c ChangeCustomer) Target() domain.Stream     { return CustomerStream(c.Customer) }
func (c QualifyCustomer) Target() domain.Stream    { return CustomerStream(c.Customer) }
func (c ConvertCustomer) Target() domain.Stream    { return CustomerStream(c.Customer) }
func (c ReactivateCustomer) Target() domain.Stream { return CustomerStream(c.Customer) }
func (c ChurnCustomer) Target() domain.Stream      { return CustomerStream(c.Customer) }
func (c UpgradeCustomer) Target() domain.Stream    { return CustomerStream(c.Customer) }
func (c DowngradeCustomer) Target() domain.Stream  { return CustomerStream(c.Customer) }
func (c AssignCustomer) Target() domain.Stream     { return CustomerStream(c.Customer) }
func (c TagCustomer) Target() domain.Stream        { return CustomerStream(c.Customer) }
func (c UntagCustomer) Target() domain.Stream      { return CustomerStream(c.Customer) }
func (c LinkCustomer) Target() domain.Stream       { return CustomerStream(c.Customer) }
func (c DeleteCustomer) Target() domain.Stream     { return CustomerStream(c.Customer) }

// Decide creates a customer once.
func (c CreateCustomer) Decide(before Customer) ([]domain.Event, error) {
	if !before.ID.IsZero() {
		return nil, ErrCustomerExists
	}
	events := []domain.Event{CustomerCreated{
		CustomerID: c.Customer, Name: c.Name, Email: c.Email, Phone: c.Phone, Tier: c.Tier, Source: c.Source, Tags: c.Tags,
		AssignedTo: c.AssignedTo, CompanyID: c.Company,
	}}
	if c.Status == Prospect || c.Status == Active {
		events = append(events, CustomerQualified{CustomerID: c.Customer, Tier: c.Tier})
	}
	if c.Status == Active {
		events = append(events, CustomerConverted{CustomerID: c.Customer, Tier: c.Tier})
	}
	return events, nil
}

// Decide changes what is another than before.
func (c ChangeCustomer) Decide(is Customer) (events []domain.Event, err error) {
	if err := is.refuse(); err != nil {
		return nil, err
	}
	if c.Email != nil && *c.Email != is.Email {
		return nil, ErrEmailFixed
	}
	if c.Name != nil && *c.Name != is.Name {
		events = append(events, CustomerNameChanged{CustomerID: is.ID, Name: *c.Name})
	}
	if c.Phone != nil && *c.Phone != is.Phone {
		events = append(events, CustomerPhoneChanged{CustomerID: is.ID, Phone: *c.Phone})
	}
	if c.Source != nil && *c.Source != is.Source {
		events = append(events, CustomerSourceChanged{CustomerID: is.ID, From: is.Source, To: *c.Source})
	}
	if c.Tags != nil {
		events = append(events, is.retagged(*c.Tags)...)
	}
	return events, nil
}

// retagged are the facts between the tags that are and those that shall be.
func (c Customer) retagged(to []Tag) (events []domain.Event) {
	for _, t := range c.Tags {
		if !slices.Contains(to, t) {
			events = append(events, CustomerUntagged{CustomerID: c.ID, Tag: t})
		}
	}
	for _, t := range to {
		if !slices.Contains(c.Tags, t) {
			events = append(events, CustomerTagged{CustomerID: c.ID, Tag: t})
		}
	}
	return events
}

// Decide qualifies a lead.
func (c QualifyCustomer) Decide(is Customer) ([]domain.Event, error) {
	return is.move(Lead, "qualified", CustomerQualified{CustomerID: is.ID, Tier: is.Tier})
}

// Decide converts a prospect.
func (c ConvertCustomer) Decide(is Customer) ([]domain.Event, error) {
	return is.move(Prospect, "converted", CustomerConverted{CustomerID: is.ID, Tier: is.Tier})
}

// Decide lets a customer go.
func (c ChurnCustomer) Decide(is Customer) ([]domain.Event, error) {
	return is.move(Active, "churned", CustomerChurned{CustomerID: is.ID, Tier: is.Tier, Reason: c.Reason})
}

// Decide takes back who has churned.
func (c ReactivateCustomer) Decide(is Customer) ([]domain.Event, error) {
	return is.move(Churned, "reactivated", CustomerReactivated{CustomerID: is.ID, Tier: is.Tier})
}

// nouns say what somebody is in a sentence.
var nouns = map[Status]string{Lead: "a lead", Prospect: "a prospect", Active: "a customer", Churned: "a churned customer"}

// move leads from one status to the next, and from no other.
func (c Customer) move(from Status, how string, e domain.Event) ([]domain.Event, error) {
	if err := c.refuse(); err != nil {
		return nil, err
	}
	if c.Status != from {
		return nil, saying(ErrStatus, "this is %s: only %s can be %s", nouns[c.Status], nouns[from], how)
	}
	return []domain.Event{e}, nil
}

// Decide goes up, and only up.
func (c UpgradeCustomer) Decide(is Customer) ([]domain.Event, error) {
	if err := is.refuse(); err != nil {
		return nil, err
	}
	if !c.To.IsAbove(is.Tier) {
		return nil, saying(ErrTier, "the customer is in tier %s, which can't be upgraded to %s", is.Tier, c.To)
	}
	return []domain.Event{CustomerTierUpgraded{CustomerID: is.ID, Status: is.Status, From: is.Tier, To: c.To}}, nil
}

// Decide goes down, and only down.
func (c DowngradeCustomer) Decide(is Customer) ([]domain.Event, error) {
	if err := is.refuse(); err != nil {
		return nil, err
	}
	if !is.Tier.IsAbove(c.To) {
		return nil, saying(ErrTier, "the customer is in tier %s, which can't be downgraded to %s", is.Tier, c.To)
	}
	return []domain.Event{CustomerTierDowngraded{CustomerID: is.ID, Status: is.Status, From: is.Tier, To: c.To}}, nil
}

// Decide hands the customer to somebody; who has him already keeps him.
func (c AssignCustomer) Decide(is Customer) ([]domain.Event, error) {
	if err := is.refuse(); err != nil || is.AssignedTo == c.To {
		return nil, err
	}
	return []domain.Event{CustomerAssigned{CustomerID: is.ID, From: is.AssignedTo, To: c.To}}, nil
}

// Decide adds a tag that the customer has not.
func (c TagCustomer) Decide(is Customer) ([]domain.Event, error) {
	if err := is.refuse(); err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(is.Tags, c.Tag):
		return nil, saying(ErrTagged, "the customer has the tag %s", c.Tag)
	case len(is.Tags) >= MaxTags:
		return nil, ErrTagLimit
	}
	return []domain.Event{CustomerTagged{CustomerID: is.ID, Tag: c.Tag}}, nil
}

// Decide takes a tag away that the customer has.
func (c UntagCustomer) Decide(is Customer) ([]domain.Event, error) {
	if err := is.refuse(); err != nil {
		return nil, err
	}
	if !slices.Contains(is.Tags, c.Tag) {
		return nil, saying(ErrNotTagged, "the customer does not have the tag %s", c.Tag)
	}
	return []domain.Event{CustomerUntagged{CustomerID: is.ID, Tag: c.Tag}}, nil
}

// Decide links the customer once.
func (c LinkCustomer) Decide(is Customer) ([]domain.Event, error) {
	if err := is.refuse(); err != nil {
		return nil, err
	}
	if !is.User.IsZero() {
		return nil, ErrLinked
	}
	return []domain.Event{CustomerLinked{CustomerID: is.ID, UserID: c.User}}, nil
}

// Decide takes the customer out of sight.
func (c DeleteCustomer) Decide(is Customer) ([]domain.Event, error) {
	if err := is.refuse(); err != nil {
		return nil, err
	}
	return []domain.Event{CustomerDeleted{
		CustomerID: is.ID, Status: is.Status, Tier: is.Tier, Source: is.Source, Tags: is.Tags,
		AssignedTo: is.AssignedTo, CompanyID: is.Company, UserID: is.User,
	}}, nil
}

// refuse says that there is no such customer, or not any more.
func (c Customer) refuse() error {
	if c.ID.IsZero() || c.Deleted {
		return ErrCustomerNotFound
	}
	return nil
}

// saying is a refusal in words that tell why.
func saying(f *domain.Fault, format string, about ...any) error {
	said := *f
	said.Text = fmt.Sprintf(format, about...)
	return &said
}
