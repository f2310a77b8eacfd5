package commands_test

import (
	"context"
	"testing"

	"gesta/commands"
	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/memory"
)

// interrupted is a store that lets something happen once it has said who holds claims in a scope.
type interrupted struct {
	eventstore.Store
	by func()
}

func (i *interrupted) Holders(ctx context.Context, scope eventstore.Hash) ([]domain.Stream, error) {
	holders, err := i.Store.Holders(ctx, scope)
	if by := i.by; by != nil {
		i.by = nil
		by()
	}
	return holders, err
}

// proof is good, and lets something happen when it is asked for: before anything is hashed.
type proof struct {
	eventstore.Store
	by func()
}

func (p proof) Holder(context.Context, eventstore.Claim) (domain.Stream, bool, error) {
	p.by()
	return domain.Stream{}, true, nil
}

// Nor does a session last that is opened while the new password is hashed.
func TestNoSessionSlipsInWhileAPasswordIsHashed(t *testing.T) {
	for _, here := range []bool{false, true} {
		store := &memory.Store{}
		p := populate(t, store)
		other := p
		if !here {
			other = populate(t, store)
		}
		u := p.member("ann@example.com")
		before := p.signIn("ann@example.com")
		var between commands.Grant
		ctx := commands.Proving(t.Context())
		must(t, eventstore.Require(ctx, proof{store, func() { between = other.signIn("ann@example.com") }}, eventstore.Claim{}, commands.ErrToken))
		_, err := p.Change(ctx, commands.Change{
			Realm: realm, User: u, Password: &commands.PasswordChange{Current: "password", New: "new"},
		})
		must(t, err)
		if p.lives(before) || p.lives(between) || between.Access == "" {
			t.Errorf("here %t: the session before lives: %t, the one in between: %t", here, p.lives(before), p.lives(between))
		}
	}
}

// A session that is opened once the others were asked for, here or in another process, ends with them.
func TestNoSessionSlipsInBetween(t *testing.T) {
	for what, end := range map[string]func(*population, commands.Change) error{
		"a new password": func(p *population, c commands.Change) error {
			c.Password = &commands.PasswordChange{Current: "password", New: "new"}
			_, err := p.Change(p.t.Context(), c)
			return err
		},
		"a deactivation": func(p *population, c commands.Change) error { return p.deactivate(c.User) },
	} {
		for _, here := range []bool{false, true} {
			store := &interrupted{Store: &memory.Store{}}
			p := populate(t, store)
			other := p
			if !here {
				other = populate(t, store.Store)
			}
			u := p.member("ann@example.com")
			before := p.signIn("ann@example.com")
			var between commands.Grant
			store.by = func() { between = other.signIn("ann@example.com") }
			must(t, end(p, commands.Change{Realm: realm, User: u}))
			if p.lives(before) || p.lives(between) || between.Access == "" {
				t.Errorf("%s, here %t: the session before lives: %t, the one in between: %t", what, here, p.lives(before), p.lives(between))
			}
		}
	}
}
