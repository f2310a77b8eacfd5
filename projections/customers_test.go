package projections_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/privacy"
	"gesta/domain/spec"
	"gesta/domain/value"
	"gesta/eventstore/postgres"
	"gesta/eventstore/wait"
	"gesta/projections"
)

func customerID(i id.ID) crm.CustomerID { return crm.CustomerID{ID: i} }

func tier(t *rapid.T) crm.Tier { return rapid.SampledFrom(crm.Tiers).Draw(t, "tier") }

func tagOf(t *rapid.T) crm.Tag { return crm.Tag(word(t)) }

func rep(t *rapid.T) crm.UserID { return crm.UserID{ID: id.Named(word(t))} }

func createdCustomer(t *rapid.T, i id.ID) domain.Event {
	return crm.CustomerCreated{
		CustomerID: customerID(i), Name: own(t) + "n Smith", Email: email(t), Phone: value.Phone(own(t)), Tier: tier(t), Source: word(t),
		Tags: []crm.Tag{tagOf(t)}, AssignedTo: rep(t),
	}
}

// customerFacts come in any order here, also in those in which they never happen.
var customerFacts = factsOf{
	begins: []func(*rapid.T, id.ID) domain.Event{createdCustomer},
	goesOn: []func(*rapid.T, id.ID) domain.Event{
		func(t *rapid.T, i id.ID) domain.Event {
			return crm.CustomerNameChanged{CustomerID: customerID(i), Name: own(t) + "x Example"}
		},
		func(t *rapid.T, i id.ID) domain.Event {
			return crm.CustomerPhoneChanged{CustomerID: customerID(i), Phone: value.Phone(own(t))}
		},
		func(t *rapid.T, _ id.ID) domain.Event {
			return crm.CustomerSourceChanged{From: word(t), To: word(t)}
		},
		func(t *rapid.T, _ id.ID) domain.Event { return crm.CustomerQualified{Tier: tier(t)} },
		func(t *rapid.T, _ id.ID) domain.Event { return crm.CustomerConverted{Tier: tier(t)} },
		func(t *rapid.T, _ id.ID) domain.Event { return crm.CustomerReactivated{Tier: tier(t)} },
		func(t *rapid.T, i id.ID) domain.Event { // Not before that: it takes the reason back.
			return crm.CustomerChurned{CustomerID: customerID(i), Tier: tier(t), Reason: own(t)}
		},
		func(t *rapid.T, _ id.ID) domain.Event {
			return crm.CustomerTierUpgraded{Status: crm.Lead, From: crm.Free, To: tier(t)}
		},
		func(t *rapid.T, _ id.ID) domain.Event {
			return crm.CustomerTierDowngraded{Status: crm.Lead, From: crm.Pro, To: tier(t)}
		},
		func(t *rapid.T, _ id.ID) domain.Event { return crm.CustomerAssigned{From: rep(t), To: rep(t)} },
		func(t *rapid.T, _ id.ID) domain.Event { return crm.CustomerTagged{Tag: tagOf(t)} },
		func(t *rapid.T, _ id.ID) domain.Event { return crm.CustomerUntagged{Tag: tagOf(t)} },
		func(t *rapid.T, _ id.ID) domain.Event { return crm.CustomerLinked{UserID: rep(t)} },
		func(*rapid.T, id.ID) domain.Event { return crm.CustomerDeleted{} },
		func(_ *rapid.T, i id.ID) domain.Event {
			return privacy.SubjectForgotten{SubjectID: privacy.SubjectID{ID: i}}
		},
	},
}

