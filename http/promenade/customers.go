package promenade

import (
	"cmp"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/http/web"
	"gesta/projections"
)

// What somebody must be permitted to do to customers.
const (
	readCustomers   identity.Permission = "customers:read"
	createCustomers identity.Permission = "customers:create"
	updateCustomers identity.Permission = "customers:update"
	deleteCustomers identity.Permission = "customers:delete"
)

func (a api) customerRoutes() []web.Route {
	const customers, kind = prefix + "/customer-mgmt/customers", "crm.customer"
	read, create, update := web.May(readCustomers), web.May(createCustomers), web.May(updateCustomers)
	list := func(path, does string, asks web.Reading[projections.Query]) web.Route {
		return web.Get(customers+path, read, web.Handle(asks, a.Customers.List, showCustomers)).Does(does).Refuses(400, 401, 403)
	}
	makes := func(path, does string, h web.Handler) web.Route {
		return web.Post(customers+path, create, h).Does(does).Refuses(400, 401, 403, 409).Of(kind)
	}
	act := func(path, does string, h web.Handler) web.Route {
		return web.Post(customers+"/:id/"+path, update, h).Does(does).Answers(200).Refuses(400, 401, 403, 404, 409).Of(kind)
	}
	return append([]web.Route{
		list("", "List customers", customersBy(byCustomerStatus, byTier, byRepresentative, byTags, bySearch)),
		list("/status/:status", "List the customers of a status", customersBy(byTier, byRepresentative, byTags, bySearch).And(web.InPath("status", crm.ParseStatus))),
		list("/tier/:tier", "List the customers of a tier", customersBy(byCustomerStatus, byRepresentative, byTags, bySearch).And(web.InPath("tier", crm.ParseTier))),
		makes("", "Create a customer", web.Make(web.Takes(newCustomer), a.CRM.Create, a.CRM.Created, showCustomerNow)),
		makes("/b2b", "Create a customer who stands for a company", web.Make(web.Takes(newB2BCustomer), a.CRM.Create, a.CRM.Created, showCustomerNow)),
		web.Get(customers+"/by-email", read, web.Handle(web.Reads(customerAddress).Asks(ofCustomer), a.Customers.ByEmail, showCustomer)).
			Does("Find a customer by e-mail").Refuses(400, 401, 403, 404),
		web.Get(customers+"/:id", read, web.Handle(web.Reads(customerID), a.Customers.Find, showCustomer)).
			Does("Find a customer").Refuses(400, 401, 403, 404).Of(kind),
		web.Put(customers+"/:id", update, web.Handle(web.Takes(customerChange), a.CRM.Ask, showCustomerNow)).
			Does("Change a customer").Refuses(400, 401, 403, 404, 409).Of(kind),
		web.Delete(customers+"/:id", web.May(deleteCustomers), web.Tell(web.Reads(customerDeletion), a.CRM.Delete, said{"Customer deleted successfully"})).
			Does("Delete a customer").Answers(200).Refuses(400, 401, 403, 404, 409).Of(kind),

		act("qualify", "Take a lead for a prospect", a.moves(func(c crm.CustomerID) command { return crm.QualifyCustomer{Customer: c} })),
		act("convert", "Take a prospect for a customer", a.moves(func(c crm.CustomerID) command { return crm.ConvertCustomer{Customer: c} })),
		act("churn", "Let a customer go", web.Make(web.Takes(churning), a.CRM.Ask, a.CRM.Asked, showCustomerNow)),
		act("reactivate", "Take a churned customer back", a.moves(func(c crm.CustomerID) command { return crm.ReactivateCustomer{Customer: c} })),
		act("upgrade/:tier", "Lift a customer to a higher tier", a.tiers(func(c crm.CustomerID, to crm.Tier) command { return crm.UpgradeCustomer{Customer: c, To: to} })),
		act("downgrade/:tier", "Lower a customer to a lesser tier", a.tiers(func(c crm.CustomerID, to crm.Tier) command { return crm.DowngradeCustomer{Customer: c, To: to} })),
		act("assign", "Have a user look after a customer", web.Make(web.Takes(representative), a.CRM.Assign, a.CRM.Assigned, showCustomerNow)),
		act("link-user", "Say which user a customer is, once", web.Make(web.Takes(link), a.CRM.Link, a.CRM.Linked, showCustomerNow)),
		act("tags", "Tag a customer", web.Make(web.Takes(tagging), a.CRM.Ask, a.CRM.Asked, showCustomerNow)),
		web.Delete(customers+"/:id/tags/:tag", update, web.Handle(web.Reads(untagging), a.CRM.Ask, showCustomerNow)).
			Does("Take a tag from a customer").Answers(200).Refuses(400, 401, 403, 404, 409).Of(kind),
	}, a.customerFigures()...)
}

