package projections_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/spec"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/seal/sealtest"
	"gesta/projections"
)

var catalogue = domain.NewCatalogue(identity.Types, crm.Types, privacy.Types, thingTypes)

type factsOf struct {
	begins, goesOn []func(*rapid.T, id.ID) domain.Event
}

// facts are the next events that each kind of stream may have; those with which it begins come first.
var facts = map[string]factsOf{
	"crm.customer": customerFacts,
	"identity.user": {
		begins: []func(*rapid.T, id.ID) domain.Event{
			func(t *rapid.T, i id.ID) domain.Event {
				return identity.UserRegistered{
					UserID: identity.UserID{ID: i}, Realm: word(t), Role: "CU", Name: own(t), Email: email(t), Phone: value.Phone(own(t)),
					PasswordHash: own(t),
				}
			},
		},
		goesOn: []func(*rapid.T, id.ID) domain.Event{
			func(t *rapid.T, i id.ID) domain.Event {
				return identity.UserEmailChanged{UserID: identity.UserID{ID: i}, Email: email(t)}
			},
			func(t *rapid.T, i id.ID) domain.Event {
				return identity.UserPhoneChanged{UserID: identity.UserID{ID: i}, Phone: value.Phone(own(t))}
			},
			func(*rapid.T, id.ID) domain.Event { return identity.UserDeactivated{} },
			func(*rapid.T, id.ID) domain.Event { return identity.UserReactivated{} },
			func(*rapid.T, id.ID) domain.Event { return identity.UserPasswordChanged{} },
			func(*rapid.T, id.ID) domain.Event { return identity.UserSignedIn{} },
			func(t *rapid.T, i id.ID) domain.Event {
				return identity.UserNameChanged{UserID: identity.UserID{ID: i}, Name: own(t)}
			},
			func(*rapid.T, id.ID) domain.Event { return identity.UserEmailVerified{} },
			func(*rapid.T, id.ID) domain.Event { return identity.UserSuspended{} },
			func(*rapid.T, id.ID) domain.Event { return identity.UserBanned{Was: identity.Active} },
			func(t *rapid.T, _ id.ID) domain.Event { return identity.UserRoleAssigned{RoleID: roleID(t)} },
			func(t *rapid.T, _ id.ID) domain.Event { return identity.UserRoleWithdrawn{RoleID: roleID(t)} },
			forgotten,
		},
	},
	"identity.role": {
		begins: []func(*rapid.T, id.ID) domain.Event{
			func(t *rapid.T, _ id.ID) domain.Event {
				return identity.RoleCreated{Realm: word(t), Name: identity.Role(word(t)), DisplayName: word(t)}
			},
		},
		goesOn: []func(*rapid.T, id.ID) domain.Event{
			func(t *rapid.T, _ id.ID) domain.Event { return identity.RoleChanged{DisplayName: word(t)} },
			func(t *rapid.T, _ id.ID) domain.Event { return identity.RoleDeleted{Realm: word(t)} },
			func(t *rapid.T, _ id.ID) domain.Event {
				return identity.RolePermissionGranted{PermissionID: permissionID(t), Permission: "a:b"}
			},
			func(t *rapid.T, _ id.ID) domain.Event {
				return identity.RolePermissionWithdrawn{PermissionID: permissionID(t)}
			},
		},
	},
	"identity.permission": {
		begins: []func(*rapid.T, id.ID) domain.Event{
			func(t *rapid.T, _ id.ID) domain.Event {
				return identity.PermissionCreated{Realm: word(t), Resource: word(t), Action: word(t)}
			},
		},
		goesOn: []func(*rapid.T, id.ID) domain.Event{
			func(t *rapid.T, _ id.ID) domain.Event {
				return identity.PermissionDescriptionChanged{Description: word(t)}
			},
			func(t *rapid.T, _ id.ID) domain.Event { return identity.PermissionDeleted{Realm: word(t)} },
		},
	},
	"identity.profile": {begins: profileBegins, goesOn: profileGoesOn},
	"identity.contact": {begins: contactBegins, goesOn: contactGoesOn},
}

func forgotten(_ *rapid.T, i id.ID) domain.Event {
	return privacy.SubjectForgotten{SubjectID: privacy.SubjectID{ID: i}}
}

func roleID(t *rapid.T) identity.RoleID { return identity.RoleID{ID: id.Named(word(t))} }

func permissionID(t *rapid.T) identity.PermissionID {
	return identity.PermissionID{ID: id.Named(word(t))}
}

func word(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "word") }

// mark is in everything personal that facts say, and in nothing else.
const mark = "marked"

// own is somebody's own word.
func own(t *rapid.T) string { return mark + " " + word(t) }

func email(t *rapid.T) value.Email { return value.Email(word(t) + "@" + mark + ".example") }

// Every type that a rule is for stands among the facts, or the test below would say nothing of it.
func TestFactsOfAllRules(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		for _, kind := range facts {
			for _, make := range slices.Concat(kind.begins, kind.goesOn) {
				known[make(t, id.ID{}).EventType()] = true
			}
		}
	})
	for _, p := range projections.All {
		for _, r := range p.Rules {
			if !known[r.Type] {
				t.Errorf("%s has a rule for %s, of which there is no example", p.Name, r.Type)
			}
		}
	}
}

