package commands_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/audit"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/spec"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal"
	"gesta/eventstore/seal/sealtest"
)

var allAggregates = domain.NewAggregates(identity.Aggregates, crm.Aggregates, privacy.Aggregates, audit.Aggregates, teamAggregates)

// archive is a history, and what looks at it.
type archive struct {
	commands.History
	t     *testing.T
	vault *seal.Vault
	store *memory.Store
	clock time.Time
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{t: t, clock: spec.At}
	a.store = &memory.Store{Now: func() time.Time { return a.clock }}
	a.vault = sealtest.Vault(t, a.store, domain.NewCatalogue(identity.Types, crm.Types, privacy.Types, audit.Types, teamTypes))
	a.History = commands.History{Store: a.store, Vault: a.vault, Aggregates: allAggregates}
	return a
}

// says records events, each a second after the one before, and moves on with another stream now and then.
func (a *archive) says(s domain.Stream, events ...domain.Event) (rows []eventstore.Recorded) {
	a.t.Helper()
	for _, e := range events {
		rows = append(rows, a.write(s, e))
		if a.clock.Unix()%3 == 0 {
			a.write(domain.Stream{Kind: "test.team", ID: id.New(a.clock)}, teamFounded{"1"})
		}
	}
	return rows
}

func (a *archive) write(s domain.Stream, e domain.Event) eventstore.Recorded {
	a.t.Helper()
	event := id.Event{ID: id.New(time.Now())}
	enc, keys := sealtest.Event(a.t, a.vault, s, event, e)
	return a.append(s, keys, eventstore.NewEvent{ID: event, Type: enc.Type, Schema: enc.Schema, Data: enc.Data, Secret: enc.Secret})
}

func (a *archive) append(s domain.Stream, keys []eventstore.SubjectKey, e eventstore.NewEvent) eventstore.Recorded {
	a.t.Helper()
	a.clock = a.clock.Add(time.Second)
	e.OccurredAt, e.Meta = a.clock.Add(-time.Minute), []byte(`{"actor":"user/1"}`)
	all, err := a.store.ReadStream(a.t.Context(), s, 0, 1_000_000)
	must(a.t, err)
	_, err = a.store.Append(a.t.Context(), eventstore.Append{Keys: keys, Writes: []eventstore.Write{
		{Stream: s, Expect: int64(len(all)), Events: []eventstore.NewEvent{e}},
	}})
	must(a.t, err)
	all, err = a.store.ReadStream(a.t.Context(), s, int64(len(all)), 1)
	must(a.t, err)
	return all[0]
}

func (a *archive) state(s domain.Stream, at commands.Point, clear bool) commands.StateThen {
	a.t.Helper()
	then, err := a.StateAt(a.t.Context(), s, at, clear)
	must(a.t, err)
	return then
}

func (a *archive) diff(s domain.Stream, q commands.Between) commands.Difference {
	a.t.Helper()
	d, err := a.Diff(a.t.Context(), s, q)
	must(a.t, err)
	return d
}

// random are events of all types that a kind of stream has, beginning with the first one.
func random(t *testing.T, kind string, n int) (events []domain.Event) {
	t.Helper()
	var own []domain.Type
	for _, typ := range slices.Concat(identity.Types, crm.Types, privacy.Types, audit.Types, teamTypes) {
		if strings.HasPrefix(typ.Name, kind+".") {
			own = append(own, typ)
		}
	}
	r := spec.Random{Rand: rand.New(rand.NewPCG(1, uint64(len(kind))))}
	for i := range n {
		typ := own[r.IntN(len(own))]
		if i == 0 {
			typ = own[0]
		}
		events = append(events, r.Event(typ))
	}
	return events
}

// eachKind runs a test on a stream of each kind.
func eachKind(t *testing.T, f func(t *testing.T, a *archive, s domain.Stream, events []domain.Event)) {
	t.Helper()
	for kind := range allAggregates {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f(t, newArchive(t), domain.Stream{Kind: kind, ID: id.Named(kind)}, random(t, kind, 40))
		})
	}
}

func TestAStateIsWhatWasFoldedUntilThen(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, a *archive, s domain.Stream, events []domain.Event) {
		a.write(teamStream("before"), teamFounded{"0"})
		rows := a.says(s, events...)
		if then := a.state(s, commands.AtPosition(rows[0].Position-1), true); then.Version != 0 || string(then.State) != "null" {
			t.Errorf("before it begins it is %+v", then)
		}
		of := allAggregates[s.Kind]
		folded := of.Zero
		for i, r := range rows {
			folded = of.Evolve(folded, events[i], r.OccurredAt)
			for _, clear := range []bool{false, true} {
				want, err := domain.ShowState(folded, clear)
				must(t, err)
				reached := commands.Reached{Version: r.Version, Position: r.Position, RecordedAt: r.RecordedAt}
				for _, at := range []commands.Point{commands.AtPosition(r.Position), commands.AtTime(r.RecordedAt), commands.AtTime(r.RecordedAt.Add(999 * time.Millisecond))} {
					if diff := cmp.Diff(commands.StateThen{Reached: reached, State: want}, a.state(s, at, clear)); diff != "" {
						t.Fatalf("after %T: %s", events[i], diff)
					}
				}
			}
		}
		if got := a.state(s, commands.Now, true); got.Version != int64(len(rows)) {
			t.Errorf("now it is at %d", got.Version)
		}
	})
}

