package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"gesta/commands"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal"
)

var (
	errOtherMasterKey = errors.New("not the master key of this store")
	errNoKeys         = errors.New("the keys of this store are not there: restore the backup of its schema of keys")
)

// openVault adds what opens events and hashes claims, if the master key is the store's own.
func (a *app) openVault(ctx context.Context) error {
	if err := a.openKeys(ctx, true); err != nil {
		return err
	}
	if err := a.store.CheckKey(ctx, a.hasher.Fingerprint()); err != nil {
		return err
	}
	if a.sealed {
		return nil
	}
	head, err := a.store.Head(ctx)
	if err != nil {
		return err
	}
	if head.Position > 0 {
		a.log.Info("whoever the history speaks of in clear is looked for", "up_to", head.Position)
	}
	if _, err := a.reindex(ctx, head.Position); err != nil {
		return err
	}
	return a.store.BeginSealing(ctx, head.Position, false)
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
	masters, claims, err := a.masters(ctx)
	if err != nil {
		return err
	}
	var store seal.Store = a.store
	if !a.sealed && !make {
		store = &memory.Store{} // Nothing of such a store is sealed.
	}
	keys, err := seal.Open(ctx, store, claims, masters...)
	if errors.Is(err, seal.ErrMasterKey) {
		return fmt.Errorf("GESTA_MASTER_KEY: %w", errOtherMasterKey)
	}
	if err != nil {
		return err
	}
	beside, err := a.store.KeysBeside(ctx, keys.Heads()...)
	if err != nil {
		return err
	}
	if beside > 0 {
		return fmt.Errorf("GESTA_MASTER_KEY: %d keys are wrapped by another master key: give it as GESTA_MASTER_KEY_PREVIOUS, and run 'gesta keys rotate'", beside)
	}
	a.vault, a.hasher = &seal.Vault{Catalogue: a.catalogue, Keys: keys}, commands.NewHasher(keys.Claims())
	return a.noteNewKey(ctx)
}

// masters are the master keys, and the key of the claims of a store that was begun before keys were kept; nil of any
// other.
func (a *app) masters(ctx context.Context) (all []seal.Master, claims []byte, err error) {
	secrets, err := a.sys.secrets()
	if err != nil {
		return nil, nil, err
	}
	for _, key := range secrets.master {
		m, err := seal.NewMaster(key)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, m)
	}
	if a.sealedAfter, a.sealed, err = a.store.SealedAfter(ctx); err != nil {
		return nil, nil, err
	}
	claims, err = a.begunWith(ctx, secrets.master)
	return all, claims, err
}

func (a *app) begunWith(ctx context.Context, masters [][]byte) (claims []byte, err error) {
	house, err1 := a.store.HouseKeys(ctx)
	begun, err2 := a.store.Fingerprint(ctx)
	switch err := errors.Join(err1, err2); {
	case err != nil || house[seal.ClaimsKey] != nil:
		return nil, err
	case a.sealed:
		return nil, errNoKeys
	case begun == nil:
		return nil, nil
	}
	for _, key := range masters {
		if claims, err = seal.LegacyClaims(key); err != nil {
			return nil, err
		}
		if bytes.Equal(commands.NewHasher(claims).Fingerprint(), begun) {
			return claims, nil
		}
	}
	return nil, fmt.Errorf("GESTA_MASTER_KEY: %w", errOtherMasterKey)
}

// reindex finds from the history which streams hold whom, up to a position, and answers how many were not known to.
func (a *app) reindex(ctx context.Context, last int64) (added int64, err error) {
	for after := int64(0); after < last; {
		events, err := a.store.Read(ctx, after, exportPage)
		if err != nil || len(events) == 0 {
			return added, err
		}
		held, keys := a.holdings(events)
		n, err := a.store.IndexSubjects(ctx, held, keys)
		if err != nil {
			return added, err
		}
		added, after = added+n, events[len(events)-1].Position
	}
	return added, nil
}

// holdings are whom events are about. Those of whom they speak in clear get a key, if they have none: something sealed
// may follow. What can't be read here is about nobody.
func (a *app) holdings(events []eventstore.Recorded) (all []eventstore.Holding, keys []eventstore.SubjectKey) {
	for _, r := range events {
		closed, err := a.catalogue.Parse(r.Type, r.Schema, r.Data, r.Secret)
		if err != nil {
			continue
		}
		for _, s := range closed.AddSubjects(nil) {
			all = append(all, eventstore.Holding{Subject: eventstore.SubjectID(s), Stream: r.Stream})
		}
		for _, s := range closed.AddClear(nil) {
			all = append(all, eventstore.Holding{Subject: eventstore.SubjectID(s), Stream: r.Stream})
			keys = append(keys, a.vault.Keys.New(s))
		}
	}
	return all, keys
}
