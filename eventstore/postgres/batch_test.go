package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/postgres/pgtest"
)

// idle is an appender whose goroutine doesn't run: the test commits the batches of its choice.
func idle(t *testing.T, url string, handoff *eventstore.Handoff) *appender {
	t.Helper()
	o := Options{URL: url, Handoff: handoff, Logger: slog.New(slog.DiscardHandler)}
	o.setDefaults()
	config, err := poolConfig(o)
	if err != nil {
		t.Fatal(err)
	}
	a := newAppender(appenderConfig(config.ConnConfig, o.Schema), o)
	if err := a.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.hangUp(); a.end() })
	return a
}

// TestBatches commits batches at random and wants of each what a store does that takes the appends
// one after the other.
func TestBatches(t *testing.T) {
	t.Parallel()
	a := idle(t, pgtest.AppLogin(t, pgtest.Database(t)), nil)
	model := &memory.Store{}
	rapid.Check(t, func(r *rapid.T) {
		names := newNames()
		for range rapid.IntRange(1, 10).Draw(r, "batches") {
			jobs := names.batch(t.Context(), r)
			a.judgeUntil = time.Time{}
			if rapid.Bool().Draw(r, "judged") {
				a.judgeUntil = time.Now().Add(time.Hour)
			}
			a.commit(slices.Clone(jobs)) // It puts them in the order of their positions.
			for i, j := range jobs {
				want, err := model.Append(t.Context(), j.append)
				want.RecordedAt = j.receipt.RecordedAt
				if j.receipt != want || fmt.Sprint(j.err) != fmt.Sprint(err) {
					r.Fatalf("append %d, %+v: %+v, %v; not %+v, %v", i, j.append, j.receipt, j.err, want, err)
				}
				names.learn(j)
			}
		}
	})
}

// names are a few things that a random batch speaks of, and where they are believed to be.
type names struct {
	streams []domain.Stream
	at      map[domain.Stream]eventstore.End
	claims  []eventstore.Claim
	keys    []id.ID
	scope   string
}

func newNames() *names {
	n := &names{at: map[domain.Stream]eventstore.End{}, scope: id.New(time.Now()).String()}
	for range 12 {
		n.streams = append(n.streams, domain.Stream{Kind: "test.thing", ID: id.New(time.Now())})
		n.claims = append(n.claims, eventstore.Claim{Name: eventstore.Hash(id.New(time.Now()))})
		n.keys = append(n.keys, id.New(time.Now()))
	}
	return n
}

func (n *names) batch(ctx context.Context, r *rapid.T) (jobs []*job) {
	for range rapid.IntRange(1, 6).Draw(r, "appends") {
		var a eventstore.Append
		for _, s := range rapid.SliceOfNDistinct(rapid.SampledFrom(n.streams), 1, 2, rapid.ID).Draw(r, "streams") {
			w := eventstore.Write{Stream: s, Expect: n.at[s].Version}
			w.Expect += rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 0, 0, 1, 2}).Draw(r, "ahead")
			if w.Expect > 0 {
				w.After = rapid.SampledFrom([]id.Event{{}, n.at[s].Event, n.at[s].Event, n.at[s].Event, someEvent().ID}).Draw(r, "after")
			}
			for range rapid.IntRange(0, 2).Draw(r, "events") {
				w.Events = append(w.Events, someEvent())
			}
			few := rapid.SampledFrom([]int{0, 0, 0, 0, 1, 2})
			w.Take = rapid.SliceOfN(rapid.SampledFrom(n.claims), 0, few.Draw(r, "takes")).Draw(r, "take")
			w.Release = rapid.SliceOfN(rapid.SampledFrom(n.claims), 0, few.Draw(r, "releases")).Draw(r, "release")
			w.Subjects = rapid.SliceOfN(rapid.SampledFrom(n.keys), 0, few.Draw(r, "held")).Draw(r, "subjects")
			a.Writes = append(a.Writes, w)
		}
		if rapid.IntRange(0, 4).Draw(r, "keyed") == 0 {
			a.Keys = []eventstore.SubjectKey{{Subject: rapid.SampledFrom(n.keys).Draw(r, "key"), Wrapped: []byte("w")}}
		}
		if rapid.IntRange(0, 4).Draw(r, "forgetting") == 0 {
			g := eventstore.Forgetting{Subject: rapid.SampledFrom(n.keys).Draw(r, "forgotten"), Streams: rapid.IntRange(0, 2).Draw(r, "streams")}
			a.Forget = append(a.Forget, g)
		}
		if rapid.IntRange(0, 4).Draw(r, "answered") == 0 {
			key := fmt.Sprint(rapid.IntRange(1, 20).Draw(r, "answer"))
			a.Idempotency = &eventstore.Idempotency{Scope: n.scope, Key: key, Result: json.RawMessage(`1`)}
		}
		if a.Check() != nil {
			a.Forget = nil
		}
		jobs = append(jobs, newJob(ctx, a))
	}
	return jobs
}