// fields are those of a state by their paths.
func fields(t *testing.T, state any, clear bool) map[string]string {
	t.Helper()
	leaves, err := domain.LeavesOf(state)
	must(t, err)
	all := map[string]string{}
	for _, l := range leaves {
		all[l.Path] = string(l.Shown(clear))
	}
	return all
}

func apply(t *testing.T, to map[string]string, fields []commands.FieldChange) {
	t.Helper()
	for _, f := range fields {
		if was, there := to[f.Path]; there != (f.Before != nil) || was != string(f.Before) {
			t.Errorf("%s was %s, and is said to have been %s", f.Path, was, f.Before)
		}
		if delete(to, f.Path); f.After != nil {
			to[f.Path] = string(f.After)
		}
	}
}

func TestWhatChangedLeadsFromOneStateToAnother(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, a *archive, s domain.Stream, events []domain.Event) {
		rows := a.says(s, events...)
		for _, ends := range [][2]int{{0, 40}, {0, 1}, {7, 23}, {39, 40}, {12, 12}} {
			for _, clear := range []bool{false, true} {
				from, to := a.folded(s, events, rows, ends[0], clear), a.folded(s, events, rows, ends[1], clear)
				d := a.diff(s, commands.Between{From: behind(rows, ends[0]), To: behind(rows, ends[1]), Clear: clear})
				if d.From.Version != int64(ends[0]) || d.To.Version != int64(ends[1]) || len(d.Changes) != ends[1]-ends[0] || d.Next != 0 {
					t.Errorf("%v: from %v to %v in %d changes, and on from %d", ends, d.From, d.To, len(d.Changes), d.Next)
				}
				steps, net, last := maps.Clone(from), maps.Clone(from), map[string]int64{}
				for i, c := range d.Changes {
					if c.ID != rows[ends[0]+i].ID || c.Meta.Actor != "user/1" || c.Unread {
						t.Errorf("%+v is no event of %v", c, ends)
					}
					apply(t, steps, c.Fields)
					for _, f := range c.Fields {
						last[f.Path] = c.Version
					}
				}
				for _, n := range d.Net {
					apply(t, net, []commands.FieldChange{n.FieldChange})
					if n.By.Version != last[n.Path] {
						t.Errorf("%s was changed by %d, and not by %d", n.Path, last[n.Path], n.By.Version)
					}
				}
				if diff := cmp.Diff(to, steps) + cmp.Diff(to, net); diff != "" {
					t.Errorf("%v: %s", ends, diff)
				}
			}
		}
	})
}

func behind(rows []eventstore.Recorded, n int) commands.Point {
	if n == 0 {
		return commands.Point{}
	}
	return commands.AtPosition(rows[n-1].Position)
}

// folded are the fields after so many events.
func (a *archive) folded(s domain.Stream, events []domain.Event, rows []eventstore.Recorded, n int, clear bool) map[string]string {
	a.t.Helper()
	of := allAggregates[s.Kind]
	state := of.Zero
	for i := range n {
		state = of.Evolve(state, events[i], rows[i].OccurredAt)
	}
	if n == 0 {
		return map[string]string{}
	}
	return fields(a.t, state, clear)
}

// What breaks off is gone on with, and comes to the same.
func TestALongDifferenceComesInParts(t *testing.T) {
	t.Parallel()
	a, s := newArchive(t), identity.UserStream(identity.UserID{ID: id.Named("ann")})
	rows := a.says(s, random(t, s.Kind, 1100)...)
	q := commands.Between{From: commands.AtPosition(rows[2].Position), To: commands.AtPosition(rows[1098].Position), Limit: 400}
	first := a.diff(s, q)
	all := first.Changes
	if len(all) != 400 || first.Next != all[399].Position || first.To.Version != 1099 || len(first.Net) == 0 {
		t.Fatalf("%d changes, on from %d, to %v", len(all), first.Next, first.To)
	}
	for q.After = first.Next; q.After != 0; {
		d := a.diff(s, q)
		if all, q.After = append(all, d.Changes...), d.Next; d.Net != nil || d.From != first.From || len(d.Changes) > 400 {
			t.Errorf("%d changes, from %v", len(d.Changes), d.From)
		}
	}
	var whole []commands.EventChange
	for _, part := range []commands.Between{{Limit: 500}, {Limit: 500, After: rows[502].Position}, {Limit: 500, After: rows[1002].Position}} {
		part.From, part.To = q.From, q.To
		whole = append(whole, a.diff(s, part).Changes...)
	}
	if diff := cmp.Diff(whole, all); len(all) != 1096 || diff != "" {
		t.Errorf("%d changes: %s", len(all), diff)
	}
	if end := a.diff(s, commands.Between{To: q.To, After: rows[1098].Position}); len(end.Changes) != 0 || end.Next != 0 {
		t.Errorf("%+v follows the last one", end)
	}
}

