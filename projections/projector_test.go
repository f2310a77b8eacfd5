package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/feed"
	"gesta/eventstore/memory"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/seal/sealtest"
	"gesta/projections"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// hit is counted by name; an event that is written twice shows.
type hit struct {
	Name string `json:"name" privacy:"public"`
}

func (hit) EventType() string { return "test.counter.hit" }

func hits(revision int, by string) projections.Projection {
	return projections.Projection{
		Name: "hits", Revision: revision,
		Tables: `create table hits (name text not null primary key, n bigint not null)`,
		Rules: []projections.Rule{projections.On(func(w projections.Write, e hit) {
			w.Exec(`insert into hits values ($1, `+by+`) on conflict (name) do update set n = hits.n + `+by, e.Name)
		})},
	}
}

// world is a history in memory with read models in a database.
type world struct {
	t     *testing.T
	store *memory.Store
	url   string
	reads *pgxpool.Pool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: &memory.Store{Handoff: &eventstore.Handoff{}}, url: pgtest.Database(t)}
	var err error
	if w.reads, err = projections.Open(t.Context(), w.url, "gesta"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.reads.Close)
	return w
}

// populated is a world whose read models hold n hits, and are written until stop is called.
func populated(t *testing.T, n int) (w *world, stop func()) {
	t.Helper()
	w = newWorld(t)
	w.hits(n)
	stop = w.run(w.projector(hits(1, "1")))
	w.expect(int64(n), int64(n))
	return w, stop
}

func (w *world) append(typ, data string) {
	w.t.Helper()
	w.appendTo(domain.Stream{Kind: "test.counter", ID: id.New(time.Now())}, 0, typ, data)
}

// appendTo adds an event to a stream that is at a version.
func (w *world) appendTo(s domain.Stream, version int64, typ, data string) {
	w.t.Helper()
	_, err := w.store.Append(w.t.Context(), eventstore.Append{Writes: []eventstore.Write{{Stream: s, Expect: version, Events: []eventstore.NewEvent{{
		ID: id.Event{ID: id.New(time.Now())}, Type: typ, Schema: 1, Data: json.RawMessage(data),
		Meta: json.RawMessage(`{}`), OccurredAt: time.Now(),
	}}}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func stream(name string) domain.Stream {
	return domain.Stream{Kind: "test.counter", ID: id.Named(name)}
}

func (w *world) hits(n int) {
	w.t.Helper()
	for i := range n {
		w.append("test.counter.hit", fmt.Sprintf(`{"name":"%d"}`, i%3))
	}
}

func (w *world) projector(all ...projections.Projection) *projections.Projector {
	return &projections.Projector{
		URL: w.url, Schema: "gesta", Vault: sealtest.Vault(w.t, w.store, domain.NewCatalogue([]domain.Type{domain.TypeOf[hit]()})),
		Projections: all, Feed: &feed.Feed{Store: w.store, Handoff: w.store.Handoff},
		Lead:   func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
		Passed: func(projections.Standing) {}, Store: w.store, Log: slog.New(slog.DiscardHandler),
	}
}

// run projects until the test ends, or stop is called.
func (w *world) run(p *projections.Projector) (stop func()) {
	w.t.Helper()
	if err := p.Begin(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return w.lead(p)
}

// lead is run without read models to begin with.
func (w *world) lead(p *projections.Projector) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(stop)
	return stop
}

// expect waits until the read models are level, and compares their sum.
func (w *world) expect(position, sum int64) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for {
		var at, n int64
		err := w.reads.QueryRow(ctx, `select c.position, (select coalesce(sum(n), 0) from hits) from checkpoints c`).Scan(&at, &n)
		if err == nil && at == position {
			if n != sum {
				w.t.Fatalf("%d hits at position %d, not %d", n, at, sum)
			}
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("at %d with %d hits: %v", at, n, err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestTheProjectorWritesEachEventOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hits(700) // more than one batch
	stop := w.run(w.projector(hits(1, "1")))
	w.expect(700, 700)
	w.append("test.counter.unheard_of", `{}`)
	w.hits(10)
	w.expect(711, 710)
	stop()
	w.hits(5)
	w.run(w.projector(hits(1, "1")))
	w.expect(716, 715)
}

// Two that project at once, against all leadership, are told apart by the checkpoint.
func TestASecondProjectorIsFenced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.projector(hits(1, "1")))
	w.run(w.projector(hits(1, "1")))
	for range 50 {
		w.hits(6)
	}
	w.expect(300, 300)
}

func TestOtherRulesBuildTheReadModelsAnew(t *testing.T) {
	t.Parallel()
	w, stop := populated(t, 20)
	stop()
	w.hits(1)
	w.run(w.projector(hits(2, "10")))
	w.awaitFresh()
	w.expect(21, 210)
}

// A question for what is not there yet, as from a newer program, is one that can be asked again.
func TestQuestionsForOtherReadModels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`create schema gesta_read create table users (id uuid)`)
	users := projections.Users{DB: &postgres.Lookups{Pool: w.reads}, Realm: "r"}
	var fault *domain.Fault
	if _, err := users.List(t.Context(), projections.Query{Page: projections.Page{Number: 1, Size: 10}}); !errors.As(err, &fault) || fault.Kind != domain.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestQuestionsBeforeThereAreReadModels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := projections.Users{DB: &postgres.Lookups{Pool: w.reads}, Realm: "r"}
	var fault *domain.Fault
	if _, err := users.List(t.Context(), projections.Query{Page: projections.Page{Number: 1, Size: 10}}); !errors.As(err, &fault) || fault.Kind != domain.Unavailable {
		t.Errorf("%v", err)
	}
	if position, err := projections.Checkpoint(w.reads, "")(t.Context()); position != (projections.Standing{}) || err != nil {
		t.Errorf("%+v %v", position, err)
	}
}

// byHand begins to write what p would; the connection ends with the test.
func byHand(t testing.TB, p *projections.Projector) *projections.Hand {
	t.Helper()
	h, err := projections.ByHand(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close(context.Background()) })
	return h
}
