package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/timers"
	"gesta/eventstore/wait"
)

func TestEachEventIsReactedToOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, o *office) {
		o.cause(3)
		stop := o.run(o.worker(commands.When("echo", o.echo)))
		o.cause(2)
		o.level()
		stop()
		o.cause(4)
		o.run(o.worker(commands.When("echo", o.echo)))
		wait.Until(t, "9 effects", func() bool { return o.effects() == 9 })
		o.level()
		if o.effects() != 9 || o.status().Waiting != 0 {
			t.Errorf("%d effects, %+v", o.effects(), o.status())
		}
	})
}

// crashing timers fail to move the checkpoint, as if the process had died before it could.
type crashing struct {
	timers.Memory
	crashes atomic.Int64
}

func (c *crashing) Move(ctx context.Context, from, to eventstore.Mark, set []timers.Timer) error {
	if c.crashes.Add(-1) >= 0 {
		return errors.New("the process dies")
	}
	return c.Memory.Move(ctx, from, to, set)
}

func TestAReactionWhoseCheckpointWasLostIsOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	all := &crashing{}
	all.crashes.Store(2)
	o.timers = all
	o.cause(5)
	o.run(o.worker(commands.When("echo", o.echo)))
	o.level()
	if o.effects() != 5 || o.times("echo repeated") < 5 {
		t.Errorf("%d effects, %v", o.effects(), o.outcomes)
	}
}

// Two that react at once, against all leadership, have one effect.
func TestTwoWorkersHaveOneEffect(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, o *office) {
		for range 2 {
			o.run(o.worker(commands.When("echo", o.echo)))
		}
		o.cause(60)
		o.has(60)
	})
}

// What follows says what it follows, and who decided it.
func TestAnEffectNamesItsCause(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ctx := domain.WithMeta(t.Context(), domain.Meta{Actor: "user/1", Realm: "r", Correlation: "c", Request: "q"})
	_, err := commands.Execute(ctx, o.x, count{causes, 1, ""})
	must(t, err)
	o.run(o.worker(commands.When("echo", o.echo)))
	wait.Until(t, "an effect", func() bool { return o.effects() == 1 })
	events, err := o.store.Read(t.Context(), 0, 2)
	must(t, err)
	want := fmt.Sprintf(`{"actor":"policy/echo","realm":"r","correlation":"c","causation":"%s"}`, events[0].ID)
	if string(events[1].Meta) != want {
		t.Errorf("%s, not %s", events[1].Meta, want)
	}
}

// A refusal of the business is an answer.
func TestARefusedReactionIsDone(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.run(o.worker(commands.When("ask", func(context.Context, commands.Contexts, eventstore.Recorded, counted) error {
		return errNameTaken
	})))
	o.cause(1)
	o.level()
	if o.times("ask refused") != 1 || o.status().Waiting != 0 {
		t.Errorf("%v %+v", o.outcomes, o.status())
	}
}

// What goes wrong with one event holds up no other, is named, and is tried again at growing distances.
func TestAMistakeIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	for name, mistake := range map[string]func() error{
		"error": func() error { return errors.New("a bug\x00") },
		"panic": func() error { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, o *office) {
				var mended atomic.Bool
				o.cause(3)
				o.run(o.worker(commands.When("echo", func(ctx context.Context, c commands.Contexts, r eventstore.Recorded, e counted) error {
					if r.Position == 2 && !mended.Load() {
						return mistake()
					}
					return o.echo(ctx, c, r, e)
				})))
				wait.Until(t, "2 effects", func() bool { return o.effects() == 2 })
				o.level()
				for attempts, pause := 1, time.Second; attempts <= 3; attempts, pause = attempts+1, 2*pause {
					wait.Until(t, "a failure is named", func() bool {
						s := o.status()
						return s.Failing == 1 && s.Oldest[0].Attempts == attempts && s.Oldest[0].Cause.Position == 2
					})
					if left := o.status().Oldest[0].Due.Sub(o.now()); left > pause || left < pause-time.Millisecond {
						t.Errorf("after %d attempts it waits for %s", attempts, left)
					}
					mended.Store(attempts == 3)
					o.clock.Add(int64(pause))
				}
				o.has(3)
			})
		})
	}
}

// damage appends an event whose data is no such event's.
func (o *office) damage() {
	o.t.Helper()
	_, err := o.store.Append(o.t.Context(), eventstore.Append{Writes: []eventstore.Write{{
		Stream: stream("damaged"), Events: []eventstore.NewEvent{{
			ID: id.Event{ID: id.New(time.Now())}, Type: "test.counter.counted", Schema: 1,
			Data: json.RawMessage(`{"by":4711.5}`), Meta: json.RawMessage(`{}`), OccurredAt: time.Now(),
		}},
	}}})
	must(o.t, err)
}

func TestDamageHoldsUpNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.damage()
	o.cause(1)
	o.run(o.worker(
		commands.When("echo", o.echo),
		commands.At("later", inAnHour, o.echo),
		commands.At("never", func(c counted) time.Time { panic(fmt.Sprint("not ", c.By+4710)) }, o.echo),
	))
	wait.Until(t, "an effect", func() bool { return o.effects() == 1 })
	wait.Until(t, "all failures are named", func() bool { return o.status().Failing == 2+3 })
	for _, failing := range o.status().Oldest { // By anybody who may ask for them.
		if strings.Contains(failing.Error, "4711") {
			t.Errorf("what the event says is told: %s", failing.Error)
		}
	}
	if o.level(); o.effects() != 1 {
		t.Errorf("%d effects", o.effects())
	}
}

// absent is a store that takes no appends while it is away.
type absent struct {
	eventstore.Store
	away atomic.Bool
}

func (a *absent) Append(ctx context.Context, x eventstore.Append) (eventstore.Receipt, error) {
	if a.away.Load() {
		return eventstore.Receipt{}, eventstore.ErrUnavailable
	}
	return a.Store.Append(ctx, x)
}

func TestAStoreThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	store := &absent{Store: o.store}
	o.store = store
	o.cause(3)
	store.away.Store(true)
	w := o.worker(commands.When("echo", o.echo))
	o.run(w)
	wait.Until(t, "the worker says why it waits", func() bool { return errors.Is(w.Err(), eventstore.ErrUnavailable) })
	if s := o.status(); s.Position != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	store.away.Store(false)
	o.has(3)
	wait.Until(t, "the worker gets on", func() bool { return w.Err() == nil })
}

// storm is a store whose answers get lost: every third append is done without anybody hearing of it,
// or not done at all, while it lasts.
type storm struct {
	eventstore.Store
	lasts atomic.Int64
}

func (s *storm) Append(ctx context.Context, a eventstore.Append) (eventstore.Receipt, error) {
	left := s.lasts.Add(-1)
	if left < 0 || left%3 == 2 {
		return s.Store.Append(ctx, a)
	}
	if left%3 == 1 {
		_, _ = s.Store.Append(ctx, a) // What it answers is what gets lost.
	}
	return eventstore.Receipt{}, eventstore.ErrUnavailable
}

// stormy timers fail at every second question, while it lasts.
type stormy struct {
	timers.Memory
	lasts atomic.Int64
}

func (s *stormy) fails() bool { left := s.lasts.Add(-1); return left >= 0 && left%2 == 0 }

var errStorm = errors.New("a storm")

func (s *stormy) Move(ctx context.Context, from, to eventstore.Mark, set []timers.Timer) error {
	if s.fails() {
		return errStorm
	}
	return s.Memory.Move(ctx, from, to, set)
}

func (s *stormy) Done(ctx context.Context, t timers.Timer) error {
	if s.fails() {
		return errStorm
	}
	return s.Memory.Done(ctx, t)
}

func (s *stormy) Due(ctx context.Context, now time.Time, limit int) ([]timers.Timer, error) {
	if s.fails() {
		return nil, errStorm
	}
	return s.Memory.Due(ctx, now, limit)
}

// Whatever is lost on the way, each cause has each effect once.
func TestEffectsAreOnceInAStorm(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.cause(8)
	store, all := &storm{Store: o.store}, &stormy{}
	o.store, o.timers = store, all
	store.lasts.Store(12)
	all.lasts.Store(8)
	for range 2 {
		o.run(o.worker(
			commands.When("at_once", o.echo),
			commands.At("at_its_time", func(counted) time.Time { return start }, o.echo),
		))
	}
	wait.Until(t, "the storm is over", func() bool { return store.lasts.Load() <= 0 && all.lasts.Load() <= 0 })
	o.has(16)
}