// command is anything that can be asked of a customer.
type command = domain.Command[crm.Customer]

// moves makes a handler of what needs nothing but the customer.
func (a api) moves(to func(crm.CustomerID) command) web.Handler {
	return web.Make(web.Reads(func(r *web.Request) (command, error) {
		c, err := customerID(r)
		return to(c), err
	}), a.CRM.Ask, a.CRM.Asked, showCustomerNow)
}

// tiers makes a handler of what needs a tier of the path.
func (a api) tiers(to func(crm.CustomerID, crm.Tier) command) web.Handler {
	return web.Make(web.Reads(func(r *web.Request) (command, error) {
		c, err := customerID(r)
		if err != nil {
			return nil, err
		}
		tier, err := web.FromPath(r, "tier", crm.ParseTier)
		return to(c, tier), err
	}), a.CRM.Ask, a.CRM.Asked, showCustomerNow)
}

// What customers are filtered by.
var (
	byCustomerStatus = web.Filter{Column: "status", Param: web.Param{
		Name: "status", Text: "Only customers of this status.", Enum: web.Words(crm.Statuses),
	}}
	byTier = web.Filter{Column: "tier", Param: web.Param{
		Name: "tier", Text: "Only customers of this tier.", Enum: web.Words(crm.Tiers),
	}}
	byRepresentative = web.Filter{Column: "assigned_to", Param: web.Param{
		Name: "assigned_to", Text: "Only customers whom the user with this id looks after.", Format: web.ULID.Format,
	}, Read: userIDs}
	byTags = web.Filter{Column: "tag", Param: web.Param{
		Name: "tags", Text: "Only customers who have all of these tags, with commas between them.", Many: true,
	}, Read: tagNames}
	bySearch = web.Filter{Column: "word", Param: web.Param{
		Name: "search", Text: "Only customers with words in their names or addresses that begin with all of these words, in any case. " +
			"Of a word its first 20 characters count.",
	}, Read: projections.SearchWords}
)

// customersBy reads a page of customers. They are not sorted by what every change changes: it would be written to
// every index for the sake of one.
func customersBy(filters ...web.Filter) web.Reading[projections.Query] {
	return web.Sorted(20, 100, []web.Order{
		{Word: "created_at"},
		{Word: "-created_at", Sort: projections.Sort{Descending: true}},
		{Word: "name", Sort: projections.Sort{By: "name"}},
		{Word: "-name", Sort: projections.Sort{By: "name", Descending: true}},
	}, filters...)
}

func userIDs(text string) ([]string, error) {
	u, err := parseUserID(text)
	return []string{u.UUID()}, err
}

func tagNames(text string) (names []string, err error) {
	tags, err := crm.ParseTags(strings.FieldsFunc(text, func(r rune) bool { return r == ',' }))
	for _, t := range tags {
		names = append(names, string(t))
	}
	return names, err
}

func customerID(r *web.Request) (crm.CustomerID, error) {
	i, err := web.ULID.ID(r, "id", crm.ErrCustomerNotFound)
	return crm.CustomerID{ID: i}, err
}

var ofCustomer = web.Param{Name: "email", Text: "The customer's address.", Format: "email", Required: true}

func customerAddress(r *web.Request) (value.Email, error) {
	email, err := value.ParseEmail(r.Query(ofCustomer.Name))
	if err != nil {
		return "", web.ErrQuery.In(web.Wrong(ofCustomer.Name, err))
	}
	return email, nil
}

// customerBody says who a customer is.
type customerBody struct {
	// 1 to 255 characters.
	Name  string `json:"name" required:"true"`
	Email string `json:"email" format:"email" required:"true"`
	// With its country code, such as +441234567890; may be left out.
	Phone string `json:"phone"`
	// A lead if it is left out. Who has churned was a customer before.
	Status string `json:"status" enum:"lead,prospect,customer"`
	// Free if it is left out.
	Tier string `json:"tier" enum:"free,basic,pro,enterprise"`
	// A word for where the customer was heard of: 1 to 50 letters, digits, _ and -, in any case; may be left out.
	Source string `json:"source"`
	// At most 20, each of 1 to 50 letters, digits, _ and -.
	Tags []string `json:"tags"`
	// The id of the active user who looks after the customer; may be left out.
	AssignedTo string `json:"assigned_to"`
}

