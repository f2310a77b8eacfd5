// Package demo makes up a company and what happened to it in the last year, by the commands that everybody uses.
package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// Password is everybody's. It is public on purpose: demo data is for machines that nobody else reaches.
const Password = "gesta-demo-1"

// Surface is what the demo data's events say that they came by.
const Surface = "seed"

// Demo puts the company into a realm.
type Demo struct {
	hands []*hand
}

// hand is one of those who put things in. Each has a clock.
type hand struct {
	identity *commands.Identity
	crm      *commands.CRM
	realm    identity.Realm
	hash     string    // of the password
	clock    time.Time // what time it is; zero for what it truly is
}

// hands are as many as write at the same time, so that their commits share the way to the disk.
const hands = 8

// New has executors made that nobody else uses, whose clocks are the demo's. What else commands need is as others have it.
func New(executor func() *commands.Executor, like *commands.Identity, in identity.Realm) *Demo {
	d := &Demo{}
	for range hands {
		x, h := executor(), &hand{realm: in}
		x.Now = h.now
		h.identity = &commands.Identity{Executor: x, Passwords: like.Passwords, Tokens: like.Tokens, Realms: like.Realms}
		h.crm = &commands.CRM{Executor: x, Realm: in.Name}
		d.hands = append(d.hands, h)
	}
	return d
}

func (h *hand) now() time.Time {
	if h.clock.IsZero() {
		return time.Now()
	}
	return h.clock
}

// step is something that happened to one thing in the past. Who does it does all that happened to that thing.
type step struct {
	lane  int
	at    time.Time
	by    identity.UserID // zero for nobody in particular
	moved moved
	do    func(context.Context, *hand) error
}

// moved tells when a thing has changed last.
type moved func(context.Context, *hand) (time.Time, error)

// days is how long ago it all began.
const days = 364

// IsWhole tells whether everything was put in before, whatever has become of it.
func (d *Demo) IsWhole(ctx context.Context) (bool, error) {
	u, err := d.hands[0].user(ctx, SuperAdmin.ID())
	return !u.ID.IsZero(), err
}

// Put puts in what is missing, unless everything was there before. What somebody has changed since is left as it is.
// It refuses with identity.ErrEmailTaken where one of those who run the company is not its own.
func (d *Demo) Put(ctx context.Context) error {
	whole, err := d.IsWhole(ctx)
	if err != nil || whole {
		return err
	}
	first := d.hands[0]
	if err := first.canFound(ctx, Admin, SuperAdmin); err != nil {
		return err
	}
	hash, err := first.identity.Passwords.Hash(ctx, Password)
	for _, h := range d.hands {
		h.hash = hash
	}
	if err != nil {
		return err
	}
	today, err := first.today(ctx)
	if err != nil {
		return err
	}
	p := newPlan(today)
	for _, steps := range [][]step{p.hiring, p.steps} {
		if err := d.pass(ctx, steps); err != nil {
			return err
		}
	}
	first.clock = time.Time{}
	ctx = first.as(ctx, identity.UserID{})
	if err := first.team(ctx, p.staff); err != nil {
		return err
	}
	return first.found(ctx, SuperAdmin) // The last one: see IsWhole.
}

func (h *hand) user(ctx context.Context, u identity.UserID) (identity.User, error) {
	return commands.State[identity.User](ctx, h.identity.Executor, identity.UserStream(u))
}

// today is the day on which it was begun to put everything in, which is how far the history goes.
func (h *hand) today(ctx context.Context) (time.Time, error) {
	const day = 24 * time.Hour
	u, err := h.user(ctx, Admin.ID())
	if err != nil || !u.ID.IsZero() {
		return u.CreatedAt.Truncate(day).AddDate(0, 0, days), err
	}
	today := time.Now().UTC().Truncate(day)
	h.clock = today.AddDate(0, 0, -days).Add(7 * time.Hour)
	return today, h.found(h.as(ctx, identity.UserID{}), Admin)
}

