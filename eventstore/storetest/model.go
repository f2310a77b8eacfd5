package storetest

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

var models = []question{
	{"whatever is appended, a store does as the model", func(t *testing.T, s eventstore.Store) {
		rapid.Check(t, func(r *rapid.T) {
			m := newModel(t, s)
			r.Repeat(map[string]func(*rapid.T){
				"append":  m.append,
				"history": m.history,
				"claims":  m.claims,
				"keys":    m.keys,
			})
		})
	}},
}

// model is a store as simple as can be: what it holds, in maps. It knows a handful of names of its
// own, so that many models can share a store one after the other, and so that appends collide.
type model struct {
	t     *testing.T
	store eventstore.Store

	streams  []domain.Stream
	names    []eventstore.Claim
	subjects []id.ID
	scope    string

	start   int64 // where the history ended before
	events  []eventstore.Recorded
	version map[domain.Stream]int64
	last    map[domain.Stream]id.Event
	holder  map[eventstore.Claim]domain.Stream
	keyed   map[id.ID]bool // whether the key is still there
	held    map[id.ID]map[domain.Stream]bool
	answer  map[string]eventstore.Idempotency
}

func newModel(t *testing.T, s eventstore.Store) *model {
	m := &model{
		t: t, store: s, scope: newStream().ID.String(), start: head(t, s).Position,
		version: map[domain.Stream]int64{}, last: map[domain.Stream]id.Event{}, holder: map[eventstore.Claim]domain.Stream{},
		keyed: map[id.ID]bool{}, held: map[id.ID]map[domain.Stream]bool{}, answer: map[string]eventstore.Idempotency{},
	}
	scope := newHash()
	for range 3 {
		m.streams = append(m.streams, newStream())
		m.names = append(m.names, eventstore.Claim{Scope: scope, Name: newHash()})
		subject := newStream().ID
		m.subjects, m.held[subject] = append(m.subjects, subject), map[domain.Stream]bool{}
	}
	return m
}

// append does something at random and compares what the store says with what the model expects.
func (m *model) append(r *rapid.T) {
	a := m.draw(r)
	want := m.refusal(a)
	receipt, err := m.store.Append(m.t.Context(), a)
	if want != nil || err != nil {
		if !same(err, want) {
			r.Fatalf("%+v is answered with %v, not %v", a, err, want)
		}
		return
	}
	m.admit(a, receipt)
	if n := int64(len(m.events)); receipt.Last != 0 && receipt.Last != m.start+n {
		r.Fatalf("%+v stands at %+v, not up to %d", a, receipt, m.start+n)
	}
}

// draw makes an append that stands a fair chance of being accepted, and of being refused.
func (m *model) draw(r *rapid.T) (a eventstore.Append) {
	for _, s := range rapid.SliceOfNDistinct(rapid.SampledFrom(m.streams), 1, 3, rapid.ID).Draw(r, "streams") {
		w := write(s, m.version[s], rapid.IntRange(0, 2).Draw(r, "events"))
		if rapid.IntRange(0, 7).Draw(r, "wrong") == 0 {
			w.Expect = max(0, w.Expect+rapid.Int64Range(-2, 2).Draw(r, "by"))
		}
		if w.Expect > 0 {
			w.After = rapid.SampledFrom([]id.Event{{}, m.last[s], m.last[s], newEvent().ID}).Draw(r, "after")
		}
		w.Take = m.drawClaims(r, "take")
		w.Release = m.drawClaims(r, "release")
		w.Subjects = rapid.SliceOfN(rapid.SampledFrom(m.subjects), 0, rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(r, "subjects")).Draw(r, "held")
		a.Writes = append(a.Writes, w)
	}
	happens := slices.ContainsFunc(a.Writes, func(w eventstore.Write) bool { return len(w.Events) > 0 })
	if happens && rapid.IntRange(0, 5).Draw(r, "forget") == 0 {
		subject := rapid.SampledFrom(m.subjects).Draw(r, "forgotten")
		a.Forget = []eventstore.Forgetting{{Subject: subject, Streams: len(m.held[subject]) + rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(r, "more")}}
	} else if rapid.IntRange(0, 2).Draw(r, "key") == 0 {
		subject := rapid.SampledFrom(m.subjects).Draw(r, "subject")
		a.Keys = []eventstore.SubjectKey{{Subject: subject, Wrapped: []byte("wrapped")}}
	}
	if a.Check() != nil { // Something new is said about who is forgotten.
		a.Forget = nil
	}
	if rapid.IntRange(0, 5).Draw(r, "answer") == 0 {
		i := newAnswer()
		i.Scope, i.Key = m.scope, rapid.SampledFrom([]string{"x", "y", "z"}).Draw(r, "under")
		a.Idempotency = &i
	}
	return a
}

func (m *model) drawClaims(r *rapid.T, what string) []eventstore.Claim {
	return rapid.SliceOfN(rapid.SampledFrom(m.names), 0, rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(r, what+"s")).
		Draw(r, what)
}

