package commands_test

import (
	"context"
	"errors"
	"testing"

	"gesta/commands"
	"gesta/eventstore/memory"
)

// A store need not know of proof for it to be asked before anything is hashed or appended.
func TestWithoutProofNothingIsHashedOrAppended(t *testing.T) {
	store := &memory.Store{}
	p := populate(t, store)
	p.member("ann@example.com")
	g := p.signIn("ann@example.com")
	for _, ended := range []bool{false, true} {
		for what, try := range map[string]func(context.Context) error{
			"an append": func(ctx context.Context) error {
				_, err := commands.Execute(ctx, executor(t, store), count{stream("a"), 1, ""})
				return err
			},
			"a hash":  func(ctx context.Context) error { _, err := p.Passwords.Hash(ctx, "password"); return err },
			"nothing": commands.Proven,
		} {
			ctx := commands.Proving(t.Context())
			_, err := p.Authenticate(ctx, "r", g.Access)
			must(t, err)
			if err := try(ctx); errors.Is(err, commands.ErrTokenRevoked) != ended {
				t.Errorf("%s, ended %t: %v", what, ended, err)
			}
		}
		caller, _ := p.Authenticate(t.Context(), "r", g.Access)
		must(t, p.SignOut(t.Context(), caller))
	}
	if state, err := commands.State[counter](t.Context(), executor(t, store), stream("a")); err != nil || state.Sum != 1 {
		t.Errorf("%+v, %v", state, err)
	}
}
