package commands

import (
	"context"
	"time"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/eventstore"
)

// Contexts are what policies ask things of.
type Contexts struct {
	Identity *Identity
}

// Policies are all there are: whenever this happened, ask that. Their names are for ever, like those of
// events.
var Policies = []Policy{
	When("suspect_sign_in", func(ctx context.Context, c Contexts, r eventstore.Recorded, e identity.SignInFailed) error {
		return c.Identity.suspectSignIn(ctx, r, e)
	}),
	At("end_suspicion", identity.SignInSuspected.Ends, func(ctx context.Context, c Contexts, r eventstore.Recorded, e identity.SignInSuspected) error {
		return c.Identity.endSuspicion(ctx, r, e)
	}),
	When("send_contact_code", func(ctx context.Context, c Contexts, r eventstore.Recorded, e identity.ContactVerificationRequested) error {
		return c.Identity.sendContactCode(ctx, r, e)
	}),
	When("send_email_code", func(ctx context.Context, c Contexts, r eventstore.Recorded, e identity.UserEmailVerificationRequested) error {
		return c.Identity.sendEmailCode(ctx, r, e)
	}),
}

// Policy is one reaction to one type of event. It is asked for at least once for each such event, and
// what it appends is appended once: it may append once alone, and what it decides must be a command's
// decision. What it does beside that must bear repetition.
type Policy struct {
	Name string // snake_case
	Type string
	due  func(domain.Event) time.Time // nil for at once
	do   func(context.Context, Contexts, eventstore.Recorded, domain.Event) error
}

// When reacts at once.
func When[E domain.Event](name string, do func(context.Context, Contexts, eventstore.Recorded, E) error) Policy {
	var zero E
	return Policy{
		Name: name, Type: zero.EventType(),
		do: func(ctx context.Context, c Contexts, r eventstore.Recorded, e domain.Event) error {
			return do(ctx, c, r, e.(E))
		},
	}
}

// At reacts when the time has come that the event itself tells: a due time is a fact.
func At[E domain.Event](name string, due func(E) time.Time, do func(context.Context, Contexts, eventstore.Recorded, E) error) Policy {
	p := When(name, do)
	p.due = func(e domain.Event) time.Time { return due(e.(E)) }
	return p
}
