package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/http/promenade"
)

// relation is a customer's course.
type relation struct {
	*course
	who  person
	is   crm.CreateCustomer // as he is at the time
	tier int                // among crm.Tiers
}

// customer has somebody become a lead, and perhaps more.
func (p *plan) customer(n int, at time.Time) {
	c := &relation{course: &course{plan: p, lane: n, random: random(n), at: at}, who: p.crowd.next()}
	c.is = crm.CreateCustomer{
		Customer: crm.CustomerID{ID: id.NamedAt(fmt.Sprint("demo/customer/", n), at)},
		Name:     c.who.name(), Email: c.who.at(elsewhere), Status: crm.Lead,
		Tier: crm.Tier(c.choose(tiers)), Source: c.choose(sources), Tags: []crm.Tag{crm.Tag(c.choose(labels))},
	}
	if c.in(35) {
		from := firms[c.random.IntN(len(firms))]
		c.is.Company, c.is.Email, c.is.Tags = from.id(), c.who.at(from.domain), append(c.is.Tags, "company")
	}
	if c.in(75) {
		c.is.Phone = c.who.number
	}
	if c.in(60) {
		c.is.AssignedTo = c.representative()
	}
	slices.Sort(c.is.Tags)
	c.tier, c.moved = slices.Index(crm.Tiers, c.is.Tier), customerMoved(c.is.Customer)
	made := c.is
	c.do(func(ctx context.Context, h *hand) error {
		_, err := h.crm.Create(ctx, made)
		return err
	})
	c.by = c.is.AssignedTo
	c.qualify()
}

// representative is somebody of sales who is there already.
func (c *relation) representative() identity.UserID {
	var there []identity.UserID
	for _, s := range c.staff {
		if s.team == sales && s.since.Before(c.at) {
			there = append(there, s.id)
		}
	}
	return there[c.random.IntN(len(there))]
}

func (c *relation) ask(cmd domain.Command[crm.Customer]) {
	c.do(func(ctx context.Context, h *hand) error {
		_, err := h.crm.Ask(ctx, cmd)
		return err
	})
}

// asks asks some days later, if that is not to come yet.
func (c *relation) asks(least, most int, cmd domain.Command[crm.Customer]) bool {
	before := c.later(least, most)
	if before {
		c.ask(cmd)
	}
	return before
}

func (c *relation) qualify() {
	if !c.in(76) {
		c.neglect()
		return
	}
	if !c.later(1, 14) {
		return
	}
	if c.is.AssignedTo.IsZero() && c.in(90) {
		c.assign()
		c.soon()
	}
	c.ask(crm.QualifyCustomer{Customer: c.is.Customer})
	if c.in(30) {
		c.soon()
		c.ask(crm.TagCustomer{Customer: c.is.Customer, Tag: "trial"})
	}
	if c.in(70) {
		c.convert()
	}
}

// neglect is what becomes of leads that nothing becomes of.
func (c *relation) neglect() {
	switch {
	case c.in(14):
		c.asks(2, 20, crm.DeleteCustomer{Customer: c.is.Customer})
	case c.in(40):
		c.asks(5, 30, crm.TagCustomer{Customer: c.is.Customer, Tag: "no-answer"})
	}
}

func (c *relation) assign() {
	to := crm.AssignCustomer{Customer: c.is.Customer, To: c.representative()}
	c.is.AssignedTo, c.by = to.To, to.To
	c.do(func(ctx context.Context, h *hand) error {
		_, err := h.crm.Assign(ctx, to)
		return err
	})
}

func (c *relation) convert() {
	if !c.asks(8, 45, crm.ConvertCustomer{Customer: c.is.Customer}) {
		return
	}
	if c.tier == 0 {
		c.soon()
		c.upgrade()
	}
	if c.plan.joined < accounts && c.in(25) && c.later(1, 5) {
		c.join()
	}
	if c.in(35) && c.later(25, 120) {
		c.upgrade()
	}
	switch {
	case c.in(26):
		c.churn()
	case c.in(15) && c.later(30, 90):
		c.downgrade()
	case c.in(20) && c.later(20, 80):
		c.assign()
	case c.in(30):
		c.asks(60, 150, crm.TagCustomer{Customer: c.is.Customer, Tag: "reference"})
	}
}

func (c *relation) upgrade() {
	if c.tier < len(crm.Tiers)-1 {
		c.tier++
		c.ask(crm.UpgradeCustomer{Customer: c.is.Customer, To: crm.Tiers[c.tier]})
	}
}

func (c *relation) downgrade() {
	if c.tier > 0 {
		c.tier--
		c.ask(crm.DowngradeCustomer{Customer: c.is.Customer, To: crm.Tiers[c.tier]})
	}
}

// churn has a customer leave, and perhaps come back.
func (c *relation) churn() {
	atRisk := crm.TagCustomer{Customer: c.is.Customer, Tag: "at-risk"}
	if !c.asks(20, 90, atRisk) || !c.asks(7, 40, crm.ChurnCustomer{Customer: c.is.Customer, Reason: c.choose(reasons)}) || !c.in(35) {
		return
	}
	if c.asks(14, 60, crm.ReactivateCustomer{Customer: c.is.Customer}) {
		c.soon()
		c.ask(crm.UntagCustomer{Customer: c.is.Customer, Tag: atRisk.Tag})
	}
}

// join gives the customer an account.
func (c *relation) join() {
	c.plan.joined++
	user := c.account(c.who, strings.ToLower(string(c.is.Email)), c.at)
	u := &course{plan: c.plan, lane: c.lane, random: c.random, at: c.at}
	u.register(user, promenade.User)
	if c.in(60) {
		u.soon()
		u.do(func(ctx context.Context, h *hand) error { return h.verifyEmail(ctx, user.id) })
	}
	c.at = u.at
	c.soon()
	link := crm.LinkCustomer{Customer: c.is.Customer, User: user.id}
	c.do(func(ctx context.Context, h *hand) error {
		_, err := h.crm.Link(ctx, link)
		return err
	})
}

func customerMoved(c crm.CustomerID) moved {
	return func(ctx context.Context, h *hand) (time.Time, error) {
		is, err := commands.State[crm.Customer](ctx, h.identity.Executor, crm.CustomerStream(c))
		return is.UpdatedAt, err
	}
}
