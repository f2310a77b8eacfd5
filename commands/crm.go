package commands

import (
	"context"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
)

// CRM is what can be asked of the customers' context. Who looks after customers, and who has an account, are users of
// one realm.
type CRM struct {
	Executor *Executor
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
	err = c.Executor.Do(ctx, func(w *Work) (err error) {
		if !cmd.AssignedTo.IsZero() {
			err = c.isActive(w, cmd.AssignedTo, ErrNoRepresentative)
		}
		if err == nil {
			is, err = Begin(w, cmd)
		}
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

// Assign hands a customer to an active user. It refuses with ErrNoRepresentative.
func (c *CRM) Assign(ctx context.Context, cmd crm.AssignCustomer) (is crm.Customer, err error) {
	return c.give(ctx, cmd, cmd.To, ErrNoRepresentative)
}

// Assigned is Asked for what was assigned.
func (c *CRM) Assigned(ctx context.Context, cmd crm.AssignCustomer, made Made) (crm.Customer, error) {
	return c.Asked(ctx, cmd, made)
}

// Link says which active user a customer is. It refuses with identity.ErrUserNotFound, with crm.ErrLinked and with
// crm.ErrUserLinked.
func (c *CRM) Link(ctx context.Context, cmd crm.LinkCustomer) (is crm.Customer, err error) {
	return c.give(ctx, cmd, cmd.User, identity.ErrUserNotFound)
}

// Linked is Asked for what was linked.
func (c *CRM) Linked(ctx context.Context, cmd crm.LinkCustomer, made Made) (crm.Customer, error) {
	return c.Asked(ctx, cmd, made)
}

// give decides what has to do with a user, who must be active.
func (c *CRM) give(ctx context.Context, cmd domain.Command[crm.Customer], to crm.UserID, otherwise error) (is crm.Customer, err error) {
	err = c.Executor.Do(ctx, func(w *Work) error {
		if err := w.Hold(cmd.Target(), identity.UserStream(to)); err != nil {
			return err
		}
		if err := c.isActive(w, to, otherwise); err != nil {
			return err
		}
		is, err = Decide(w, cmd)
		return err
	})
	return is, err
}

// Delete takes a customer out of sight.
func (c *CRM) Delete(ctx context.Context, cmd crm.DeleteCustomer) error {
	_, err := Execute(ctx, c.Executor, cmd)
	return err
}

// Leave deletes a customer who is going to be forgotten.
func (c *CRM) Leave(w *Work, subject id.ID) (realm string, err error) {
	customer := crm.CustomerID{ID: subject}
	is, err := Look[crm.Customer](w, crm.CustomerStream(customer))
	if err != nil || is.ID.IsZero() || is.Deleted {
		return "", err
	}
	_, err = Decide(w, crm.DeleteCustomer{Customer: customer})
	return c.Realm, err
}

// isActive refuses who is no active user of the realm. That he is one is part of what is appended.
func (c *CRM) isActive(w *Work, u crm.UserID, otherwise error) error {
	who, err := Look[identity.User](w, identity.UserStream(u))
	if err == nil && (who.Realm != c.Realm || who.Enter() != nil) {
		err = otherwise
	}
	return err
}
