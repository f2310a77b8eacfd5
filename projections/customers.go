package projections

import (
	"context"
	"slices"
	"time"

	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/value"
	"gesta/eventstore/postgres"
)

// Customer is a customer as readers see one.
type Customer struct {
	ID          id.ID
	Name        string
	Email       string
	Phone       *string
	Status      string
	Tier        string
	Source      string
	Tags        []string // sorted
	AssignedTo  *id.ID
	UserID      *id.ID
	CompanyID   *id.ID
	Reason      *string // why the customer has churned
	ConvertedAt *time.Time
	ChurnedAt   *time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Version     int64 // of its stream, at the last event
}

// Revision is the customer as a thing that can be asked for again.
func (c Customer) Revision() (id.ID, int64) { return c.ID, c.Version }

const shownCustomer = `id, coalesce(name, '` + Forgotten + `'), coalesce(email, '` + Forgotten + `'), phone, status, tier, source, tags,
	assigned_to, user_id, company_id, churn_reason, converted_at, churned_at, created_at, updated_at, version`

// statusAndTier are counted together.
var statusAndTier = Pair{"status", "tier"}

// What a customer is listed by beside columns: marks, which are the tags, the one who looks after him, and an empty one
// for all; each two of them; and the beginnings of the words of name and address.
var (
	customerMarks = &Values{Table: "customer_marks", Column: "mark"}
	customerPairs = &Values{Table: "customer_pairs", Column: "pair"}
	customerWords = &Values{Table: "customer_words", Column: "word"}
)

// repMark begins the mark of a representative, and no tag.
const repMark = "@"

// customerList is how customers are shown page by page.
var customerList = &List{
	Table: "customers", Key: "id", Shown: shownCustomer,
	Filters: []Column{
		{Name: "word", In: customerWords},
		{Name: "tag", In: customerMarks, Counted: true},
		{Name: "assigned_to", In: customerMarks, Prefix: repMark, Counted: true},
		{Name: "status", Counted: true},
		{Name: "tier", Counted: true},
	},
	Sorts: []string{"name"},
	Pairs: []Pair{statusAndTier},
	All:   customerMarks,
	Both:  customerPairs,
}

// Beside the columns of the list these are counted, each of them alone: of which kind customers are, and in which
// month what happened.
const (
	bySource    = "source"
	isB2B       = "b2b"
	isAssigned  = "assigned"
	hasAccount  = "account"
	created     = "created"
	qualified   = "qualified"
	converted   = "converted"
	churned     = "churned"
	reactivated = "reactivated"
	deleted     = "deleted"
)

