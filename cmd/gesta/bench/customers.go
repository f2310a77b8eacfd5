package bench

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/value"
	"gesta/eventstore/postgres"
	"gesta/projections"
)

// crowds are how many customers there are in the two lists that are held against each other.
var crowds = []int{1000, 1_000_000}

// listed is how much longer the rows of a page may take in a long list.
const listed = 2

// customers shows how lists of customers grow: the first hundred pages come out of an index, whatever they are filtered
// and sorted by. What is counted one by one, since no counter says it, is shown apart.
func (l *lab) customers(ctx context.Context) error {
	var all []*crowd
	defer func() {
		for _, c := range all {
			c.close()
		}
	}()
	for _, n := range crowds {
		c, err := l.crowd(ctx, n)
		if c != nil {
			all = append(all, c)
		}
		if err != nil {
			return err
		}
	}
	base, err := l.median(ctx, all[0].page(nobodysPage, projections.Query{}))
	if err != nil {
		return err
	}
	for _, list := range lists {
		if err := l.list(ctx, all[0], all[1], list, base); err != nil {
			return err
		}
	}
	return nil
}

// list is one that is measured.
type list struct {
	what    string
	query   projections.Query
	counted bool // some counter says how many rows there are
}

func by(filters ...string) (q projections.Query) {
	for i := 0; i < len(filters); i += 2 {
		q.Filters = append(q.Filters, projections.Filter{Column: filters[i], Value: filters[i+1]})
	}
	return q
}

func byName(q projections.Query) projections.Query {
	q.Sort.By = "name"
	return q
}

var lists = []list{
	{"no filter", projections.Query{}, true},
	{"no filter, the newest first", projections.Query{Sort: projections.Sort{Descending: true}}, true},
	{"no filter, by name", byName(by()), true},
	{"status=prospect (a tenth)", by("status", "prospect"), true},
	{"status=prospect, by name", byName(by("status", "prospect")), true},
	{"tier=enterprise (a twentieth)", by("tier", "enterprise"), true},
	{"status=customer, tier=pro (a hundredth)", by("status", "customer", "tier", "pro"), true},
	{"status=customer, tier=pro, by name", byName(by("status", "customer", "tier", "pro")), true},
	{"assigned_to (a thirtieth)", by("assigned_to", rep(3).UUID()), true},
	{"assigned_to, status=customer (one in 460)", by("assigned_to", rep(3).UUID(), "status", "customer"), false},
	{"tags=vip (a fiftieth)", by("tag", "vip"), true},
	{"tags=vip, by name", byName(by("tag", "vip")), true},
	{"tags=vip,marketing (one in 140)", by("tag", "vip", "tag", "marketing"), false},
	{"assigned_to, tags=vip (one in 1,440)", by("assigned_to", rep(3).UUID(), "tag", "vip"), false},
	{"status=customer, tier=free, tags=vip (one in 800)", by("status", "customer", "tier", "free", "tag", "vip"), false},
	{"search=mar (one in 14)", by("word", "mar"), false},
	{"search=mar, by name", byName(by("word", "mar")), false},
	{"search=acme7 (a ninth), by name", byName(by("word", "acme7")), false},
	{"search=mary lop (one in two thousand)", by("word", "mary", "word", "lop"), false},
}

// nobodysPage is behind every last one: what it costs is the total.
const nobodysPage = math.MaxInt32

// list compares the first page of a long list with that of a short one, and the hundredth with the same one or, where
// the short list ends before, with its last full one. So the long list is never let off what a later page takes for
// being later, and pays for up to 990 rows that are passed where the short one has not as many. What the total takes is
// taken off where it is counted one by one, but for what any question takes.
func (l *lab) list(ctx context.Context, short, long *crowd, of list, base time.Duration) error {
	end, err := short.lastPage(ctx, of.query)
	if err != nil {
		return err
	}
	took, err := turns(ctx, rounds, shortTurn, short.page(1, of.query), long.page(1, of.query), short.page(end, of.query), long.page(100, of.query),
		short.page(nobodysPage, of.query), long.page(nobodysPage, of.query))
	if err != nil {
		return err
	}
	p := make([]time.Duration, len(took))
	for i, one := range took {
		p[i] = time.Duration(medianOf(one, p50))
	}
	totals, without := p[4:], ""
	if !of.counted {
		without = " without the total"
		for i := range p[:4] {
			p[i] = rowsOf(p[i], totals[i%2], base)
		}
	}
	for i, number := range []int{1, 100} {
		reference, page := p[2*i], p[2*i+1]
		l.add(row{
			part: "customers", what: fmt.Sprintf("%s: page %d of ten of %s%s, against page %d of %s", of.what, number, long, without, min(number, end), short),
			ours: "p50 " + millis(page), reference: "p50 " + millis(reference), ratio: float64(page) / float64(reference), target: atMost(listed),
		})
	}
	if !of.counted {
		l.add(row{
			part: "customers", what: of.what + ": the total alone, counted one by one",
			ours: "p50 " + millis(totals[1]), reference: "p50 " + millis(totals[0]), ratio: float64(totals[1]) / float64(totals[0]),
		})
	}
	return nil
}

// lastPage is the last full page of ten, of the first hundred.
func (c *crowd) lastPage(ctx context.Context, q projections.Query) (int, error) {
	q.Page = projections.Page{Number: nobodysPage, Size: 10}
	p, err := c.customers.List(ctx, q)
	return max(1, min(100, p.Total/10)), err
}

