package commands_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/value"
	"gesta/eventstore"
)

func (p *population) crm() *commands.CRM {
	return &commands.CRM{Executor: p.Executor, Realm: realm.Name}
}

func newCustomer(email string) crm.CreateCustomer {
	return crm.CreateCustomer{Name: "John Doe", Email: value.Email(email), Status: crm.Lead, Tier: crm.Free}
}

func (p *population) customer(email string) crm.CustomerID {
	p.t.Helper()
	c, err := p.crm().Create(p.t.Context(), newCustomer(email))
	must(p.t, err)
	return c.ID
}

func TestOnlyOneCustomerHasAnAddress(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, _ eventstore.Store, one, two *population) {
		var wg sync.WaitGroup
		made, taken := make(chan crm.CustomerID, 20), make(chan error, 20)
		for i := range 20 {
			wg.Go(func() {
				p := []*population{one, two}[i%2]
				c, err := p.crm().Create(t.Context(), newCustomer("john@example.com"))
				if err == nil {
					made <- c.ID
				} else {
					taken <- err
				}
			})
		}
		wg.Wait()
		if len(made) != 1 || len(taken) != 19 {
			t.Fatalf("%d have the address", len(made))
		}
		for range 19 {
			if err := <-taken; !errors.Is(err, crm.ErrEmailTaken) {
				t.Error(err)
			}
		}
		must(t, one.crm().Delete(t.Context(), crm.DeleteCustomer{Customer: <-made}))
		two.customer("john@example.com") // It is free again.
	})
}

func TestWhoLooksAfterCustomers(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, _ eventstore.Store, one, two *population) {
		c, rep := one.customer("john@example.com"), one.member("rep@example.com")
		is, err := two.crm().Assign(t.Context(), crm.AssignCustomer{Customer: c, To: rep})
		if err != nil || is.AssignedTo != rep {
			t.Errorf("%+v, %v", is, err)
		}
		gone := one.member("gone@example.com")
		must(t, one.Deactivate(t.Context(), commands.Deactivation{Realm: realm, User: gone}))
		elsewhere := *two.crm()
		elsewhere.Realm = "other"
		for name, c := range map[string]struct {
			crm *commands.CRM
			to  crm.UserID
		}{
			"somebody unknown": {two.crm(), crm.UserID{ID: id.Named("unknown")}},
			"who was put out":  {two.crm(), gone},
			"another realm's":  {&elsewhere, rep},
		} {
			if _, err := c.crm.Assign(t.Context(), crm.AssignCustomer{Customer: is.ID, To: c.to}); !errors.Is(err, commands.ErrNoRepresentative) {
				t.Errorf("%s: %v", name, err)
			}
			create := newCustomer("other@example.com")
			create.AssignedTo = c.to
			if _, err := c.crm.Create(t.Context(), create); !errors.Is(err, commands.ErrNoRepresentative) {
				t.Errorf("at once, %s: %v", name, err)
			}
			if _, err := c.crm.Link(t.Context(), crm.LinkCustomer{Customer: is.ID, User: c.to}); !errors.Is(err, identity.ErrUserNotFound) {
				t.Errorf("as an account, %s: %v", name, err)
			}
		}
	})
}

func TestOneCustomerPerUser(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, _ eventstore.Store, one, two *population) {
		user, john, jane := one.member("john@example.com"), one.customer("john@example.com"), two.customer("jane@example.com")
		if _, err := one.crm().Link(t.Context(), crm.LinkCustomer{Customer: john, User: crm.UserID{ID: id.Named("unknown")}}); !errors.Is(err, identity.ErrUserNotFound) {
			t.Error(err)
		}
		is, err := one.crm().Link(t.Context(), crm.LinkCustomer{Customer: john, User: user})
		if err != nil || is.User != user {
			t.Errorf("%+v, %v", is, err)
		}
		if _, err := two.crm().Link(t.Context(), crm.LinkCustomer{Customer: jane, User: user}); !errors.Is(err, crm.ErrUserLinked) {
			t.Error(err)
		}
		must(t, two.crm().Delete(t.Context(), crm.DeleteCustomer{Customer: john}))
		_, err = two.crm().Link(t.Context(), crm.LinkCustomer{Customer: jane, User: user})
		must(t, err)
	})
}