// Late is as good as in time: in whatever order streams are interleaved, in whatever batches events come,
// whichever streams are parked and released in between, the read models end up the same.
func TestTheOrderOfStreamsDoesNotMatter(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	inOrder, shuffled := newOrdering(t, url, "one", projections.All), newOrdering(t, url, "two", projections.All)
	parked := 0
	rapid.Check(t, func(rt *rapid.T) {
		streams := rapid.SliceOfNDistinct(rapid.Custom(drawStream), 1, 6, func(h history) domain.Stream { return h.Stream }).Draw(rt, "streams")
		want, have := inOrder.rows(rt, streams, false), shuffled.rows(rt, streams, true)
		if diff := cmp.Diff(want, have); diff != "" || len(want) == 0 {
			rt.Fatalf("rows (-in order +shuffled):\n%s", diff)
		}
		parked += shuffled.parked
	})
	if parked == 0 {
		t.Error("nothing was ever parked")
	}
}

// history is one stream's events.
type history struct {
	Stream domain.Stream
	Events []eventstore.NewEvent
}

func drawStream(t *rapid.T) history {
	kind := rapid.SampledFrom(slices.Sorted(maps.Keys(facts))).Draw(t, "kind")
	h := history{Stream: drawnStream(t, kind)}
	all := []domain.Event{rapid.SampledFrom(facts[kind].begins).Draw(t, "begins")(t, h.Stream.ID)}
	for range rapid.IntRange(0, 6).Draw(t, "length") {
		all = append(all, rapid.SampledFrom(facts[kind].goesOn).Draw(t, "goes on")(t, h.Stream.ID))
	}
	return h.with(t, all)
}

// drawnStream has an id that none of another kind has.
func drawnStream(t *rapid.T, kind string) domain.Stream {
	return domain.Stream{Kind: kind, ID: id.Named(fmt.Sprint(kind, rapid.Uint64().Draw(t, "id")))}
}

// with is a history of these events, a second apart.
func (h history) with(t *rapid.T, all []domain.Event) history {
	for i, e := range all {
		enc, err := catalogue.Encode(e, spec.Clear{})
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, eventstore.NewEvent{
			ID: id.Event{ID: id.Named(fmt.Sprint(h.Stream, i))}, Type: enc.Type, Schema: enc.Schema, Data: enc.Data,
			Secret: enc.Secret, Meta: json.RawMessage(`{}`), OccurredAt: time.Unix(1_700_000_000+int64(i), 0).UTC(),
		})
	}
	return h
}

// ordering is read models made from one order of events.
type ordering struct {
	hand    *projections.Hand
	blocked map[id.Event]bool
	parked  int            // how often
	after   func(*rapid.T) // each transaction
}

func newOrdering(t *testing.T, url, schema string, of []projections.Projection) *ordering {
	t.Helper()
	o := &ordering{blocked: map[id.Event]bool{}, after: func(*rapid.T) {}}
	var all []projections.Projection
	for _, p := range of {
		all = append(all, p.After(func(r eventstore.Recorded) {
			if o.blocked[r.ID] {
				o.parked++
				panic("blocked")
			}
		}))
	}
	o.hand = byHand(t, &projections.Projector{
		URL: url, Schema: schema, Vault: sealtest.Vault(t, &memory.Store{}, catalogue), Projections: all, Log: slog.New(slog.DiscardHandler),
	})
	return o
}

// rows are what the read models hold after all events of the streams: stream after stream, or shuffled.
func (o *ordering) rows(t *rapid.T, streams []history, shuffled bool) map[string][]string {
	store := &memory.Store{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	clear(o.blocked)
	check(t, o.hand.Reset(t.Context()))
	fillStore(t, store, streams, shuffled)
	o.project(t, store, shuffled)
	rows, err := o.hand.Rows(t.Context())
	check(t, err)
	return rows
}

func check(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fillStore(t *rapid.T, store *memory.Store, streams []history, shuffled bool) {
	next := map[domain.Stream]int{}
	for left := slices.Clone(streams); len(left) > 0; {
		i := 0
		if shuffled {
			i = rapid.IntRange(0, len(left)-1).Draw(t, "turn")
		}
		h := left[i]
		n := next[h.Stream]
		_, err := store.Append(t.Context(), eventstore.Append{Writes: []eventstore.Write{
			{Stream: h.Stream, Expect: int64(n), Events: h.Events[n : n+1]},
		}})
		check(t, err)
		if next[h.Stream]++; n+1 == len(h.Events) {
			left = slices.Delete(left, i, i+1)
		}
	}
}

// project writes in batches; when shuffled, events are blocked at random and tried again at random.
func (o *ordering) project(t *rapid.T, store *memory.Store, shuffled bool) {
	events, err := store.Read(t.Context(), 0, 1000)
	check(t, err)
	for len(events) > 0 {
		n := rapid.IntRange(1, len(events)).Draw(t, "batch")
		if shuffled && rapid.Bool().Draw(t, "block") {
			o.blocked[events[rapid.IntRange(0, n-1).Draw(t, "blocked")].ID] = true
		}
		check(t, o.hand.Apply(t.Context(), events[:n]))
		o.after(t)
		events = events[n:]
		if len(events) == 0 || shuffled && rapid.Bool().Draw(t, "release") {
			clear(o.blocked)
			check(t, o.hand.Release(t.Context(), store))
			o.after(t)
		}
	}
}