// CustomersProjection keeps the customers that have not been deleted, with all that they are listed by: so each page of
// those with a mark or a word is a part of an index. What is looked for changes in these narrow rows, and the indexes of
// customers are left alone.
var CustomersProjection = Projection{
	Name: "customers",
	Tables: `
		create table customers (
			id           uuid        not null primary key,
			name         text,
			email        text,
			phone        text,
			status       text        not null,
			tier         text        not null,
			source       text        not null,
			tags         text[]      not null,
			assigned_to  uuid,
			user_id      uuid,
			company_id   uuid,
			churn_reason text,
			converted_at timestamptz,
			churned_at   timestamptz,
			created_at   timestamptz not null,
			updated_at   timestamptz not null,
			version      bigint      not null
		);
		create index on customers (email);
		create table customer_marks (
			mark   text not null,
			id     uuid not null,
			status text not null,
			tier   text not null,
			name   text,
			primary key (mark, id)
		);
		create index on customer_marks (id);
		create index on customer_marks (mark, status, id);
		create index on customer_marks (mark, tier, id);
		create index on customer_marks (mark, status, tier, id);
		create index on customer_marks (mark, name, id);
		create index on customer_marks (mark, status, name, id);
		create index on customer_marks (mark, tier, name, id);
		create index on customer_marks (mark, status, tier, name, id);
		create table customer_pairs (pair text collate "C" not null, id uuid not null, primary key (pair, id));
		create index on customer_pairs (id);
		create table customer_words (
			word       text    not null,
			id         uuid    not null,
			name       text    not null,
			of_address boolean not null, -- which stays, whatever the name becomes
			primary key (word, id)
		);
		create index on customer_words (word, name, id);
		create index on customer_words (id);
		` + customerList.CountsTable(),
	Personal: []Personal{
		{Table: "customers", Key: "id", Subject: "id", Columns: []string{"name", "email", "phone", "churn_reason"}, Version: "version"},
		{Table: "customer_marks", Key: "id", Subject: "id", Columns: []string{"name"}},
		{Table: "customer_words", Key: "id", Subject: "id", Rows: true},
	},
	Rules: []Rule{
		On(Write.createCustomer),
		On(Write.renameCustomer),
		On(func(w Write, e crm.CustomerPhoneChanged) { w.setCustomer("phone = nullif($4, '')", e.Phone) }),
		On(func(w Write, e crm.CustomerSourceChanged) {
			w.setCustomer("source = $4", e.To)
			w.customers().Move(bySource, e.From, e.To)
		}),
		On(func(w Write, e crm.CustomerQualified) {
			w.moveCustomer(qualified, crm.Lead, crm.Prospect, e.Tier, "")
		}),
		On(func(w Write, e crm.CustomerConverted) {
			w.moveCustomer(converted, crm.Prospect, crm.Active, e.Tier, ", converted_at = $2")
		}),
		On(func(w Write, e crm.CustomerChurned) {
			w.moveCustomer(churned, crm.Active, crm.Churned, e.Tier, ", churned_at = $2, churn_reason = $5", e.Reason)
		}),
		On(func(w Write, e crm.CustomerReactivated) {
			w.moveCustomer(reactivated, crm.Churned, crm.Active, e.Tier, ", churned_at = null, churn_reason = null")
		}),
		On(func(w Write, e crm.CustomerTierUpgraded) { w.turnTier(e.Status, e.From, e.To) }),
		On(func(w Write, e crm.CustomerTierDowngraded) { w.turnTier(e.Status, e.From, e.To) }),
		On(func(w Write, e crm.CustomerAssigned) {
			w.setCustomer("assigned_to = $4", [16]byte(e.To.ID))
			w.Exec(`delete from customer_marks where id = $1 and starts_with(mark, '`+repMark+`')`, w.key())
			w.Exec(`delete from customer_pairs where id = $1 and pair ~ '(^| )`+repMark+`'`, w.key())
			w.mark(repMark + e.To.UUID())
			w.customers().assigned(-1, e.From)
			w.customers().assigned(1, e.To)
		}),
		On(func(w Write, e crm.CustomerTagged) {
			w.setCustomer(`tags = array(select distinct t collate "C" from unnest(tags || $4::text) t order by 1)`, e.Tag)
			w.mark(string(e.Tag))
			w.customers().tagged(1, e.Tag)
		}),
		On(func(w Write, e crm.CustomerUntagged) {
			w.setCustomer("tags = array_remove(tags, $4::text)", e.Tag)
			w.Exec(`delete from customer_marks where id = $1 and mark = $2`, w.key(), e.Tag)
			w.Exec(`delete from customer_pairs where id = $1 and $2 = any(string_to_array(pair, ' '))`, w.key(), e.Tag)
			w.customers().tagged(-1, e.Tag)
		}),
		On(func(w Write, e crm.CustomerLinked) {
			w.setCustomer("user_id = $4", [16]byte(e.UserID.ID))
			w.customers().add(1, hasAccount, "true")
		}),
		On(Write.deleteCustomer),
	},
}

func (w Write) createCustomer(e crm.CustomerCreated) {
	w.Exec(`insert into customers (id, created_at, updated_at, version, name, email, phone, status, tier, source, tags, assigned_to, company_id)
		values ($1, $2, $2, $3, $4, $5, nullif($6, ''), $7, $8, $9, $10, $11, $12)`,
		w.key(), w.Event.OccurredAt, w.Event.Version, e.Name, e.Email, e.Phone, crm.Lead, e.Tier, e.Source, words(e.Tags),
		orNull(e.AssignedTo.ID), orNull(e.CompanyID.ID))
	w.Exec(`insert into customer_marks (id, mark, status, tier, name) select $1, unnest($2::text[]), $3, $4, $5`,
		w.key(), marksOf(e), crm.Lead, e.Tier, e.Name)
	w.Exec(`insert into customer_pairs (id, pair) select $1, unnest($2::text[])`, w.key(), pairsOf(marksOf(e)))
	w.Exec(`insert into customer_words (id, word, of_address, name) select $1, unnest($2::text[]), unnest($3::boolean[]), $4`, w.wordsOf(e)...)
	w.customers().all(1, crm.Lead, e.Tier, e.Source, e.Tags, e.AssignedTo, e.CompanyID)
	w.customers().in(w.Event.OccurredAt, created)
}