// refusal is what the model says to an append: nil when it is good.
func (m *model) refusal(a eventstore.Append) error {
	if i := a.Idempotency; i != nil {
		if first, used := m.answer[i.Key]; used {
			return &eventstore.Repeated{First: first}
		}
	}
	for _, w := range a.Writes {
		if m.version[w.Stream] != w.Expect || !w.After.IsZero() && w.After != m.last[w.Stream] {
			return &eventstore.Conflict{Stream: w.Stream, Expected: w.Expect, Actual: m.version[w.Stream]}
		}
	}
	if err := m.refusalOfSubjects(a); err != nil {
		return err
	}
	_, err := m.handOver(a)
	return err
}

func (m *model) refusalOfSubjects(a eventstore.Append) error {
	keyed := maps.Clone(m.keyed)
	for _, k := range a.Keys {
		if _, had := keyed[k.Subject]; had {
			return &eventstore.KeyExists{Subject: k.Subject}
		}
		keyed[k.Subject] = true
	}
	for _, w := range a.Writes {
		for _, s := range w.Subjects {
			if !keyed[s] {
				return &eventstore.KeyGone{Subject: s}
			}
		}
	}
	for _, g := range a.Forget {
		if len(m.held[g.Subject]) != g.Streams {
			return &eventstore.SubjectMoved{Subject: g.Subject}
		}
	}
	return nil
}

// handOver is who holds what after an append: first all is released, then taken name by name.
func (m *model) handOver(a eventstore.Append) (map[eventstore.Claim]domain.Stream, error) {
	after := maps.Clone(m.holder)
	for _, w := range a.Writes {
		for _, c := range w.Release {
			if m.holder[c] == w.Stream {
				delete(after, c)
			}
		}
	}
	for _, w := range a.Writes {
		for _, c := range w.Take {
			if holder, held := after[c]; held {
				return nil, &eventstore.ClaimTaken{Claim: c, Holder: holder}
			}
			after[c] = w.Stream
		}
	}
	return after, nil
}

func (m *model) admit(a eventstore.Append, at eventstore.Receipt) {
	m.holder, _ = m.handOver(a)
	for _, w := range a.Writes {
		for _, e := range w.Events {
			m.version[w.Stream]++
			m.last[w.Stream] = e.ID
			m.events = append(m.events, eventstore.Recorded{
				NewEvent: e, Position: m.start + int64(len(m.events)) + 1,
				Stream: w.Stream, Version: m.version[w.Stream], RecordedAt: at.RecordedAt,
			})
		}
	}
	for _, k := range a.Keys {
		m.keyed[k.Subject] = true
	}
	for _, w := range a.Writes {
		for _, s := range w.Subjects {
			m.held[s][w.Stream] = true
		}
	}
	for _, g := range a.Forget {
		m.keyed[g.Subject] = false
	}
	if i := a.Idempotency; i != nil {
		m.answer[i.Key] = *i
	}
}

// history compares all that was recorded, in the whole and stream by stream.
func (m *model) history(r *rapid.T) {
	got, err := m.store.Read(m.t.Context(), m.start, all)
	if err != nil || !slices.EqualFunc(got, m.events, sameEvent) {
		r.Fatalf("the history is %+v (%v), not %+v", got, err, m.events)
	}
	for _, s := range m.streams {
		got, err := m.store.ReadStream(m.t.Context(), s, 0, all)
		if err != nil || int64(len(got)) != m.version[s] {
			r.Fatalf("%v is %+v (%v), not at %d", s, got, err, m.version[s])
		}
	}
}

func sameEvent(a, b eventstore.Recorded) bool {
	return a.Mark() == b.Mark() && a.Stream == b.Stream && a.Version == b.Version && a.RecordedAt.Equal(b.RecordedAt)
}

// claims compares who holds what.
func (m *model) claims(r *rapid.T) {
	for _, c := range m.names {
		got, held, err := m.store.Holder(m.t.Context(), c)
		want, wanted := m.holder[c]
		if err != nil || got != want || held != wanted {
			r.Fatalf("%v is held by %v (%v, %v), not %v", c, got, held, err, want)
		}
	}
	want := slices.SortedFunc(maps.Values(m.holder), domain.Stream.Compare)
	got, err := m.store.Holders(m.t.Context(), m.names[0].Scope)
	if err != nil || !slices.Equal(got, slices.Compact(want)) {
		r.Fatalf("%v hold names (%v), not %v", got, err, want)
	}
}

// keys compares who has one, and who is held where.
func (m *model) keys(r *rapid.T) {
	got, err := m.store.Keys(m.t.Context(), m.subjects)
	live := map[id.ID]bool{}
	for _, k := range got {
		live[k.Subject] = len(k.Wrapped) > 0
	}
	if err != nil || !maps.Equal(live, m.keyed) {
		r.Fatalf("keys are %v (%v), not %v", live, err, m.keyed)
	}
	for subject, held := range m.held {
		got, err := m.store.StreamsOf(m.t.Context(), subject)
		if want := slices.SortedFunc(maps.Keys(held), domain.Stream.Compare); err != nil || !slices.Equal(got, want) {
			r.Fatalf("%v is held by %v (%v), not %v", subject, got, err, want)
		}
	}
}

// same compares refusals by what they say, and answers by what counts.
func same(got, want error) bool {
	a, ok := errors.AsType[*eventstore.Repeated](got)
	if b, both := errors.AsType[*eventstore.Repeated](want); ok && both {
		return sameAnswer(a.First, b.First)
	}
	return got != nil && want != nil && got.Error() == want.Error()
}
