// Package sealtest has vaults for tests.
package sealtest

import (
	"context"
	"testing"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// Master is the master key of tests, and of nothing else.
func Master(t testing.TB) seal.Master {
	t.Helper()
	m, err := seal.NewMaster(make([]byte, seal.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Vault is one over the keys of a store.
func Vault(t testing.TB, s seal.Store, c domain.Catalogue) *seal.Vault {
	t.Helper()
	keys, err := seal.Open(context.WithoutCancel(t.Context()), s, make([]byte, seal.KeyBytes), Master(t))
	if err != nil {
		t.Fatal(err)
	}
	return &seal.Vault{Catalogue: c, Keys: keys}
}

// Event seals an event that is to stand in a stream, and answers its write's part with the keys that an append has to
// bring beside it.
func Event(t testing.TB, v *seal.Vault, s domain.Stream, event id.Event, e domain.Event) (domain.Encoded, []eventstore.SubjectKey) {
	t.Helper()
	sealing := v.Sealing(context.WithoutCancel(t.Context()), func(id.ID) bool { return false })
	enc, err := sealing.Encode(s, event, e)
	if err != nil {
		t.Fatal(err)
	}
	sealing.Kept()
	return enc, sealing.Keys
}