// A list that grows long makes few changes fill an answer.
func TestAnAnswerHasAnEndWhateverItHolds(t *testing.T) {
	t.Parallel()
	a, s := newArchive(t), identity.RoleStream(identity.RoleID{ID: id.Named("role")})
	a.write(s, identity.RoleCreated{RoleID: identity.RoleID{ID: s.ID}, Realm: "r"})
	for n := range 60 {
		a.write(s, identity.RoleChanged{RoleID: identity.RoleID{ID: s.ID}, Description: strings.Repeat(fmt.Sprint(n%10), 100_000)})
	}
	d := a.diff(s, commands.Between{To: commands.Now, Clear: true})
	size := 0
	for _, c := range d.Changes {
		for _, f := range c.Fields {
			size += len(f.Before) + len(f.After)
		}
	}
	if d.Next == 0 || len(d.Changes) > 25 || size > 5<<20 || d.To.Version != 61 {
		t.Errorf("%d changes of %d bytes, on from %d, to %v", len(d.Changes), size, d.Next, d.To)
	}
}

func TestAStateOfWhoIsForgotten(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		h := commands.History{Store: s, Vault: two.Executor.Vault, Aggregates: allAggregates}
		ann, bob := one.member("ann@example.com"), one.member("bob@example.com")
		for _, email := range []string{"a@example.com", "ann@example.com"} {
			_, err := commands.Execute(t.Context(), one.Executor, identity.ChangeEmail{User: ann, Email: value.Email(email)})
			must(t, err)
		}
		one.found("red")
		must(t, one.join("red", ann, "ann"))
		must(t, one.join("red", bob, "bob"))
		user := identity.UserStream(ann)
		before, err := h.Diff(t.Context(), user, commands.Between{To: commands.Now})
		must(t, err)
		one.forget(ann)
		two.Executor.Vault.Keys.Drop(ann.ID)

		for _, clear := range []bool{false, true} {
			for at, want := range map[commands.Point]string{
				commands.AtPosition(before.To.Position): `"status":"active"`, commands.Now: `"status":"deactivated"`,
			} {
				then, err := h.StateAt(t.Context(), user, at, clear)
				must(t, err)
				if text := string(then.State); !strings.Contains(text, want) || !strings.Contains(text, `"email":"[forgotten]"`) ||
					!strings.Contains(text, `"phone":"[forgotten]"`) || strings.Contains(text, `"name"`) || strings.Contains(text, "u0000") {
					t.Errorf("she was %s", text)
				}
			}
			d, err := h.Diff(t.Context(), user, commands.Between{From: commands.AtPosition(before.Changes[0].Position), To: commands.Now, Clear: clear})
			must(t, err)
			// Three addresses: that one follows another can still be told.
			for _, c := range d.Changes[:2] {
				want := commands.FieldChange{Path: "/email", Before: json.RawMessage(`"[forgotten]"`), After: json.RawMessage(`"[forgotten]"`)}
				if diff := cmp.Diff(want, c.Fields[0]); c.Type != "identity.user.email_changed" || diff != "" {
					t.Errorf("%s: %s", c.Type, diff)
				}
			}
		}
		then, err := h.StateAt(t.Context(), teamStream("red"), commands.Now, true)
		if want := `{"number":"red","names":["[forgotten]","Name of bob"]}`; err != nil || string(then.State) != want {
			t.Errorf("the team is %s, and not %s (%v)", then.State, want, err)
		}
	})
}

