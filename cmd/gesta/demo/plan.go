package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// chance is where all that is left to chance comes from: it falls the same way on each machine.
const chance = 20_250_601

// How many customers are made, and how many of them get an account.
const (
	customers = 308
	accounts  = 12
)

// plan is all that happens until a day.
type plan struct {
	today  time.Time
	crowd  *crowd
	staff  []colleague
	joined int    // customers with an account
	hiring []step // which comes first: who looks after customers has to be there
	steps  []step
}

// colleague is somebody who works for the company.
type colleague struct {
	account
	title, bio string
	role, team identity.Role
}

// account is somebody who is a user.
type account struct {
	person
	id    identity.UserID
	email string
	since time.Time
}

func newPlan(today time.Time) *plan {
	p := &plan{today: today, crowd: newCrowd(random(0))}
	for _, job := range jobs {
		for range job.count {
			p.hire(len(p.staff)+1, job.title, job.role, job.team, job.bio)
		}
	}
	p.hiring, p.steps = p.steps, nil
	for n, at := range p.arrivals() {
		p.customer(n+1, at)
	}
	return p
}

func random(part int) *rand.Rand { return rand.New(rand.NewPCG(chance, uint64(part))) }

// arrivals are when customers are heard of: more from month to month, with the seasons, and few on weekends.
func (p *plan) arrivals() (all []time.Time) {
	weights, sum := make([]int, days), 0
	for n := range weights {
		weights[n] = p.weight(n)
		sum += weights[n]
	}
	random, day, before := random(-1), 1, 0
	for n := range customers {
		for (before+weights[day])*customers <= n*sum && day < days-1 {
			before += weights[day]
			day++
		}
		all = append(all, p.on(day, random))
	}
	return all
}

func (p *plan) weight(day int) int {
	at := p.day(day)
	w := seasons[at.Month()-1] * (days + day) // Twice as many in the end as in the beginning.
	if isWeekend(at) {
		w /= 6
	}
	return w
}

func isWeekend(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }

func (p *plan) day(n int) time.Time { return p.today.AddDate(0, 0, n-days) }

// on is some time of a day at which people work.
func (p *plan) on(day int, random *rand.Rand) time.Time {
	return p.day(day).Add(8*time.Hour + time.Duration(random.IntN(10*3600))*time.Second)
}

// course is what happens to one thing, one after the other.
type course struct {
	*plan
	lane   int
	random *rand.Rand
	at     time.Time
	moved  moved // when the thing has changed last
	by     identity.UserID
}

// later lets some days pass, and tells whether today has not come yet. Nobody works on weekends.
func (c *course) later(least, most int) bool {
	at := c.at.AddDate(0, 0, least+c.random.IntN(most-least+1)).Truncate(24 * time.Hour)
	for isWeekend(at) {
		at = at.AddDate(0, 0, 1)
	}
	c.at = at.Add(8*time.Hour + time.Duration(c.random.IntN(10*3600))*time.Second)
	return c.at.Before(c.today)
}

// soon lets some minutes pass.
func (c *course) soon() { c.at = c.at.Add(time.Duration(3+c.random.IntN(50)) * time.Minute) }

func (c *course) do(f func(context.Context, *hand) error) {
	c.steps = append(c.steps, step{c.lane, c.at, c.by, c.moved, f})
}

// in tells whether one of so many in a hundred is meant.
func (c *course) in(hundred int) bool { return c.random.IntN(100) < hundred }

func (c *course) choose(from []choice) string {
	drawn := c.random.IntN(100)
	for _, one := range from {
		if drawn -= one.share; drawn < 0 {
			return one.word
		}
	}
	return from[0].word
}

// hire has somebody begin at the company: the first half in its first days, the others in the months after.
func (p *plan) hire(n int, title string, role, team identity.Role, bio string) {
	c := &course{plan: p, lane: n, random: random(-1 - n)}
	who := p.crowd.next()
	if n == 1 { // Somebody looks after the very first customers.
		c.at = p.on(0, c.random)
	} else {
		c.at = p.on(1+n%5, c.random)
	}
	if n%2 == 0 {
		c.later(10, 200)
	}
	s := colleague{p.account(who, string(who.at(home)), c.at), title, bio, role, team}
	p.staff = append(p.staff, s)
	c.register(s.account, role)
	c.soon()
	c.do(func(ctx context.Context, h *hand) error { return h.verifyEmail(ctx, s.id) })
	c.introduce(s)
	switch n {
	case 11, 19:
		c.putOut(s.account, identity.IsSuspended)
	case 23:
		c.putOut(s.account, identity.IsSuspended)
		c.later(5, 20)
		c.do(func(ctx context.Context, h *hand) error { return h.setStatus(ctx, s.id, identity.Active) })
	case 27:
		c.putOut(s.account, identity.IsBanned)
	}
}

func (p *plan) account(who person, email string, since time.Time) account {
	return account{who, identity.UserID{ID: id.NamedAt("demo/user/"+email, since)}, email, since}
}

// register makes an account, and the course that of its user.
func (c *course) register(a account, role identity.Role) {
	c.moved, c.by = userMoved(a.id), a.id
	c.do(func(ctx context.Context, h *hand) error { return h.register(ctx, a, role) })
}

func (c *course) putOut(a account, to identity.Status) {
	c.later(20, 90)
	c.by = Admin.ID()
	c.do(func(ctx context.Context, h *hand) error { return h.setStatus(ctx, a.id, to) })
}

// introduce has a colleague say who he is, and how he can be reached.
func (c *course) introduce(s colleague) {
	c.soon()
	profile := identity.ProfileID{ID: id.NamedAt("demo/profile/"+s.email, c.at)}
	c.own(profileMoved(profile), func(ctx context.Context, h *hand) error { return h.introduce(ctx, profile, s) })
	ways := []commands.ContactCreation{s.writes(), s.calls()}
	if c.in(40) {
		ways = append(ways, s.visits())
	}
	for n, w := range ways {
		c.soon()
		w.Contact.ID = id.NamedAt(fmt.Sprintf("demo/contact/%s/%d", s.email, n), c.at)
		moved := contactMoved(w.Contact)
		c.own(moved, func(ctx context.Context, h *hand) error { return h.reach(ctx, w) })
		if w.Type == identity.EmailContact || c.in(50) {
			c.soon()
			c.own(moved, func(ctx context.Context, h *hand) error { return h.verify(ctx, w) })
		}
	}
}

// own is about something else that is the user's.
func (c *course) own(moved moved, f func(context.Context, *hand) error) {
	c.steps = append(c.steps, step{c.lane, c.at, c.by, moved, f})
}