func newCustomer(_ *web.Request, in customerBody) (crm.CreateCustomer, error) {
	var f web.Fields
	return in.asks(&f), f.Err()
}

func (in customerBody) asks(f *web.Fields) crm.CreateCustomer {
	return crm.CreateCustomer{
		Name:       web.Field(f, "name", in.Name, crm.ParseName),
		Email:      web.Field(f, "email", in.Email, value.ParseEmail),
		Phone:      web.Field(f, "phone", in.Phone, web.OrNone(value.ParseE164)),
		Status:     web.Field(f, "status", cmp.Or(in.Status, string(crm.Lead)), crm.ParseFirstStatus),
		Tier:       web.Field(f, "tier", cmp.Or(in.Tier, string(crm.Free)), crm.ParseTier),
		Source:     web.Field(f, "source", in.Source, crm.ParseSource),
		Tags:       tagsIn(f, in.Tags),
		AssignedTo: web.Field(f, "assigned_to", in.AssignedTo, web.OrNone(parseUserID)),
	}
}

func tagsIn(f *web.Fields, given []string) []crm.Tag {
	tags, err := crm.ParseTags(given)
	if err != nil {
		f.Refuse("tags", err.Error())
	}
	return tags
}

// b2bCustomerBody says who a customer is, and for which company.
type b2bCustomerBody struct {
	customerBody
	// The id of the company.
	CompanyID string `json:"company_id" required:"true"`
}

// newB2BCustomer takes any id for a company's: nobody here keeps companies.
func newB2BCustomer(_ *web.Request, in b2bCustomerBody) (crm.CreateCustomer, error) {
	var f web.Fields
	c := in.asks(&f)
	c.Company = web.Field(&f, "company_id", in.CompanyID, parseCompanyID)
	return c, f.Err()
}

func parseUserID(s string) (crm.UserID, error) {
	i, err := web.ULID.Parse(s)
	return crm.UserID{ID: i}, err
}

func parseCompanyID(s string) (crm.CompanyID, error) {
	i, err := web.ULID.Parse(s)
	return crm.CompanyID{ID: i}, err
}

// customerChangeBody says what is to change about a customer; what is left out stays.
type customerChangeBody struct {
	// 1 to 255 characters.
	Name *string `json:"name"`
	// It can't be changed: another one is refused.
	Email *string `json:"email" format:"email"`
	// With its country code, such as +441234567890; empty for none.
	Phone *string `json:"phone"`
	// A word for where the customer was heard of: 1 to 50 letters, digits, _ and -, in any case; empty for none.
	Source *string `json:"source"`
	// All that the customer is to have: at most 20, each of 1 to 50 letters, digits, _ and -.
	Tags *[]string `json:"tags"`
}

func customerChange(r *web.Request, in customerChangeBody) (command, error) {
	c, err := customerID(r)
	if err != nil {
		return nil, err
	}
	var f web.Fields
	change := crm.ChangeCustomer{
		Customer: c,
		Name:     web.Optional(&f, "name", in.Name, crm.ParseName),
		Email:    web.Optional(&f, "email", in.Email, value.ParseEmail),
		Phone:    web.Optional(&f, "phone", in.Phone, web.OrNone(value.ParseE164)),
		Source:   web.Optional(&f, "source", in.Source, crm.ParseSource),
	}
	if in.Tags != nil {
		tags := tagsIn(&f, *in.Tags)
		change.Tags = &tags
	}
	return change, f.Err()
}

func customerDeletion(r *web.Request) (crm.DeleteCustomer, error) {
	c, err := customerID(r)
	return crm.DeleteCustomer{Customer: c}, err
}

// churnBody says why a customer goes.
type churnBody struct {
	// 1 to 500 characters.
	Reason string `json:"reason" required:"true"`
}

func churning(r *web.Request, in churnBody) (command, error) {
	return about(r, "reason", in.Reason, crm.ParseReason, func(c crm.CustomerID, reason string) command {
		return crm.ChurnCustomer{Customer: c, Reason: reason}
	})
}

// about reads a customer of the path and one field of the body.
func about[T, Asks any](
	r *web.Request, name, given string, parse func(string) (T, error), to func(crm.CustomerID, T) Asks,
) (asks Asks, err error) {
	c, err := customerID(r)
	if err != nil {
		return asks, err
	}
	var f web.Fields
	v := web.Field(&f, name, given, parse)
	return to(c, v), f.Err()
}

