package projections_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/privacy"
	"gesta/domain/spec"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/seal"
	"gesta/eventstore/seal/sealtest"
	"gesta/projections"
)

// remembered is a history that forgets persons, and read models that follow it.
type remembered struct {
	*projections.Hand
	t       *testing.T
	store   *memory.Store
	vault   *seal.Vault
	blocked map[string]bool // types that can't be written
	version map[domain.Stream]int64
}

func remember(t *testing.T, url, schema string) *remembered {
	t.Helper()
	r := &remembered{t: t, store: &memory.Store{}, blocked: map[string]bool{}, version: map[domain.Stream]int64{}}
	r.vault = sealtest.Vault(t, r.store, catalogue)
	var all []projections.Projection
	for _, p := range projections.All {
		all = append(all, p.After(func(e eventstore.Recorded) {
			if r.blocked[e.Type] {
				panic("blocked")
			}
		}))
	}
	r.Hand = byHand(t, &projections.Projector{
		URL: url, Schema: schema, Vault: r.vault, Projections: all, Log: slog.New(slog.DiscardHandler),
	})
	return r
}

// says appends an event, sealed; forgetting one destroys the key in the same commit.
func (r *remembered) says(s domain.Stream, e domain.Event) {
	r.t.Helper()
	event := id.Event{ID: id.New(time.Now())}
	enc, keys := sealtest.Event(r.t, r.vault, s, event, e)
	a := eventstore.Append{Keys: keys, Writes: []eventstore.Write{{
		Stream: s, Expect: r.version[s], Subjects: enc.Subjects, Events: []eventstore.NewEvent{{
			ID: event, Type: enc.Type, Schema: enc.Schema, Data: enc.Data, Secret: enc.Secret, Meta: json.RawMessage(`{}`), OccurredAt: time.Now(),
		}},
	}}}
	if who, is := e.(domain.Forgetter); is {
		a.Forget = []eventstore.Forgetting{{Subject: who.Forgets(), Streams: 1}}
	}
	if _, err := r.store.Append(r.t.Context(), a); err != nil {
		r.t.Fatal(err)
	}
	r.version[s]++
}