// wordsOf are those that a customer is found by; which of them are those of the address, and so stay.
func (w Write) wordsOf(e crm.CustomerCreated) []any {
	address, all, ofAddress := beginnings(string(e.Email)), beginnings(string(e.Email)+" "+e.Name), []bool{}
	for _, word := range all {
		_, is := slices.BinarySearch(address, word)
		ofAddress = append(ofAddress, is)
	}
	return []any{w.key(), all, ofAddress, e.Name}
}

// marksOf are those that a customer begins with.
func marksOf(e crm.CustomerCreated) []string {
	all := append([]string{""}, words(e.Tags)...)
	if !e.AssignedTo.IsZero() {
		all = append(all, repMark+e.AssignedTo.UUID())
	}
	return all
}

// pairsOf are each two of some marks, but for the one of all.
func pairsOf(marks []string) []string {
	all := []string{}
	for i, a := range marks {
		for _, b := range marks[:i] {
			if a != "" && b != "" {
				all = append(all, min(a, b)+" "+max(a, b))
			}
		}
	}
	return all
}

// mark lists a customer under one mark more, together with each of those that he has.
func (w Write) mark(mark string) {
	w.Exec(`insert into customer_pairs (id, pair) select id, least(mark collate "C", $2) || ' ' || greatest(mark collate "C", $2)
		from customer_marks where id = $1 and mark not in ('', $2) on conflict do nothing`, w.key(), mark)
	w.Exec(`insert into customer_marks (id, mark, status, tier, name) select id, $2, status, tier, name from customers where id = $1
		on conflict do nothing`, w.key(), mark)
}

// setMarks says what becomes of a column in which marks have what the customer has.
func (w Write) setMarks(column string, to any) {
	w.Exec(`update customer_marks set `+column+` = $2 where id = $1`, w.key(), to)
}

// The address does not change.
func (w Write) renameCustomer(e crm.CustomerNameChanged) {
	w.setCustomer("name = $4", e.Name)
	w.setMarks("name", e.Name)
	w.Exec(`delete from customer_words where id = $1 and not of_address`, w.key())
	w.Exec(`update customer_words set name = $2 where id = $1`, w.key(), e.Name)
	w.Exec(`insert into customer_words (id, word, of_address, name) select $1, unnest($2::text[]), false, $3 on conflict do nothing`,
		w.key(), beginnings(e.Name), e.Name)
}

func (w Write) deleteCustomer(e crm.CustomerDeleted) {
	for _, table := range []string{"customers", "customer_marks", "customer_pairs", "customer_words"} {
		w.Exec(`delete from `+table+` where id = $1`, w.key())
	}
	w.customers().all(-1, e.Status, e.Tier, e.Source, e.Tags, e.AssignedTo, e.CompanyID)
	if !e.UserID.IsZero() {
		w.customers().add(-1, hasAccount, "true")
	}
	w.customers().in(w.Event.OccurredAt, deleted)
}

// setCustomer says what becomes of columns, with arguments from $4 on; $2 is when.
func (w Write) setCustomer(columns string, args ...any) {
	w.Exec(`update customers set updated_at = $2, version = $3, `+columns+` where id = $1`,
		append([]any{w.key(), w.Event.OccurredAt, w.Event.Version}, args...)...)
}

// moveCustomer writes and counts that somebody has gone from one status to another, and what else becomes of columns,
// with arguments from $5 on.
func (w Write) moveCustomer(how string, from, to crm.Status, in crm.Tier, columns string, args ...any) {
	w.setCustomer("status = $4"+columns, append([]any{to}, args...)...)
	w.setMarks("status", to)
	c := w.customers()
	c.Move("status", from, to)
	c.together(-1, from, in)
	c.together(1, to, in)
	c.in(w.Event.OccurredAt, how)
}