// drawCustomer draws what may happen to a customer as the rules allow it.
func drawCustomer(t *rapid.T, i id.ID) []domain.Event {
	who := customerID(i)
	commands := []func() domain.Command[crm.Customer]{
		func() domain.Command[crm.Customer] { return crm.QualifyCustomer{Customer: who} },
		func() domain.Command[crm.Customer] { return crm.ConvertCustomer{Customer: who} },
		func() domain.Command[crm.Customer] { return crm.ChurnCustomer{Customer: who, Reason: word(t)} },
		func() domain.Command[crm.Customer] { return crm.ReactivateCustomer{Customer: who} },
		func() domain.Command[crm.Customer] { return crm.UpgradeCustomer{Customer: who, To: tier(t)} },
		func() domain.Command[crm.Customer] { return crm.DowngradeCustomer{Customer: who, To: tier(t)} },
		func() domain.Command[crm.Customer] { return crm.AssignCustomer{Customer: who, To: rep(t)} },
		func() domain.Command[crm.Customer] { return crm.TagCustomer{Customer: who, Tag: tagOf(t)} },
		func() domain.Command[crm.Customer] { return crm.UntagCustomer{Customer: who, Tag: tagOf(t)} },
		func() domain.Command[crm.Customer] { return crm.AssignCustomer{Customer: who, To: rep(t)} },
		func() domain.Command[crm.Customer] { return crm.LinkCustomer{Customer: who, User: rep(t)} },
		func() domain.Command[crm.Customer] { return crm.DeleteCustomer{Customer: who} },
		func() domain.Command[crm.Customer] {
			name, source, tags := word(t), word(t), []crm.Tag{tagOf(t)}
			return crm.ChangeCustomer{Customer: who, Name: &name, Source: &source, Tags: &tags}
		},
	}
	create := crm.CreateCustomer{
		Customer: who, Name: word(t), Email: email(t), Tier: tier(t), Source: word(t), Tags: []crm.Tag{tagOf(t)},
		Status: rapid.SampledFrom(crm.Statuses[:3]).Draw(t, "status"),
	}
	if rapid.Bool().Draw(t, "b2b") {
		create.AssignedTo, create.Company = rep(t), crm.CompanyID{ID: id.Named(word(t))}
	}
	var is crm.Customer
	all, _ := create.Decide(is)
	is = evolved(is, all)
	for range rapid.IntRange(0, 8).Draw(t, "changes") {
		if events, err := rapid.SampledFrom(commands).Draw(t, "command")().Decide(is); err == nil {
			all, is = append(all, events...), evolved(is, events)
		}
	}
	return all
}

func evolved(c crm.Customer, events []domain.Event) crm.Customer {
	for _, e := range events {
		c = c.Evolve(e, spec.At)
	}
	return c
}

// customersCounted counts one by one what the counters of customers say. What happened in which month is in no row.
const customersCounted = `
	select '', '', '', count(*) from customers having count(*) > 0
	union all select '', 'status', status, count(*) from customers group by 3
	union all select '', 'tier', tier, count(*) from customers group by 3
	union all select '', 'status+tier', status || '+' || tier, count(*) from customers group by 3
	union all select '', 'source', source, count(*) from customers group by 3
	union all select '', 'tag', mark, count(*) from customer_marks where mark <> '' and mark not like '@%' group by 3
	union all select '', 'assigned_to', assigned_to::text, count(*) from customers where assigned_to is not null group by 3
	union all select '', 'assigned', 'true', count(*) from customers where assigned_to is not null having count(*) > 0
	union all select '', 'b2b', 'true', count(*) from customers where company_id is not null having count(*) > 0
	union all select '', 'account', 'true', count(*) from customers where user_id is not null having count(*) > 0
	union all select scope, field, value, n from customers_counts where n <> 0
		and field in ('created', 'qualified', 'converted', 'churned', 'reactivated', 'deleted')`

// customersMarked are the marks that customers have, and each two of them, as their own rows say.
var customersMarked = map[string]string{
	`select 'marks', mark, id::text, status || tier || name, 1 from customer_marks`: `select 'marks', m, id::text, status || tier || name, 1
		from customers, unnest(tags || array['', '@' || assigned_to]) m where m is not null`,
	`select 'pairs', pair, id::text, '', 1 from customer_pairs`: `select 'pairs', a || ' ' || b, id::text, '', 1
		from customers, unnest(tags || array['@' || assigned_to]) a, unnest(tags || array['@' || assigned_to]) b where a collate "C" < b`,
}

func TestSearchWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"John":                       "john",
		" JOHN d. doe":               "d doe john",
		"李":                          "李",
		"john.doe@example.com":       "com doe example john",
		"Jürgen":                     "jürgen",
		"E\u0301mile":                "émile",
		strings.Repeat("long", 10):   strings.Repeat("long", 5),
		"a b":                        "a b",
		"":                           "",
		"aa bb cc dd ee ff gg hh":    "aa bb cc dd ee ff gg hh",
		"aa bb cc dd ee ff gg hh ii": "",
		strings.Repeat("x", 256):     "",
	} {
		got, err := projections.SearchWords(text)
		if strings.Join(got, " ") != want || (err != nil) != (want == "") {
			t.Errorf("%.30q: %q, %v", text, got, err)
		}
	}
	for _, w := range []string{"j", "jo", "john", "ex", "com"} {
		if !slices.Contains(projections.Beginnings("John john@example.com"), w) {
			t.Errorf("nobody is found by %q", w)
		}
	}
}