// Connections that are cut double nothing and lose nothing.
func TestEffectsAreOnceWhileConnectionsAreCut(t *testing.T) {
	t.Parallel()
	o := newPostgresOffice(t)
	for range 2 {
		o.run(o.worker(commands.When("at_once", o.echo), commands.At("at_its_time", func(counted) time.Time { return start }, o.echo)))
	}
	for range 4 {
		o.cause(5)
		_, _ = o.timers.(timers.Table).DB.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity
			where datname = current_database()`) // Its own is cut as well, and so it fails.
	}
	o.has(40)
}

// A reaction that can't be done, though the store is there, holds up the others for moments only.
func TestAReactionThatWaitsAloneIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.cause(2)
	o.run(o.worker(commands.When("echo", func(ctx context.Context, c commands.Contexts, r eventstore.Recorded, e counted) error {
		if r.Position == 1 {
			return fmt.Errorf("%w (a queue that never ends)", domain.ErrUnavailable)
		}
		return o.echo(ctx, c, r, e)
	})))
	wait.Until(t, "the other has its effect", func() bool { return o.effects() == 1 })
	wait.Until(t, "the failure is named", func() bool { return o.status().Failing == 1 })
}

func inAnHour(counted) time.Time { return start.Add(time.Hour) }

// A time that comes while nobody works is kept when somebody does.
func TestTimesAreKeptAfterDowntime(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, o *office) {
		o.cause(3)
		stop := o.run(o.worker(commands.At("echo", inAnHour, o.echo)))
		o.level()
		if o.effects() != 0 || o.status().Waiting != 3 {
			t.Errorf("%d effects, %+v", o.effects(), o.status())
		}
		stop()
		o.clock.Store(int64(2 * time.Hour))
		for range 2 {
			o.run(o.worker(commands.At("echo", inAnHour, o.echo)))
		}
		o.has(3)
	})
}

// Timers that were lost are set anew, and to what lies before nobody reacts.
func TestLostTimersAreSetAnewInSilence(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	lost := &timers.Memory{}
	o.timers = lost
	policies := []commands.Policy{
		commands.When("at_once", o.echo),
		commands.At("in_an_hour", inAnHour, o.echo),
		commands.At("done", func(counted) time.Time { return start }, o.echo),
	}
	o.cause(2)
	stop := o.run(o.worker(policies...))
	wait.Until(t, "what is due is done", func() bool { return o.effects() == 4 })
	o.level()
	wait.Until(t, "only the future waits", func() bool { return o.status().Waiting == 2+4 })
	stop()
	lost.Lose()
	o.cause(1) // While nobody works; it is before the end of the history.
	o.run(o.worker(policies...))
	wait.Until(t, "the time of the third cause is kept", func() bool { return o.effects() == 5 })
	o.level()
	wait.Until(t, "only the future waits", func() bool { return o.status().Waiting == 3+5 })
	o.cause(1)
	wait.Until(t, "the fourth cause is reacted to", func() bool { return o.effects() == 7 })
	o.clock.Store(int64(2 * time.Hour))
	wait.Until(t, "the hour has come for four", func() bool { return o.effects() == 11 })
}

// A timer of a policy that this program does not know waits for one that does.
func TestATimerOfAnotherVersionIsKept(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.cause(1)
	stop := o.run(o.worker(commands.At("newer", inAnHour, o.echo)))
	o.level()
	stop()
	o.clock.Store(int64(2 * time.Hour))
	stop = o.run(o.worker())
	wait.Until(t, "the timer is named", func() bool { return o.status().Failing == 1 })
	stop()
	o.clock.Store(int64(4 * time.Hour))
	o.run(o.worker(commands.At("newer", inAnHour, o.echo)))
	wait.Until(t, "an effect", func() bool { return o.effects() == 1 })
}

func TestOnceIsForOneAppend(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	x := executor(t, store)
	first := commands.Once(t.Context(), "policy/p", "1")
	_, err := commands.Execute(first, x, count{effects, 0, ""})
	must(t, err) // Nothing was decided, and nothing is recorded.
	_, err = commands.Execute(first, x, count{effects, 1, ""})
	must(t, err)
	var repeated *eventstore.Repeated
	if _, err := commands.Execute(first, x, count{effects, 1, ""}); err == nil || errors.As(err, &repeated) {
		t.Errorf("two appends under one Once: %v", err)
	}
	if _, err := commands.Execute(commands.Once(t.Context(), "policy/p", "1"), x, count{effects, 1, ""}); !errors.As(err, &repeated) {
		t.Errorf("again: %v", err)
	}
	_, err = commands.Execute(commands.Once(t.Context(), "policy/q", "1"), x, count{effects, 1, ""})
	must(t, err)
}

// The first policies: as many failed sign-ins as the realm allows are suspect, until their time is over.
func TestGuessingIsSuspectedOnceAndForAWhile(t *testing.T) {
	t.Parallel()
	store := &memory.Store{Handoff: &eventstore.Handoff{}}
	p := populate(t, store)
	p.Realms = map[string]identity.Realm{guarded.Name: guarded}
	o := furnish(t, store, &timers.Memory{}, store.Handoff)
	stop := o.guard(p)
	o.guard(p)
	p.guess("ann@example.com")
	p.guess("ann@example.com")
	o.level()
	if got := facts(t, store, "identity.sign_in"); len(got) != 2 {
		t.Fatalf("%d facts after two failures", len(got))
	}
	for range 3 {
		p.guess("ann@example.com")
	}
	wait.Until(t, "the suspicion", func() bool { return len(facts(t, store, "identity.sign_in")) == 4 })
	o.level()
	stop()
	p.clock.Store(int64(time.Minute + time.Second))
	wait.Until(t, "its end", func() bool { return len(facts(t, store, "identity.sign_in")) == 5 })
	o.level()
	got := facts(t, store, "identity.sign_in")
	for n, typ := range map[int]string{2: "failed", 3: "suspected", 4: "suspicion_ended"} {
		if got[n].Type != "identity.sign_in."+typ {
			t.Errorf("fact %d is %s", n, got[n].Type)
		}
		var meta domain.Meta
		must(t, json.Unmarshal(got[n].Meta, &meta))
		if n > 2 && meta.Causation != got[n-1].ID.String() || meta.Realm != "r" {
			t.Errorf("fact %d: %+v", n, meta)
		}
	}
}