// Changed, and back: a masked value is as changed as a clear one, and on the whole it is the same.
func TestWhatIsMaskedStillChanges(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	john := crm.CustomerID{ID: id.Named("john")}
	s := crm.CustomerStream(john)
	rows := a.says(s,
		crm.CustomerCreated{CustomerID: john, Name: "John", Email: "j@example.com", Tier: crm.Free},
		crm.CustomerNameChanged{CustomerID: john, Name: "Jon"}, crm.CustomerNameChanged{CustomerID: john, Name: "John"},
		crm.CustomerPhoneChanged{CustomerID: john, Phone: "+1"},
		crm.CustomerNameChanged{CustomerID: john, Name: "John"})
	d := a.diff(s, commands.Between{From: commands.AtTime(rows[0].RecordedAt), To: commands.Now})
	var said []string
	for _, c := range d.Changes {
		for _, f := range c.Fields[:len(c.Fields)-1] {
			said = append(said, fmt.Sprintf("%d %s %s %s", c.Version, f.Path, f.Before, f.After))
		}
		if last := c.Fields[len(c.Fields)-1].Path; last != "/updated_at" {
			t.Errorf("%s", last)
		}
	}
	want := []string{`2 /name "[personal]" "[personal]"`, `3 /name "[personal]" "[personal]"`, `4 /phone  "[personal]"`}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if len(d.Net) != 2 || d.Net[0].Path != "/phone" || d.Net[0].By.Version != 4 || d.Net[1].By.Version != 5 {
		t.Errorf("on the whole %+v", d.Net)
	}
}

func TestWhatCannotBeReadIsLeftOutAndCounted(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	ann := identity.UserID{ID: id.Named("ann")}
	s := identity.UserStream(ann)
	a.write(s, identity.UserRegistered{UserID: ann, Realm: "r", Role: "member", Email: "ann@example.com", Phone: "1"})
	a.append(s, nil, eventstore.NewEvent{ID: id.Event{ID: id.New(time.Now())}, Type: "identity.user.promoted", Schema: 1, Data: []byte(`{}`)})
	a.append(s, nil, eventstore.NewEvent{ID: id.Event{ID: id.New(time.Now())}, Type: "identity.user.banned", Schema: 1, Data: []byte(`[]`)})
	a.append(s, nil, eventstore.NewEvent{
		ID: id.Event{ID: id.New(time.Now())}, Type: "identity.user.name_changed", Schema: 1,
		Data: []byte(`{"user_id":"` + ann.String() + `","name":"sealed:1:AAAA"}`),
	})
	then := a.state(s, commands.Now, true)
	if then.Version != 4 || then.Unread != 2 || !bytes.Contains(then.State, []byte(`"name":"[unreadable]","email":"ann@example.com"`)) {
		t.Errorf("%+v %s", then, then.State)
	}
	d := a.diff(s, commands.Between{To: commands.Now})
	if c := d.Changes; len(c) != 4 || c[0].Unread || !c[1].Unread || !c[2].Unread || len(c[1].Fields) != 0 || c[3].Unread {
		t.Errorf("%+v", c)
	}
}

func TestWhatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	for s, want := range map[domain.Stream]error{
		{Kind: "identity.robot", ID: id.Named("r")}: commands.ErrKindUnknown,
		{Kind: "identity.user", ID: id.Named("r")}:  commands.ErrStreamNotFound,
	} {
		_, err1 := a.StateAt(t.Context(), s, commands.Now, true)
		_, err2 := a.Diff(t.Context(), s, commands.Between{To: commands.Now})
		if !errors.Is(err1, want) || !errors.Is(err2, want) {
			t.Errorf("%s: %v, %v", s, err1, err2)
		}
	}
	for _, q := range []commands.Between{
		{From: commands.AtPosition(2), To: commands.AtPosition(1)},
		{From: commands.AtTime(spec.At.Add(1)), To: commands.AtTime(spec.At)},
		{From: commands.Now},
	} {
		if _, err := a.Diff(t.Context(), teamStream("red"), q); !errors.Is(err, commands.ErrBackwards) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func TestPointsAreSpelledAsPositionsAndTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]commands.Point{
		"0": {}, "41": commands.AtPosition(41), "2026-01-02T03:04:05Z": commands.AtTime(spec.At),
		"2026-01-02T04:04:05.5+01:00": commands.AtTime(spec.At.Add(500 * time.Millisecond)),
	} {
		if got, err := commands.ParsePoint(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "-1", "+1", "1.5", "99999999999999999999", "2026-01-02", "now", "２"} {
		if _, err := commands.ParsePoint(bad); !errors.Is(err, commands.ErrPoint) {
			t.Errorf("%q is a point", bad)
		}
	}
}

// What would take too long to go through is refused, and an earlier point is not.
func TestALongStreamIsGoneThroughToABound(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	rows := a.says(teamStream("red"), random(t, "test.team", 12)...)
	for most, refused := range map[int64]bool{11: true, 12: false} {
		a.MaxEvents = most
		_, err1 := a.StateAt(t.Context(), teamStream("red"), commands.Now, true)
		_, err2 := a.Diff(t.Context(), teamStream("red"), commands.Between{To: commands.Now})
		if errors.Is(err1, commands.ErrStreamTooLong) != refused || errors.Is(err2, commands.ErrStreamTooLong) != refused {
			t.Errorf("%d: %v, %v", most, err1, err2)
		}
	}
	a.MaxEvents = 11
	if then := a.state(teamStream("red"), behind(rows, 11), true); then.Version != 11 {
		t.Error(then.Version)
	}
}