// pass lets time pass: what happened first is done first, by each hand.
func (d *Demo) pass(ctx context.Context, steps []step) error {
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	all, ctx := errgroup.WithContext(ctx)
	for n, h := range d.hands {
		all.Go(func() error {
			for _, s := range steps {
				if s.lane%len(d.hands) != n {
					continue
				}
				if err := h.take(ctx, s); err != nil {
					return fmt.Errorf("demo data of %s: %w", s.at.Format(time.DateOnly), err)
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// take takes a step. A thing that has moved on to the step's time is past it, or somebody has changed it since: that it
// has changed may also be why it can't be done.
func (h *hand) take(ctx context.Context, s step) error {
	h.clock = s.at
	last, err := s.moved(ctx, h)
	if err == nil && last.Before(s.at) {
		err = s.do(h.as(ctx, s.by), h)
	}
	if isMoved(err) {
		return nil
	}
	return err
}

// isMoved tells refusals of what is no longer as it was from failures.
func isMoved(err error) bool {
	var f *domain.Fault
	return errors.Is(err, commands.ErrNoRepresentative) ||
		errors.As(err, &f) && (f.Kind == domain.Conflict || f.Kind == domain.NotFound)
}

// as answers a context in which a user causes what is done.
func (h *hand) as(ctx context.Context, by identity.UserID) context.Context {
	m := domain.Meta{Actor: "system", Realm: h.realm.Name, Surface: Surface}
	if !by.IsZero() {
		m.Actor = identity.Actor(by)
	}
	return domain.WithMeta(ctx, m)
}

// itself may do everything.
func (h *hand) itself() identity.Caller {
	return identity.Caller{Realm: h.realm.Name, Role: h.realm.Administrator}
}

// found registers one of those who run the company.
// canFound refuses, with identity.ErrEmailTaken, to begin what could not be ended.
func (h *hand) canFound(ctx context.Context, founders ...Login) error {
	for _, l := range founders {
		s, taken, err := h.identity.Executor.Holder(ctx, identity.EmailClaim(h.realm.Name, l.Email))
		if err != nil {
			return err
		}
		if taken && s.ID != l.ID().ID {
			return identity.ErrEmailTaken
		}
	}
	return nil
}

func (h *hand) found(ctx context.Context, l Login) error {
	_, err := h.identity.Register(ctx, commands.Registration{
		User: l.ID(), Realm: h.realm, By: h.itself(), Role: l.Role, Name: l.Name, Email: l.Email, PasswordHash: h.hash,
	})
	if errors.Is(err, commands.ErrExists) { // By another, just now.
		return nil
	}
	return err
}

// team makes the company's own roles, and gives them to who has such a job. They hold permissions that are older than the
// company: that is why it happens when it happens.
func (h *hand) team(ctx context.Context, staff []colleague) error {
	for _, r := range roles {
		role := identity.RoleID{ID: id.Named("demo/role/" + string(r.name))}
		_, err := h.identity.CreateRole(ctx, commands.NewRole{
			Role: role, Realm: h.realm, Name: r.name, DisplayName: r.title, Description: r.description,
		})
		if err == nil || isMoved(err) {
			_, err = h.identity.GrantPermissions(ctx, commands.Granting{
				Realm: h.realm, By: h.itself(), Role: role, Permissions: h.permissions(r.may),
			})
		}
		for _, s := range staff {
			if s.team == r.name && (err == nil || isMoved(err)) {
				_, err = h.identity.AssignRole(ctx, commands.Assignment{Realm: h.realm, By: h.itself(), User: s.id, Role: role})
			}
		}
		if err != nil && !isMoved(err) {
			return fmt.Errorf("demo role %s: %w", r.name, err)
		}
	}
	return nil
}

func (h *hand) permissions(all []identity.Permission) (ids []identity.PermissionID) {
	for _, p := range all {
		ids = append(ids, identity.SystemPermissionID(h.realm.Name, p))
	}
	return ids
}