// assignBody says who looks after a customer.
type assignBody struct {
	// The id of an active user.
	AssignedTo string `json:"assigned_to" required:"true"`
}

func representative(r *web.Request, in assignBody) (crm.AssignCustomer, error) {
	return about(r, "assigned_to", in.AssignedTo, parseUserID, func(c crm.CustomerID, to crm.UserID) crm.AssignCustomer {
		return crm.AssignCustomer{Customer: c, To: to}
	})
}

// linkBody says which user a customer is.
type linkBody struct {
	// The id of an active user who is no other customer.
	UserID string `json:"user_id" required:"true"`
}

func link(r *web.Request, in linkBody) (crm.LinkCustomer, error) {
	return about(r, "user_id", in.UserID, parseUserID, func(c crm.CustomerID, u crm.UserID) crm.LinkCustomer {
		return crm.LinkCustomer{Customer: c, User: u}
	})
}

// tagBody is a tag.
type tagBody struct {
	// 1 to 50 letters, digits, _ and -, in any case.
	Tag string `json:"tag" required:"true"`
}

func tagging(r *web.Request, in tagBody) (command, error) {
	return about(r, "tag", in.Tag, crm.ParseTag, func(c crm.CustomerID, t crm.Tag) command {
		return crm.TagCustomer{Customer: c, Tag: t}
	})
}

func untagging(r *web.Request) (command, error) {
	c, err := customerID(r)
	if err != nil {
		return nil, err
	}
	t, err := web.FromPath(r, "tag", crm.ParseTag)
	return crm.UntagCustomer{Customer: c, Tag: t}, err
}

// customer is somebody who might buy, buys, or has bought.
type customer struct {
	ID string `json:"id" format:"ulid"`
	// The user that the customer is.
	UserID *string `json:"user_id" format:"ulid"`
	// The company that the customer stands for.
	CompanyID *string `json:"company_id" format:"ulid"`
	// As it was given, or [forgotten].
	Name string `json:"name"`
	// An address, or [forgotten] of somebody who was.
	Email  string  `json:"email"`
	Phone  *string `json:"phone"`
	Status string  `json:"status" enum:"lead,prospect,customer,churned"`
	Tier   string  `json:"tier" enum:"free,basic,pro,enterprise"`
	// The word for where the customer was heard of; empty where nobody said.
	Source string `json:"source"`
	// The user who looks after the customer.
	AssignedTo *string `json:"assigned_to" format:"ulid"`
	// In the order of the alphabet.
	Tags      []string  `json:"tags"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// When a prospect became a customer.
	ConvertedAt *time.Time `json:"converted_at"`
	// When the customer churned, unless he is back.
	ChurnedAt        *time.Time `json:"churned_at"`
	ChurnReason      *string    `json:"churn_reason"`
	IsLead           bool       `json:"is_lead"`
	IsProspect       bool       `json:"is_prospect"`
	IsActiveCustomer bool       `json:"is_active_customer"`
	IsChurned        bool       `json:"is_churned"`
	// Whether the customer stands for a company.
	IsB2B bool `json:"is_b2b"`
	// Whether the customer is a user.
	HasAccount bool `json:"has_account"`
}

// showCustomerNow shows what a command led to, as a GET would.
func showCustomerNow(c crm.Customer) customer { return showCustomer(projections.CustomerOf(c)) }

func showCustomer(c projections.Customer) customer {
	status := crm.Status(c.Status)
	return customer{
		ID: web.ULID.Write(c.ID), UserID: web.ULID.Optional(c.UserID), CompanyID: web.ULID.Optional(c.CompanyID), Name: c.Name, Email: c.Email, Phone: c.Phone,
		Status: c.Status, Tier: c.Tier, Source: c.Source, AssignedTo: web.ULID.Optional(c.AssignedTo), Tags: c.Tags,
		CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(), ConvertedAt: web.InUTC(c.ConvertedAt), ChurnedAt: web.InUTC(c.ChurnedAt), ChurnReason: c.Reason,
		IsLead: status == crm.Lead, IsProspect: status == crm.Prospect, IsActiveCustomer: status == crm.Active, IsChurned: status == crm.Churned,
		IsB2B: c.CompanyID != nil, HasAccount: c.UserID != nil,
	}
}

func showCustomers(p projections.Paged[projections.Customer]) web.List[customer] {
	return web.ListOf(p, showCustomer)
}
