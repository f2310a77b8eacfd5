package webtest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/audit"
	"gesta/domain/crm"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/eventstore"
	"gesta/eventstore/feed"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/seal"
	"gesta/eventstore/seal/sealtest"
	"gesta/eventstore/timers"
	"gesta/http/openapi"
	"gesta/http/openapi/openapitest"
	"gesta/http/server"
	"gesta/http/web"
	"gesta/projections"
)

// Stack is everything that stands behind a surface, on a database of its own.
type Stack struct {
	Store    *postgres.Store
	Reads    *pgxpool.Pool
	Fence    *projections.Fence
	Identity *commands.Identity
	Limits   web.Limits       // of the clients made from then on
	Now      func() time.Time // that these limits go by
	handoff  *eventstore.Handoff
	stop     func()
}

// Start starts a stack for the realms, with hashes that are cheap.
func Start(t testing.TB, realms ...string) *Stack {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	url := pgtest.Database(t)
	handoff := &eventstore.Handoff{}
	store, err := postgres.Open(ctx, postgres.Options{URL: url, Handoff: handoff, Tracer: roundTrips{}})
	if err != nil {
		t.Fatal(err)
	}
	reads, err := projections.Open(ctx, url, postgres.DefaultSchema, roundTrips{})
	if err != nil {
		t.Fatal(err)
	}
	vault := sealtest.Vault(t, store, domain.NewCatalogue(identity.Types, crm.Types, privacy.Types, audit.Types))
	s := &Stack{Store: store, Reads: reads, handoff: handoff, Now: time.Now}
	s.Fence = &projections.Fence{
		Checkpoint: projections.Checkpoint(reads, postgres.DefaultSchema), Parked: projections.IsParked(reads), Bound: 10 * time.Second,
	}
	s.Identity = newIdentity(t, store, vault, s.Fence, realms)
	s.stop = s.project(ctx, cancel, url, handoff)
	t.Cleanup(func() {
		s.StopProjector()
		reads.Close()
		store.Close()
	})
	return s
}

func newIdentity(t testing.TB, store eventstore.Store, vault *seal.Vault, fence *projections.Fence, realms []string) *commands.Identity {
	lifetimes := map[string]commands.Lifetimes{}
	for _, r := range realms {
		lifetimes[r] = commands.Lifetimes{Access: 15 * time.Minute, Refresh: 7 * 24 * time.Hour}
	}
	tokens, err := commands.NewTokens(lifetimes, time.Now, "a secret for tests, and for tests only")
	if err != nil {
		t.Fatal(err)
	}
	x := commands.NewExecutor(store, vault, commands.NewHasher(make([]byte, 32)))
	x.Settle = fence.Settle
	passwords, err := commands.NewPasswords(4)
	if err != nil {
		t.Fatal(err)
	}
	return &commands.Identity{Executor: x, Passwords: passwords, Tokens: tokens}
}

// project runs a projector and the fence, and answers what stops them.
func (s *Stack) project(ctx context.Context, cancel func(), url string, handoff *eventstore.Handoff) (stop func()) {
	p := &projections.Projector{
		URL: url, Schema: postgres.DefaultSchema, Vault: s.Identity.Executor.Vault,
		Projections: projections.All,
		Feed:        &feed.Feed{Store: s.Store, Handoff: handoff}, Store: s.Store, Passed: s.Fence.Passed, Log: slog.New(slog.DiscardHandler),
		Lead: func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
	}
	done := make(chan struct{}, 2)
	go func() { _ = p.Run(ctx); done <- struct{}{} }()
	go func() { _ = s.Fence.Run(ctx); done <- struct{}{} }()
	return func() { cancel(); <-done; <-done }
}

// React has all policies follow what happens from now on, until the test ends.
func (s *Stack) React(t testing.TB) {
	t.Helper()
	head, err := s.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := &timers.Memory{}
	if err := known.Start(t.Context(), head.Mark); err != nil {
		t.Fatal(err)
	}
	w := &commands.PolicyWorker{
		Policies: commands.Policies, Contexts: commands.Contexts{Identity: s.Identity}, Store: s.Store, Vault: s.Identity.Executor.Vault,
		Feed: &feed.Feed{Store: s.Store, Handoff: s.handoff}, Timers: known, Now: time.Now,
		Lead:    func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
		Reacted: func(string, string) {}, Log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// Connect opens all connections there may be: each asks a few things as it is made.
func (s *Stack) Connect(t testing.TB) {
	for _, pool := range []*pgxpool.Pool{s.Store.Pool(), s.Reads} {
		for range pool.Config().MaxConns {
			conn, err := pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
		}
	}
}

// Forget lets the commands know no stream's state any more.
func (s *Stack) Forget() {
	was := s.Identity.Executor
	s.Identity.Executor = commands.NewExecutor(was.Store, was.Vault.Over(was.Store), was.Claims)
	s.Identity.Executor.Settle = was.Settle
}

// StopProjector lets the read models stand still from now on.
func (s *Stack) StopProjector() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Client serves surfaces on the stack, and checks all that it says and hears against their document.
func (s *Stack) Client(t testing.TB, surfaces ...web.Surface) *Client {
	t.Helper()
	document, err := openapi.Document("", "", surfaces...)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := openapitest.New(document)
	if err != nil {
		t.Fatal(err)
	}
	host := web.Host{
		Limits:   &web.Limiter{Limits: s.Limits, Counter: &web.Counts{Now: s.Now}, Now: s.Now},
		Requests: s.Identity.Executor,
		Reached:  func(ctx context.Context, position int64) error { s.Fence.Await(ctx, position); return nil },
	}
	h := &server.Server{
		Surfaces: surfaces, Host: host, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) server.Readiness { return server.Readiness{Ready: true} },
	}
	return &Client{Handler: h.Handler(), Document: checker}
}