// rowsOf is what a page takes without its total: at least what any question does.
func rowsOf(page, total, base time.Duration) time.Duration { return max(page-total, 0) + base }

func (l *lab) median(ctx context.Context, one contestant) (time.Duration, error) {
	took, err := turns(ctx, rounds, shortTurn, one)
	if err != nil {
		return 0, err
	}
	return time.Duration(medianOf(took[0], p50)), nil
}

// crowd is a database with so many customers.
type crowd struct {
	size      int
	store     *postgres.Store
	reads     *pgxpool.Pool
	customers projections.Customers
}

func (l *lab) crowd(ctx context.Context, size int) (*crowd, error) {
	i, err := l.database(ctx)
	if err != nil {
		return nil, err
	}
	c := &crowd{size: size}
	if c.store, err = postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema}); err != nil {
		return c, err
	}
	vault, err := vaultOf(ctx, c.store, i)
	if err != nil {
		return c, err
	}
	begin := time.Now()
	last, err := c.fill(ctx, ink{Vault: vault})
	if err != nil {
		return c, err
	}
	l.progressf("%s: %d events after %s", c, last, time.Since(begin).Round(time.Second))
	begin = time.Now()
	if err := following(i, c.store, vault).until(ctx, last); err != nil {
		return c, err
	}
	l.progressf("%s: projected in %s", c, time.Since(begin).Round(time.Second))
	if c.reads, err = projections.Open(ctx, i.App, schema); err != nil {
		return c, err
	}
	c.customers = projections.Customers{DB: &postgres.Lookups{Pool: c.reads}}
	return c, (&sized{Installation: i}).settle(ctx)
}

func (c *crowd) String() string {
	if c.size >= 1e6 {
		return fmt.Sprintf("%.3gM customers", float64(c.size)/1e6)
	}
	return fmt.Sprintf("%dk customers", c.size/1000)
}

func (c *crowd) close() {
	if c.reads != nil {
		c.reads.Close()
	}
	if c.store != nil {
		c.store.Close()
	}
}

// page asks for a page of ten.
func (c *crowd) page(number int, q projections.Query) contestant {
	q.Page = projections.Page{Number: number, Size: 10}
	return writers(1, 1, func() func(context.Context) error {
		return func(ctx context.Context) error {
			p, err := c.customers.List(ctx, q)
			if err == nil && p.Total == 0 {
				err = fmt.Errorf("%s: nobody is listed by %v", c, q.Filters)
			}
			return err
		}
	})
}

// fill has all customers created, some of whom become prospects, and some of these customers.
func (c *crowd) fill(ctx context.Context, in ink) (last int64, err error) {
	for done := 0; done < c.size; {
		some := make([]crm.CustomerID, min(500, c.size-done))
		for step := range 3 {
			w := newWriting(ctx, in, step == 0)
			for n := range some {
				if err := c.step(w, &some[n], done+n, step); err != nil {
					return 0, err
				}
			}
			r, err := w.append(ctx, c.store)
			if err != nil {
				return 0, err
			}
			last = max(last, r.Last)
		}
		done += len(some)
	}
	return last, nil
}

func (c *crowd) step(w *writing, who *crm.CustomerID, n, step int) error {
	tier := tierOf(n)
	var what domain.Event
	switch {
	case step == 0:
		who.ID = id.New(time.Now())
		what = createdCustomer(n, *who)
	case step == 1 && n%5 == 0:
		what = crm.CustomerQualified{CustomerID: *who, Tier: tier}
	case step == 2 && n%10 == 0:
		what = crm.CustomerConverted{CustomerID: *who, Tier: tier}
	default:
		return nil
	}
	_, err := w.add(crm.CustomerStream(*who), int64(step), what)
	return err
}

func createdCustomer(n int, who crm.CustomerID) domain.Event {
	first, family := firstNames[n%len(firstNames)], familyNames[n/7%len(familyNames)]
	e := crm.CustomerCreated{
		CustomerID: who, Name: first + " " + family, Email: value.Email(fmt.Sprintf("%s.%d@acme%d.example", first, n, n%100)), Phone: "+5511999990000",
		Tier: tierOf(n), Source: "website",
	}
	if n%3 == 0 {
		e.Tags = []crm.Tag{"marketing"}
	}
	if n%47 == 1 {
		e.Tags = append(e.Tags, "vip")
	}
	if n%4 > 0 {
		e.AssignedTo = rep(n % 23)
	}
	return e
}

// rep is one of those who look after customers.
func rep(n int) crm.UserID { return crm.UserID{ID: id.Named(fmt.Sprint("rep", n))} }

// tierOf has six in ten in the first tier, and one in twenty in the last.
func tierOf(n int) crm.Tier {
	switch n / 10 % 20 {
	case 0:
		return crm.Enterprise
	case 1, 2:
		return crm.Pro
	case 3, 4, 5, 6, 7:
		return crm.Basic
	}
	return crm.Free
}

var (
	firstNames = strings.Fields(`mary james patricia robert jennifer john linda michael elizabeth david barbara william susan richard jessica
		joseph sarah thomas karen charles lisa christopher nancy daniel betty matthew sandra anthony ashley donald emily
		steven kimberly paul donna andrew michelle joshua carol kenneth amanda kevin dorothy brian helen george deborah timothy
		laura ronald`)
	familyNames = strings.Fields(`lopez smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez gonzalez wilson
		anderson thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson
		walker young allen king wright scott torres nguyen hill flores`)
)
