package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"gesta/commands"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal"
)

var (
	errOtherMasterKey = errors.New("not the master key of this store: the keys of its personal data are wrapped by another one")
	errNoKeys         = errors.New("this store was begun with keys that are not there: restore the backup of its schema of keys, or give the master key that it was begun with")
)

// openVault adds what opens events and hashes claims, if the master key is the store's own.
func (a *app) openVault(ctx context.Context) error {
	if err := a.openKeys(ctx, true); err != nil {
		return err
	}
	return a.store.CheckKey(ctx, a.hasher.Fingerprint())
}

// lookVault is openVault for who changes nothing.
func (a *app) lookVault(ctx context.Context) error {
	if err := a.openKeys(ctx, false); err != nil {
		return err
	}
	return a.store.CompareKey(ctx, a.hasher.Fingerprint())
}

// openKeys makes the keys of the house in a store that has none, or for this process alone.
func (a *app) openKeys(ctx context.Context, make bool) error {
	secrets, err := a.sys.secrets()
	if err != nil {
		return err
	}
	claims, err := a.begunWith(ctx, secrets.master)
	if err != nil {
		return err
	}
	var masters []seal.Master
	for _, key := range secrets.master {
		m, err := seal.NewMaster(key)
		if err != nil {
			return err
		}
		masters = append(masters, m)
	}
	has, err := seal.HasHouse(ctx, a.store)
	if err != nil {
		return err
	}
	var store seal.Store = a.store
	if !has && !make {
		store = &memory.Store{} // Nothing of such a store is sealed.
	}
	keys, err := seal.Open(ctx, store, claims, masters...)
	if errors.Is(err, seal.ErrMasterKey) {
		return fmt.Errorf("GESTA_MASTER_KEY: %w", errOtherMasterKey)
	}
	if err != nil {
		return err
	}
	a.vault, a.hasher = &seal.Vault{Catalogue: a.catalogue, Keys: keys}, commands.NewHasher(keys.Claims())
	return nil
}

// begunWith answers the key of the claims of a store that was begun before keys were kept; nil where there is none.
func (a *app) begunWith(ctx context.Context, masters [][]byte) (claims []byte, err error) {
	has, err1 := seal.HasHouse(ctx, a.store)
	begun, err2 := a.store.Fingerprint(ctx)
	if err := errors.Join(err1, err2); err != nil || has || begun == nil {
		return nil, err
	}
	for _, key := range masters {
		if claims, err = seal.LegacyClaims(key); err != nil {
			return nil, err
		}
		if bytes.Equal(commands.NewHasher(claims).Fingerprint(), begun) {
			return claims, nil
		}
	}
	return nil, fmt.Errorf("GESTA_MASTER_KEY: %w", errNoKeys)
}