// Whoever is put out while customers are handed to him, has none handed to him afterwards.
func TestNobodyIsGivenCustomersAfterHeIsPutOut(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		var wg sync.WaitGroup
		for i := range 10 {
			john, jane := one.customer(fmt.Sprintf("john%d@example.com", i)), one.customer(fmt.Sprintf("jane%d@example.com", i))
			who := two.member(fmt.Sprintf("rep%d@example.com", i))
			create := newCustomer(fmt.Sprintf("jim%d@example.com", i))
			create.AssignedTo = who
			for _, f := range []func() error{
				func() error { return two.deactivate(who) },
				func() error {
					_, err := one.crm().Assign(t.Context(), crm.AssignCustomer{Customer: john, To: who})
					return err
				},
				func() error {
					_, err := one.crm().Link(t.Context(), crm.LinkCustomer{Customer: jane, User: who})
					return err
				},
				func() error { _, err := one.crm().Create(t.Context(), create); return err },
			} {
				wg.Go(func() {
					if err := f(); err != nil && !errors.Is(err, commands.ErrNoRepresentative) && !errors.Is(err, identity.ErrUserNotFound) {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		out := map[crm.UserID]bool{}
		given := func(u crm.UserID) {
			if out[u] {
				t.Errorf("%s is given a customer, and was put out", u)
			}
		}
		for _, e := range one.said(s) {
			switch e := e.(type) {
			case identity.UserDeactivated:
				out[e.UserID] = true
			case crm.CustomerAssigned:
				given(e.To)
			case crm.CustomerLinked:
				given(e.UserID)
			case crm.CustomerCreated:
				given(e.AssignedTo)
			}
		}
		if len(out) != 10 {
			t.Errorf("%d are put out", len(out))
		}
	})
}

// said is all that has happened.
func (p *population) said(s eventstore.Store) (all []domain.Event) {
	p.t.Helper()
	recorded, err := s.Read(p.t.Context(), 0, 1000)
	must(p.t, err)
	opened, err := p.Executor.Vault.Decode(p.t.Context(), recorded...)
	must(p.t, err)
	for _, o := range opened {
		must(p.t, o.Err)
		all = append(all, o.Event)
	}
	return all
}

// What was asked for under a key is shown as it was then, also where there was nothing to decide.
func TestACustomerAsARequestHasLeftHim(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, _ eventstore.Store, one, _ *population) {
		c, rep := one.customer("john@example.com"), one.member("rep@example.com")
		assign := crm.AssignCustomer{Customer: c, To: rep}
		do := func(key string) commands.Made {
			made, _, err := one.Executor.Repeat(t.Context(), commands.Request{Scope: "s", Key: key, Asks: "x"}, func(ctx context.Context) error {
				_, err := one.crm().Assign(ctx, assign)
				return err
			})
			must(t, err)
			return made
		}
		do("1")
		do("2")
		_, err := one.crm().Ask(t.Context(), crm.QualifyCustomer{Customer: c})
		must(t, err)
		for key, want := range map[string]crm.Status{"1": crm.Lead, "2": crm.Prospect} {
			is, err := one.crm().Assigned(t.Context(), assign, do(key))
			if err != nil || is.Status != want || is.AssignedTo != rep {
				t.Errorf("%s: %+v, %v", key, is, err)
			}
		}
	})
}

// Nothing is left of a customer who is forgotten but the words that tell nobody who he was; his names are free.
func TestACustomerIsForgotten(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		user, john := one.member("user@example.com"), one.customer("john@example.com")
		_, err := one.crm().Link(t.Context(), crm.LinkCustomer{Customer: john, User: user})
		must(t, err)
		for _, cmd := range []domain.Command[crm.Customer]{
			crm.QualifyCustomer{Customer: john}, crm.ConvertCustomer{Customer: john}, crm.ChurnCustomer{Customer: john, Reason: "John moved"},
		} {
			_, err := two.crm().Ask(t.Context(), cmd)
			must(t, err)
		}
		_, err = one.privacy().Forget(t.Context(), privacy.SubjectID(john))
		must(t, err)
		for name, p := range map[string]*population{"here": one, "elsewhere": two, "anew": populate(t, s)} {
			c, err := commands.State[crm.Customer](t.Context(), p.Executor, crm.CustomerStream(john))
			must(t, err)
			if said := fmt.Sprintf("%+v", c); strings.Contains(strings.ToLower(said), "john") || c.Status != crm.Churned || !c.Deleted {
				t.Errorf("%s he is %s", name, said)
			}
		}
		if _, err := one.crm().Ask(t.Context(), crm.ReactivateCustomer{Customer: john}); !errors.Is(err, crm.ErrCustomerNotFound) {
			t.Errorf("he comes back: %v", err)
		}
		again := two.customer("john@example.com")
		_, err = two.crm().Link(t.Context(), crm.LinkCustomer{Customer: again, User: user})
		must(t, err)
	})
}
