package commands_test

import (
	"fmt"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal/sealtest"
)

// What it takes to look at a long stream: what it was at its end, and what has changed in all of it.
func BenchmarkHistory(b *testing.B) {
	const events = 100_000
	store := &memory.Store{}
	v := sealtest.Vault(b, store, domain.NewCatalogue(identity.Types))
	ann := identity.UserID{ID: id.Named("ann")}
	s := identity.UserStream(ann)
	for at := int64(0); at < events; {
		w := eventstore.Write{Stream: s, Expect: at}
		var keys []eventstore.SubjectKey
		for range 1000 {
			at++
			e := domain.Event(identity.UserEmailChanged{UserID: ann, Email: value.Email(fmt.Sprintf("ann%d@example.com", at))})
			if at == 1 {
				e = identity.UserRegistered{UserID: ann, Realm: "r", Role: "member", Email: "ann@example.com", Phone: "1"}
			}
			event := id.Event{ID: id.New(time.Now())}
			enc, fresh := sealtest.Event(b, v, s, event, e)
			keys = append(keys, fresh...)
			w.Events = append(w.Events, eventstore.NewEvent{
				ID: event, Type: enc.Type, Schema: enc.Schema, Data: enc.Data, Meta: []byte(`{"actor":"user/1"}`), OccurredAt: time.Now(),
			})
		}
		_, err := store.Append(b.Context(), eventstore.Append{Writes: []eventstore.Write{w}, Keys: keys})
		must(b, err)
	}
	h := commands.History{Store: store, Vault: v, Aggregates: domain.NewAggregates(identity.Aggregates)}
	for what, look := range map[string]func() error{
		"state masked": func() error { _, err := h.StateAt(b.Context(), s, commands.Now, false); return err },
		"state clear":  func() error { _, err := h.StateAt(b.Context(), s, commands.Now, true); return err },
		"diff": func() error {
			_, err := h.Diff(b.Context(), s, commands.Between{To: commands.Now})
			return err
		},
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, look())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
		})
	}
}