// crowded is a world of so many customers.
func crowded(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t)
	if err := w.projector(projections.CustomersProjection).Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.exec(`insert into customers (id, name, email, status, tier, source, tags, assigned_to, created_at, updated_at, version)
		select md5(i::text)::uuid, 'first' || i % 50 || ' last' || i % 70, i || '@example.com',
			(array['lead', 'prospect', 'customer', 'churned'])[1 + i % 4], (array['free', 'basic', 'pro', 'enterprise'])[1 + i / 4 % 4], 'web',
			case when i % 10 = 0 then array['new', 'vip'] else array['new'] end, md5((i % 9)::text)::uuid, now(), now(), 1
		from generate_series(0, $1::int - 1) i`, n)
	w.exec(`insert into customer_marks (mark, id, status, tier, name)
		select unnest(tags || array['', '@' || assigned_to]), id, status, tier, name from customers`)
	w.exec(`insert into customer_pairs (pair, id) select a.mark || ' ' || b.mark, id from customer_marks a join customer_marks b using (id)
		where a.mark collate "C" < b.mark and a.mark <> ''`)
	w.exec(`insert into customer_words (word, id, name, of_address) select distinct word, id, name, false from customers, regexp_split_to_table(name || ' example', ' ') word`)
	w.exec(`insert into customers_counts ` + customersCounted)
	for _, table := range []string{"customers", "customer_marks", "customer_pairs", "customer_words"} {
		wait.Until(t, "all rows are known to be visible to all", func() bool {
			w.exec(`vacuum analyze ` + table)
			return w.ask1(`select count(*) from pg_class where oid = '`+table+`'::regclass and relallvisible < relpages`) == 0
		})
	}
	return w
}

// firstRep looks after every ninth of a crowd.
const firstRep = "c4ca4238-a0b9-2382-0dcc-509a6f75849b"

// The first pages of customers take as much of a long list as of a short one, whatever they are filtered by.
func TestCostOfAPageOfCustomers(t *testing.T) {
	t.Parallel()
	small, large := crowded(t, 4000), crowded(t, 40_000)
	by := func(filters ...string) (q projections.Query) {
		for i := 0; i < len(filters); i += 2 {
			q.Filters = append(q.Filters, filter(filters[i], filters[i+1]))
		}
		return q
	}
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		for name, q := range map[string]projections.Query{
			"all":             {},
			"newest first":    {Sort: projections.Sort{Descending: true}},
			"by name":         {Sort: projections.Sort{By: "name"}},
			"status":          by("status", "churned"),
			"tier":            by("tier", "pro"),
			"status and tier": by("tier", "pro", "status", "churned"),
			"assigned to":     by("assigned_to", firstRep),
			"tag":             by("tag", "vip"),
			"status by name":  {Filters: by("status", "churned").Filters, Sort: projections.Sort{By: "name"}},
			"tier by name":    {Filters: by("tier", "pro").Filters, Sort: projections.Sort{By: "name", Descending: true}},

			"status and tier by name":     {Filters: by("tier", "pro", "status", "churned").Filters, Sort: projections.Sort{By: "name"}},
			"assigned to by name":         {Filters: by("assigned_to", firstRep).Filters, Sort: projections.Sort{By: "name"}},
			"tag by name":                 {Filters: by("tag", "vip").Filters, Sort: projections.Sort{By: "name"}},
			"tag, status, tier":           by("tag", "new", "tier", "free", "status", "lead"),
			"tag, status, tier by name":   {Filters: by("tag", "new", "tier", "free", "status", "lead").Filters, Sort: projections.Sort{By: "name"}},
			"two tags":                    by("tag", "new", "tag", "vip"),
			"assigned to, and a tag":      by("assigned_to", firstRep, "tag", "new"),
			"looked for":                  by("word", "first7"),
			"looked for, listed by name":  {Filters: by("word", "last7").Filters, Sort: projections.Sort{By: "name"}},
			"looked for by all that have": by("word", "first7", "word", "last7"),
		} {
			for _, number := range []int{1, 20} {
				q.Page = projections.Page{Number: number, Size: 10}
				_, before := small.plan(projections.CustomersPages, q, mode)
				plan, after := large.plan(projections.CustomersPages, q, mode)
				more := 20
				if strings.Contains(plan, "Aggregate") {
					more = 90 // of the index that holds the rows, which are counted one by one
				}
				if strings.Contains(plan, "Seq Scan on customer") || after > 130 || after > before+more {
					t.Errorf("%s %s, page %d: %d pages of a short list, %d of a long one:\n%s", mode, name, number, before, after, plan)
				}
			}
		}
	}
}

