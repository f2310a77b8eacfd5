package main

import (
	"encoding/base64"
	"testing"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/seal"
)

// testMasterKey is the master key of installations in tests.
const testMasterKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// told is an event of a history, opened.
type told struct {
	eventstore.Recorded
	domain.Event
}

// openedHistory reads all that happened.
func openedHistory(t *testing.T, owner string) (all []told) {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Options{URL: owner})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key, err := base64.StdEncoding.DecodeString(testMasterKey)
	if err != nil {
		t.Fatal(err)
	}
	master, err := seal.NewMaster(key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Open(t.Context(), store, nil, master)
	if err != nil {
		t.Fatal(err)
	}
	vault := &seal.Vault{Catalogue: newCatalogue(), Keys: keys}
	for {
		events, err := store.Read(t.Context(), int64(len(all)), 1000)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := vault.Decode(t.Context(), events...)
		if err != nil {
			t.Fatal(err)
		}
		for n, o := range opened {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			all = append(all, told{events[n], o.Event})
		}
		if len(events) < 1000 {
			return all
		}
	}
}