// project writes what has happened since.
func (r *remembered) project(after int64) (last int64) {
	r.t.Helper()
	events, err := r.store.Read(r.t.Context(), after, 1000)
	if err == nil {
		err = r.Apply(r.t.Context(), events)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return after + int64(len(events))
}

func (r *remembered) rows() map[string][]string {
	r.t.Helper()
	rows, err := r.Rows(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// told has all that can be said about somebody said, but for what would leave nothing to forget.
func (r *remembered) told(kind string, who id.ID) {
	r.t.Helper()
	for _, one := range append(facts[kind].begins[:1:1], facts[kind].goesOn...) {
		e := example(one, who)
		if _, forgets := e.(domain.Forgetter); !forgets && !strings.HasSuffix(e.EventType(), ".deleted") {
			r.says(domain.Stream{Kind: kind, ID: who}, e)
		}
	}
}

// example draws an event.
func example(one func(*rapid.T, id.ID) domain.Event, who id.ID) domain.Event {
	return rapid.Custom(func(t *rapid.T) domain.Event {
		rapid.Bool().Draw(t, "something") // It wants to be asked.
		return one(t, who)
	}).Example(1)
}

// holdsPersons tells whether streams of a kind are said to forget somebody.
func holdsPersons(kind string) bool {
	return slices.ContainsFunc(facts[kind].goesOn, func(one func(*rapid.T, id.ID) domain.Event) bool {
		_, forgets := example(one, id.New(time.Now())).(domain.Forgetter)
		return forgets
	})
}

// Nothing of who is forgotten is left in any column of any read model: as they are followed, when they are built anew
// without the key, and where the person's stream is parked. What others are is untouched.
func TestNothingIsLeftOfWhoIsForgotten(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	for kind := range facts {
		if !holdsPersons(kind) {
			continue
		}
		schema := strings.ReplaceAll(kind, ".", "_")
		r := remember(t, url, schema+"_followed")
		ann, bob := id.New(time.Now()), id.New(time.Now())
		s := domain.Stream{Kind: kind, ID: ann}
		r.told(kind, ann)
		r.told(kind, bob)
		at := r.project(0)
		before := r.rows()
		checkMarked(t, before, ann)
		r.says(s, privacy.SubjectForgotten{SubjectID: privacy.SubjectID{ID: ann}})
		r.project(at)
		after := r.rows()
		left, gone := splitRows(after, ann), splitRows(before, ann)
		for _, row := range left[0] {
			if strings.Contains(row, mark) {
				t.Errorf("%s: of her there is %s", kind, row)
			}
		}
		if was := stays(gone[0]); len(left[0]) != len(was) || len(was) == 0 {
			t.Errorf("%s: there were %d rows about her that stay, and are %d", kind, len(was), len(left[0]))
		}
		version := fmt.Sprintf(",%d)", r.version[s])
		isRevised := func(row string) bool { return strings.HasPrefix(row, "users ") && strings.HasSuffix(row, version) }
		if kind == "identity.user" && !slices.ContainsFunc(left[0], isRevised) {
			t.Errorf("%s: her row is no new revision %s: %s", kind, version, left[0])
		}
		if diff := cmp.Diff(gone[1], left[1]); diff != "" || !strings.Contains(strings.Join(left[1], " "), mark) {
			t.Errorf("%s: others are others:\n%s", kind, diff)
		}

		anew := remember(t, url, schema+"_anew")
		anew.store = r.store
		anew.vault.Keys = r.vault.Keys.Over(r.store)
		anew.project(0)
		if diff := cmp.Diff(after, anew.rows()); diff != "" {
			t.Errorf("%s: built anew, they are others:\n%s", kind, diff)
		}
	}
}

// checkMarked tells whether all columns that could hold somebody do: what is not there can't be seen to go.
func checkMarked(t *testing.T, all map[string][]string, who id.ID) {
	t.Helper()
	for _, p := range projections.All {
		for _, personal := range p.Personal {
			for _, row := range all[personal.Table] {
				if strings.Contains(row, who.UUID()) && strings.Count(row, mark) < len(personal.Columns) {
					t.Errorf("of %s in %s there is only %s", personal.Columns, personal.Table, row)
				}
			}
		}
	}
}

// marked seals nothing, and finds what is personal and not marked.
type marked struct {
	spec.Clear
	without []string // paths
}

func (m *marked) Seal(p domain.Place, value []byte) (string, error) {
	if !p.Subject.IsZero() && !strings.Contains(string(value), mark) {
		m.without = append(m.without, p.Path)
	}
	return m.Clear.Seal(p, value)
}

// What is looked for above is in everything personal that facts say.
func TestAllThatIsPersonalIsMarked(t *testing.T) {
	t.Parallel()
	for _, of := range facts {
		for _, one := range slices.Concat(of.begins, of.goesOn) {
			e, m := example(one, id.New(time.Now())), &marked{}
			if _, err := catalogue.Encode(e, m); err != nil || len(m.without) > 0 {
				t.Errorf("%s says %s, %v", e.EventType(), m.without, err)
			}
		}
	}
}

// stays leaves out what goes as a whole.
func stays(rows []string) (all []string) {
	for _, row := range rows {
		if !strings.HasPrefix(row, "customer_words ") {
			all = append(all, row)
		}
	}
	return all
}

// splitRows tells the rows about somebody from the others.
func splitRows(all map[string][]string, who id.ID) (rows [2][]string) {
	for _, table := range slices.Sorted(maps.Keys(all)) {
		for _, row := range all[table] {
			n := 1
			if strings.Contains(row, who.UUID()) {
				n = 0
			}
			rows[n] = append(rows[n], table+" "+row)
		}
	}
	return rows
}

// A stream that is parked holds its events back, and forgets at once all the same: then, and when it is released.
func TestAParkedStreamForgetsAtOnce(t *testing.T) {
	t.Parallel()
	r := remember(t, pgtest.Database(t), "one")
	ann := id.New(time.Now())
	s := domain.Stream{Kind: "identity.user", ID: ann}
	r.says(s, example(facts[s.Kind].begins[0], ann))
	at := r.project(0)
	r.blocked["identity.user.phone_changed"] = true
	r.says(s, example(facts[s.Kind].goesOn[1], ann))
	at = r.project(at)
	if rows := strings.Join(r.rows()["users"], ""); !strings.Contains(rows, mark) {
		t.Fatalf("nothing is shown: %s", rows)
	}
	r.says(s, privacy.SubjectForgotten{SubjectID: privacy.SubjectID{ID: ann}})
	r.says(s, example(facts[s.Kind].goesOn[2], ann))
	r.project(at)
	check := func(when, status string) {
		t.Helper()
		if rows := strings.Join(r.rows()["users"], ""); strings.Contains(rows, mark) || !strings.Contains(rows, ",,f,,CU,"+status) {
			t.Errorf("%s there is %s", when, rows)
		}
	}
	check("while it is parked", "active")
	clear(r.blocked)
	if err := r.Release(t.Context(), r.store); err != nil {
		t.Fatal(err)
	}
	check("when it is released", "deactivated")
}