// Whatever customers are filtered and sorted by, each whom all filters leave is listed once, in order, and counted.
func TestPagesOfWhoIsLookedFor(t *testing.T) {
	t.Parallel()
	w := crowded(t, 720)
	for where, filters := range map[string][]projections.Filter{
		"true":                                {},
		"tier = 'pro'":                        {filter("tier", "pro")},
		"'vip' = any(tags)":                   {filter("tag", "vip")},
		"tags @> array['vip', 'new']":         {filter("tag", "vip"), filter("tag", "new")},
		"'vip' = any(tags) and tier = 'free'": {filter("tag", "vip"), filter("tier", "free")},
		"assigned_to = '" + firstRep + "' and status = 'churned'":          {filter("assigned_to", firstRep), filter("status", "churned")},
		"assigned_to = '" + firstRep + "' and 'new' = any(tags)":           {filter("assigned_to", firstRep), filter("tag", "new")},
		"assigned_to = '" + firstRep + "' and tags @> array['vip', 'new']": {filter("tag", "vip"), filter("tag", "new"), filter("assigned_to", firstRep)},
		"tags @> array['vip', 'new'] and status = 'lead'":                  {filter("tag", "vip"), filter("tag", "new"), filter("status", "lead")},
		"name like 'first7 %'":                                              {filter("word", "first7")},
		"name like 'first7 %' and name like '% last27'":                     {filter("word", "last27"), filter("word", "first7")},
		"name like 'first7 %' and 'new' = any(tags) and status = 'churned'": {filter("word", "first7"), filter("word", "example"), filter("tag", "new"), filter("status", "churned")},
		"name like 'first0 %' and tags @> array['vip', 'new']":              {filter("word", "first0"), filter("tag", "new"), filter("tag", "vip"), filter("word", "example")},
	} {
		for _, sort := range []projections.Sort{{}, {Descending: true}, {By: "name"}, {By: "name", Descending: true}} {
			q := projections.Query{Filters: filters, Sort: sort}
			want := w.texts(`select id::text from customers where ` + where + ` order by ` + orderOf(sort))
			if have := w.listed(q, len(want)); !slices.Equal(have, want) || len(want) == 0 {
				t.Errorf("%s, %+v: %d are listed of %d", where, sort, len(have), len(want))
			}
		}
	}
}

func orderOf(s projections.Sort) string {
	direction := ""
	if s.Descending {
		direction = " desc"
	}
	if s.By != "" {
		return s.By + direction + ", id" + direction
	}
	return "id" + direction
}

// listed are the ids of the customers on all pages, each of which says how many there are.
func (w *world) listed(q projections.Query, total int) (all []string) {
	w.t.Helper()
	q.Page.Size = 7
	for q.Page.Number = 1; ; q.Page.Number++ {
		p, err := projections.Ask[projections.Customer](w.t.Context(), &postgres.Lookups{Pool: w.reads}, projections.CustomersPages, q)
		if err != nil || p.Total != total {
			w.t.Fatalf("%+v: %d in all: %v", q, p.Total, err)
		}
		if len(p.Rows) == 0 {
			return all
		}
		for _, c := range p.Rows {
			all = append(all, c.ID.UUID())
		}
	}
}

func (w *world) texts(sql string) []string {
	w.t.Helper()
	rows, _ := w.reads.Query(w.t.Context(), sql) // An error of Query comes again when the rows are read.
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// A page that one index has is asked for by a plan that was made once, for any values; one that none has is planned for
// those that are asked for, and nothing else after it.
func TestPagesArePlannedOnce(t *testing.T) {
	t.Parallel()
	w := crowded(t, 100)
	at, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	at.RawQuery += "&pool_max_conns=1"
	reads, err := projections.Open(t.Context(), at.String(), "gesta")
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Close()
	for range 3 {
		for _, filters := range [][]projections.Filter{{filter("word", "first7"), filter("word", "example")}, {filter("tag", "vip")}} {
			q := projections.Query{Filters: filters, Page: projections.Page{Number: 1, Size: 5}}
			if _, err := projections.Ask[projections.Customer](t.Context(), &postgres.Lookups{Pool: reads}, projections.CustomersPages, q); err != nil {
				t.Fatal(err)
			}
		}
	}
	var plans [4]int
	err = reads.QueryRow(t.Context(), `select sum(generic_plans) filter (where not joined), sum(custom_plans) filter (where not joined),
			sum(generic_plans) filter (where joined), sum(custom_plans) filter (where joined)
		from (select *, statement like 'with matching%' as joined from pg_prepared_statements where statement like 'with%') s`).
		Scan(&plans[0], &plans[1], &plans[2], &plans[3])
	if err != nil || plans != [4]int{3, 0, 0, 3} {
		t.Errorf("%v, %v", plans, err)
	}
}
