package commands

import (
	"context"
	"errors"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// CRM is what can be asked of the customers' context. Who looks after customers, and who has an account, are users of
// one realm.
type CRM struct {
	Executor *Executor
	Identity *Identity
	Realm    string
}

// ErrNoRepresentative refuses to hand a customer to nobody.
var ErrNoRepresentative = &domain.Fault{
	Kind: domain.Invalid, Code: "no_representative", Text: "invalid request body",
	Fields: []domain.Field{{Name: "assigned_to", Text: "must be the id of an active user"}},
}

// Create makes a customer and answers him. A zero id stands for a new one. It refuses a taken address with
// crm.ErrEmailTaken, and somebody who can't look after him with ErrNoRepresentative.
func (c *CRM) Create(ctx context.Context, cmd crm.CreateCustomer) (is crm.Customer, err error) {
	if cmd.Customer.IsZero() {
		cmd.Customer.ID = id.New(c.Executor.Now())
	}
	if err := c.represents(ctx, cmd.AssignedTo); err != nil {
		return is, err
	}
	err = c.Executor.Do(ctx, func(w *Work) (err error) {
		is, err = Begin(w, cmd)
		return err
	})
	return is, err
}

// Created answers the customer that was made, as he was then.
func (c *CRM) Created(ctx context.Context, _ crm.CreateCustomer, made Made) (crm.Customer, error) {
	return StateAt[crm.Customer](ctx, c.Executor, made.Of("crm.customer"))
}

// Ask asks anything of a customer that the customer decides alone, and answers what he is then.
func (c *CRM) Ask(ctx context.Context, cmd domain.Command[crm.Customer]) (crm.Customer, error) {
	return Execute(ctx, c.Executor, cmd)
}

// Asked answers the customer as a request has left him; as he is where there was nothing to decide.
func (c *CRM) Asked(ctx context.Context, cmd domain.Command[crm.Customer], made Made) (crm.Customer, error) {
	if at := made.Of("crm.customer"); at != (Revision{}) {
		return StateAt[crm.Customer](ctx, c.Executor, at)
	}
	is, err := State[crm.Customer](ctx, c.Executor, cmd.Target())
	if err == nil && (is.ID.IsZero() || is.Deleted) {
		err = crm.ErrCustomerNotFound
	}
	return is, err
}

// Assign hands a customer to a user. It refuses with ErrNoRepresentative.
func (c *CRM) Assign(ctx context.Context, cmd domain.Command[crm.Customer]) (is crm.Customer, err error) {
	if to, assigns := cmd.(crm.AssignCustomer); assigns {
		err = c.represents(ctx, to.To)
	}
	if err != nil {
		return is, err
	}
	return c.Ask(ctx, cmd)
}

// Link says which user a customer is. It refuses with identity.ErrUserNotFound, with crm.ErrLinked and with
// crm.ErrUserLinked.
func (c *CRM) Link(ctx context.Context, cmd domain.Command[crm.Customer]) (is crm.Customer, err error) {
	if to, links := cmd.(crm.LinkCustomer); links {
		_, err = c.Identity.Get(remembering(ctx), c.Realm, to.User)
	}
	if err != nil {
		return is, err
	}
	return c.Ask(ctx, cmd)
}

// Delete takes a customer out of sight.
func (c *CRM) Delete(ctx context.Context, cmd crm.DeleteCustomer) error {
	_, err := Execute(ctx, c.Executor, cmd)
	return err
}

// represents refuses who can't look after customers; nobody may be asked for.
func (c *CRM) represents(ctx context.Context, u crm.UserID) error {
	if u.IsZero() {
		return nil
	}
	who, err := c.Identity.Get(remembering(ctx), c.Realm, u)
	if errors.Is(err, identity.ErrUserNotFound) || err == nil && who.Enter() != nil {
		return ErrNoRepresentative
	}
	return err
}