// learn keeps most of what is drawn next free of conflicts.
func (n *names) learn(j *job) {
	for _, w := range j.append.Writes {
		if events := len(w.Events); j.err == nil && events > 0 {
			n.at[w.Stream] = eventstore.End{Version: w.Expect + int64(events), Event: w.Events[events-1].ID}
		}
	}
}

func someEvent() eventstore.NewEvent {
	return eventstore.NewEvent{
		ID: id.Event{ID: id.New(time.Now())}, Type: "test.thing.happened", Schema: 1,
		Data: json.RawMessage(`{}`), Meta: json.RawMessage(`{}`), OccurredAt: time.Now(),
	}
}

func someStream() domain.Stream { return domain.Stream{Kind: "test.thing", ID: id.New(time.Now())} }

// someAppend is one event on a stream at a version.
func someAppend(s domain.Stream, expect int64) eventstore.Append {
	return eventstore.Append{Writes: []eventstore.Write{{
		Stream: s, Expect: expect, Events: []eventstore.NewEvent{someEvent()},
	}}}
}

// TestTheGuiltyAloneIsRejected has one append in the batch that only Postgres finds fault with: it
// refuses JSON that is nested deeper than its stack.
func TestTheGuiltyAloneIsRejected(t *testing.T) {
	t.Parallel()
	a := idle(t, pgtest.Database(t), nil)
	if _, err := a.link.conn.Exec(t.Context(), "set max_stack_depth = '100kB'"); err != nil {
		t.Fatal(err)
	}
	guilty := someAppend(someStream(), 0)
	guilty.Writes[0].Events[0].Data = json.RawMessage(strings.Repeat("[", 9999) + strings.Repeat("]", 9999))
	jobs := []*job{
		newJob(t.Context(), someAppend(someStream(), 0)), newJob(t.Context(), guilty),
		newJob(t.Context(), someAppend(someStream(), 0)),
	}
	a.commit(jobs)
	if jobs[0].receipt.First != 1 || jobs[2].receipt.First != 2 || jobs[0].err != nil || jobs[2].err != nil {
		t.Errorf("the innocent: %+v, %v; %+v, %v", jobs[0].receipt, jobs[0].err, jobs[2].receipt, jobs[2].err)
	}
	if !errors.Is(jobs[1].err, eventstore.ErrMalformed) {
		t.Errorf("the guilty: %v", jobs[1].err)
	}
}

// TestWhatIsCommittedIsOffered looks at the order of offers, and that they come before the answers.
func TestWhatIsCommittedIsOffered(t *testing.T) {
	t.Parallel()
	handoff := &eventstore.Handoff{}
	offers, end := handoff.Subscribe(100)
	defer end()
	s, err := Open(t.Context(), Options{URL: pgtest.Database(t), Handoff: handoff})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var after eventstore.Mark
	for range 20 {
		a := someAppend(someStream(), 0)
		a.Writes = append(a.Writes, someAppend(someStream(), 0).Writes...)
		r, err := s.Append(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-offers:
			if after != got.After || len(got.Events) != 2 || got.Events[0].Position != r.First || got.Last() != r.Last {
				t.Errorf("%+v was offered as %+v", r, got)
			}
			after = got.Events[1].Mark()
		default:
			t.Fatalf("%+v was not offered before it was answered", r)
		}
	}
}
