package seal_test

import (
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/spec"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal/sealtest"
)

var pages = map[string]func(n int) domain.Event{
	"registered": func(int) domain.Event {
		return identity.UserRegistered{
			UserID: identity.UserID{ID: id.New(time.Now())}, Realm: "accounts", Role: "CU", Email: "someone@example.com", Phone: "+5511999990000",
			PasswordHash: "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		}
	},
	"phone changed": func(int) domain.Event {
		return identity.UserPhoneChanged{UserID: identity.UserID{ID: id.New(time.Now())}, Phone: "+5511999990000"}
	},
}

// What it costs to open a page of a thousand events about as many persons, beside reading them in clear.
func BenchmarkDecode(b *testing.B) {
	for what, make := range pages {
		for _, sealed := range []bool{false, true} {
			name := what + " clear"
			if sealed {
				name = what + " sealed"
			}
			store := &memory.Store{}
			v := sealtest.Vault(b, store, domain.NewCatalogue(identity.Types))
			var events []eventstore.Recorded
			for n := range 1000 {
				s, event := domain.Stream{Kind: "identity.user", ID: id.New(time.Now())}, id.Event{ID: id.New(time.Now())}
				e := make(n)
				enc, keys := sealtest.Event(b, v, s, event, e)
				if !sealed {
					enc, _ = v.Catalogue.Encode(e, spec.Clear{})
				} else if _, err := store.Append(b.Context(), eventstore.Append{Keys: keys}); err != nil {
					b.Fatal(err)
				}
				events = append(events, eventstore.Recorded{Stream: s, NewEvent: eventstore.NewEvent{ID: event, Type: enc.Type, Schema: enc.Schema, Data: enc.Data, Secret: enc.Secret}})
			}
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					w := v.Over(store)
					if _, err := w.Decode(b.Context(), events...); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
			})
		}
	}
}
