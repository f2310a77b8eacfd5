package commands_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/feed"
	"gesta/eventstore/memory"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/timers"
	"gesta/eventstore/wait"
)

// office is where policies work: a history, timers, and a clock that the test moves.
type office struct {
	t        *testing.T
	store    eventstore.Store
	timers   commands.Timers
	x        *commands.Executor
	handoff  *eventstore.Handoff
	clock    atomic.Int64 // nanoseconds after the start
	mu       sync.Mutex
	outcomes map[string]int
}

func newOffice(t *testing.T) *office {
	handoff := &eventstore.Handoff{}
	return furnish(t, &memory.Store{Handoff: handoff}, &timers.Memory{}, handoff)
}

// newPostgresOffice has its history and its timers in a database.
func newPostgresOffice(t *testing.T) *office {
	handoff := &eventstore.Handoff{}
	store := postgresStore(t, handoff)
	return furnish(t, store, timers.Table{DB: store.Pool(), Follower: "policies"}, handoff)
}

// postgresStore is a store in a database of its own.
func postgresStore(t *testing.T, h *eventstore.Handoff) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.Database(t), Handoff: h})
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func furnish(t *testing.T, s eventstore.Store, all commands.Timers, h *eventstore.Handoff) *office {
	return &office{t: t, store: s, timers: all, x: executor(t, s), handoff: h, outcomes: map[string]int{}}
}

var start = time.Now()

func (o *office) now() time.Time { return start.Add(time.Duration(o.clock.Load())) }

// worker is a new process' worker; nothing keeps two from working at once.
func (o *office) worker(policies ...commands.Policy) *commands.PolicyWorker {
	return &commands.PolicyWorker{
		Policies: policies, Store: o.store, Timers: o.timers, Now: o.now,
		Vault: o.x.Vault, Feed: &feed.Feed{Store: o.store, Handoff: o.handoff},
		Lead:    func(ctx context.Context, lead func(context.Context) error) error { return lead(ctx) },
		Reacted: o.reacted, Log: slog.New(slog.DiscardHandler),
	}
}

func (o *office) reacted(policy, outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.outcomes[policy+" "+outcome]++
}

func (o *office) times(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.outcomes[what]
}

// run has a worker react until the test ends, or stop is called.
func (o *office) run(w *commands.PolicyWorker) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	o.t.Cleanup(stop)
	return stop
}

// level waits until the policies are where the history ends.
func (o *office) level() {
	o.t.Helper()
	wait.Until(o.t, "the policies are level", func() bool {
		at := o.status().Position // It is asked for first: what they append moves the head.
		head, err := o.store.Head(o.t.Context())
		return err == nil && at == head.Position
	})
}

// status is where policies are; -1 while the store is away.
func (o *office) status() timers.Status {
	o.t.Helper()
	s, err := o.timers.(interface {
		Status(context.Context) (timers.Status, error)
	}).Status(o.t.Context())
	if err != nil {
		return timers.Status{Position: -1, Waiting: -1}
	}
	return s
}

var (
	causes  = stream("causes")
	effects = stream("effects")
)

func (o *office) cause(n int) {
	o.t.Helper()
	for range n {
		key := id.New(time.Now()).String()
		wait.Until(o.t, "a cause is appended", func() bool {
			_, err := commands.Execute(commands.Once(o.t.Context(), "test", key), o.x, count{causes, 1, ""})
			if errors.Is(err, domain.ErrUnavailable) {
				return false
			}
			if repeated := (*eventstore.Repeated)(nil); !errors.As(err, &repeated) {
				must(o.t, err)
			}
			return true
		})
	}
}

// effects are how many there are; -1 while the store is away.
func (o *office) effects() int {
	o.t.Helper()
	s, err := commands.State[counter](o.t.Context(), commands.NewExecutor(o.store, o.x.Vault, o.x.Claims), effects)
	if errors.Is(err, domain.ErrUnavailable) {
		return -1
	}
	must(o.t, err)
	return s.Sum
}

// has waits until the policies have had so many effects and have nothing left to do, and no more have come.
func (o *office) has(effects int) {
	o.t.Helper()
	wait.Until(o.t, fmt.Sprint(effects, " effects"), func() bool { return o.effects() >= effects })
	o.level()
	wait.Until(o.t, "nothing is left", func() bool { return o.status().Waiting == 0 })
	n := -1
	wait.Until(o.t, "the store is there", func() bool { n = o.effects(); return n >= 0 })
	if n != effects {
		o.t.Errorf("%d effects, not %d", n, effects)
	}
}

// echo counts one effect for each cause.
func (o *office) echo(ctx context.Context, _ commands.Contexts, r eventstore.Recorded, _ counted) error {
	if r.Stream != causes {
		return nil
	}
	_, err := commands.Execute(ctx, commands.NewExecutor(o.store, o.x.Vault, o.x.Claims), count{effects, 1, ""})
	return err
}

// guard has a worker keep the policies there are, for a population.
func (o *office) guard(p *population) (stop func()) {
	w := o.worker(commands.Policies...)
	w.Contexts, w.Vault = commands.Contexts{Identity: p.Identity}, p.Executor.Vault
	w.Now = p.Executor.Now
	return o.run(w)
}

// everywhere runs a test over both kinds of store.
func everywhere(t *testing.T, f func(t *testing.T, o *office)) {
	t.Run("memory", func(t *testing.T) { t.Parallel(); f(t, newOffice(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); f(t, newPostgresOffice(t)) })
}