func (w Write) turnTier(in crm.Status, from, to crm.Tier) {
	w.setCustomer("tier = $4", to)
	w.setMarks("tier", to)
	c := w.customers()
	c.Move("tier", from, to)
	c.together(-1, in, from)
	c.together(1, in, to)
}

// customerCounts adds to the counters of customers.
type customerCounts struct{ Counts }

func (w Write) customers() customerCounts { return customerCounts{w.Counts(customerList, "")} }

// all counts n customers more, in every way in which one who has no account is counted.
func (c customerCounts) all(n int64, s crm.Status, t crm.Tier, source string, tags []crm.Tag, rep crm.UserID, company crm.CompanyID) {
	c.Add(n, Filter{"status", string(s)}, Filter{"tier", string(t)}, Filter{bySource, source})
	c.together(n, s, t)
	c.assigned(n, rep)
	for _, tag := range tags {
		c.tagged(n, tag)
	}
	if !company.IsZero() {
		c.add(n, isB2B, "true")
	}
}

func (c customerCounts) together(n int64, s crm.Status, t crm.Tier) {
	of := statusAndTier.Of(s, t)
	c.add(n, of.Column, of.text())
}

func (c customerCounts) tagged(n int64, t crm.Tag) { c.add(n, "tag", string(t)) }

func (c customerCounts) assigned(n int64, rep crm.UserID) {
	if !rep.IsZero() {
		c.add(n, "assigned_to", rep.UUID())
		c.add(n, isAssigned, "true")
	}
}

// in counts what has happened in a month.
func (c customerCounts) in(at time.Time, what string) {
	c.add(1, what, at.UTC().Format(monthLayout))
}

const monthLayout = "2006-01"

// orNull is null for what names nothing.
func orNull(i id.ID) *[16]byte {
	if i.IsZero() {
		return nil
	}
	b := [16]byte(i)
	return &b
}

// orNil is nil for what names nothing.
func orNil(i id.ID) *id.ID {
	if i.IsZero() {
		return nil
	}
	return &i
}

// words spells words as text; never null.
func words[W ~string](all []W) []string {
	texts := make([]string, len(all))
	for i, w := range all {
		texts[i] = string(w)
	}
	return texts
}

// CustomerOf shows a customer's folded state as the read model would. Who has no address any more was forgotten.
func CustomerOf(c crm.Customer) Customer {
	if c.Email == "" {
		c.Name, c.Email = Forgotten, Forgotten
	}
	return Customer{
		ID: c.ID.ID, Name: c.Name, Email: string(c.Email), Phone: someText(string(c.Phone)), Status: string(c.Status), Tier: string(c.Tier),
		Source: c.Source, Tags: words(c.Tags), AssignedTo: orNil(c.AssignedTo.ID), UserID: orNil(c.User.ID), CompanyID: orNil(c.Company.ID),
		Reason: someText(c.Reason), ConvertedAt: someTime(c.ConvertedAt), ChurnedAt: someTime(c.ChurnedAt), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

func someText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func someTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Customers answers questions about customers.
type Customers struct{ DB *postgres.Lookups }

// Find answers one customer, or crm.ErrCustomerNotFound.
func (c Customers) Find(ctx context.Context, customer crm.CustomerID) (Customer, error) {
	return one[Customer](ctx, c.DB, crm.ErrCustomerNotFound, `select `+shownCustomer+` from customers where id = $1`, [16]byte(customer.ID))
}

// ByEmail answers the customer with an address, or crm.ErrCustomerNotFound. While one customer's end lags behind
// another's beginning, two may show the same address: the later one has it.
func (c Customers) ByEmail(ctx context.Context, e value.Email) (Customer, error) {
	return one[Customer](ctx, c.DB, crm.ErrCustomerNotFound,
		`select `+shownCustomer+` from customers where email = $1 order by id desc limit 1`, e)
}

// List answers a page of the customers, the oldest first unless they are sorted otherwise, that may be filtered by
// word, tag, assigned_to, status and tier.
func (c Customers) List(ctx context.Context, q Query) (Paged[Customer], error) {
	return pageOf[Customer](ctx, c.DB, customerList, q)
}
