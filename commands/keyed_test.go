package commands_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/memory"
)

var theRequest = commands.Request{Scope: "ann", Key: "k", Asks: "count a"}

// counting counts under a request.
func counting(ctx context.Context, x *commands.Executor, r commands.Request, c count) (commands.Made, bool, error) {
	return x.Repeat(ctx, r, func(ctx context.Context) error {
		_, err := commands.Execute(ctx, x, c)
		return err
	})
}

// processes are two over one store.
func processes(t *testing.T, f func(t *testing.T, s eventstore.Store, one, two *commands.Executor)) {
	onStores(t, func(t *testing.T, s eventstore.Store) { f(t, s, executor(t, s), executor(t, s)) })
}

func TestWhatIsAskedAgainHappensOnce(t *testing.T) {
	t.Parallel()
	processes(t, func(t *testing.T, s eventstore.Store, one, two *commands.Executor) {
		for n, x := range []*commands.Executor{one, one, two} {
			made, again, err := counting(t.Context(), x, theRequest, count{stream("a"), 1, ""})
			must(t, err)
			if again != (n > 0) || again && made.Of("test.counter") != (commands.Revision{Stream: stream("a"), Version: 1}) {
				t.Errorf("%d: %+v %t", n, made, again)
			}
		}
		other := theRequest
		other.Asks = "count b"
		if _, _, err := counting(t.Context(), two, other, count{stream("b"), 1, ""}); !errors.Is(err, commands.ErrKeyReused) {
			t.Errorf("another request: %v", err)
		}
		for _, own := range []commands.Request{{Scope: "bob", Key: "k", Asks: theRequest.Asks}, {Scope: "ann", Key: "l", Asks: theRequest.Asks}, {Scope: "ann\x00k", Key: "", Asks: theRequest.Asks}} {
			if _, again, err := counting(t.Context(), two, own, count{stream("a"), 1, ""}); again || err != nil {
				t.Errorf("%+v: %t %v", own, again, err)
			}
		}
		if h, err := s.Head(t.Context()); err != nil || h.Position != 4 {
			t.Errorf("%+v %v", h, err)
		}
	})
}

func TestThatThereWasNothingToDoIsKnownAsWell(t *testing.T) {
	t.Parallel()
	processes(t, func(t *testing.T, s eventstore.Store, one, two *commands.Executor) {
		_, again, err := counting(t.Context(), one, theRequest, count{stream("a"), 0, ""})
		if again || err != nil {
			t.Errorf("%t %v", again, err)
		}
		made, again, err := counting(t.Context(), two, theRequest, count{stream("a"), 5, ""})
		if !again || err != nil || len(made.Streams) != 0 || made.Of("test.counter") != (commands.Revision{}) {
			t.Errorf("%+v %t %v", made, again, err)
		}
	})
}

func TestARefusalIsNotKept(t *testing.T) {
	t.Parallel()
	processes(t, func(t *testing.T, s eventstore.Store, one, two *commands.Executor) {
		_, err := commands.Execute(t.Context(), one, count{stream("b"), 1, "taken"})
		must(t, err)
		if _, again, err := counting(t.Context(), one, theRequest, count{stream("a"), 1, "taken"}); again || !errors.Is(err, errNameTaken) {
			t.Errorf("%t %v", again, err)
		}
		_, err = commands.Execute(t.Context(), one, count{stream("b"), 1, ""})
		must(t, err)
		if _, again, err := counting(t.Context(), two, theRequest, count{stream("a"), 1, "taken"}); again || err != nil {
			t.Errorf("%t %v", again, err)
		}
	})
}

// What is done on the side of a request neither is its answer nor spends its key.
func TestWhatIsDoneAsideIsNotTheRequest(t *testing.T) {
	t.Parallel()
	x := executor(t, &memory.Store{})
	refused := errors.New("refused")
	do := func(ctx context.Context) error {
		_, err := commands.Execute(commands.Aside(ctx), x, count{stream("failures"), 1, ""})
		return errors.Join(refused, err)
	}
	for range 2 {
		if _, again, err := x.Repeat(t.Context(), theRequest, do); again || !errors.Is(err, refused) {
			t.Errorf("%t %v", again, err)
		}
	}
}

// The one whose append comes first decides, also over what the other has found out by then.
func TestOfManyAtOnceOneIsMade(t *testing.T) {
	t.Parallel()
	processes(t, func(t *testing.T, s eventstore.Store, one, two *commands.Executor) {
		var all sync.WaitGroup
		firsts := make(chan domain.Stream, 64)
		for n := range cap(firsts) {
			x := []*commands.Executor{one, two}[n%2]
			all.Go(func() {
				c := count{stream("new " + strings.Repeat("x", n)), 1, "ann"} // A new thing each time, with the same name.
				made, again, err := counting(t.Context(), x, theRequest, c)
				for errors.Is(err, commands.ErrInProgress) { // The line is long, and the machine may be busy.
					made, again, err = counting(t.Context(), x, theRequest, c)
				}
				if err != nil {
					t.Error(err)
				}
				if again {
					firsts <- made.Streams[0].Stream
				} else {
					firsts <- c.On
				}
			})
		}
		all.Wait()
		close(firsts)
		first := <-firsts
		for other := range firsts {
			if other != first {
				t.Errorf("%s and %s", first, other)
			}
		}
		if h, err := s.Head(t.Context()); err != nil || h.Position != 1 {
			t.Errorf("%+v %v", h, err)
		}
	})
}

func TestWhoWaitsForTooLongIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := executor(t, &memory.Store{})
		began, finish, done := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			_, _, err := x.Repeat(t.Context(), theRequest, func(context.Context) error {
				close(began)
				<-finish
				return nil
			})
			done <- err
		}()
		<-began
		_, again, err := counting(t.Context(), x, theRequest, count{stream("a"), 1, ""})
		var f *domain.Fault
		if again || !errors.As(err, &f) || f != commands.ErrInProgress || f.Retry == 0 {
			t.Errorf("%t %v", again, err)
		}
		close(finish)
		must(t, <-done)
		if _, again, err := counting(t.Context(), x, theRequest, count{stream("a"), 1, ""}); !again || err != nil {
			t.Errorf("%t %v", again, err)
		}
	})
}

func TestRequestsAreForgottenAfterADay(t *testing.T) {
	t.Parallel()
	processes(t, func(t *testing.T, s eventstore.Store, one, two *commands.Executor) {
		_, _, err := counting(t.Context(), one, theRequest, count{stream("a"), 1, ""})
		must(t, err)
		_, err = commands.Execute(commands.Once(t.Context(), "policy/p", "1"), one, count{stream("a"), 1, ""})
		must(t, err)
		for _, c := range []struct {
			later time.Duration
			known bool
		}{{commands.KeyLife - time.Hour, true}, {commands.KeyLife + time.Hour, false}} {
			ctx, cancel := context.WithCancel(t.Context())
			one.Store = forgetful{s, c.later, cancel}
			one.ForgetRequests(ctx, func(err error) { t.Error(err) })
			if _, again, err := two.Repeated(t.Context(), theRequest); again != c.known || err != nil {
				t.Errorf("after %s: %t %v", c.later, again, err)
			}
		}
		if _, found, err := s.Idempotent(t.Context(), "policy/p", "1"); !found || err != nil {
			t.Errorf("a policy's: %t %v", found, err)
		}
	})
}

// forgetful is a store some time later, and ends once requests have been forgotten.
type forgetful struct {
	eventstore.Store
	later time.Duration
	end   func()
}

func (f forgetful) ForgetRequests(ctx context.Context, age time.Duration, limit int) (int, error) {
	defer f.end()
	return f.Store.ForgetRequests(ctx, age-f.later, limit)
}

// blinking can't be asked for a record any more, once it was.
type blinking struct {
	eventstore.Store
	asked int
}

func (b *blinking) Idempotent(ctx context.Context, scope, key string) (eventstore.Idempotency, bool, error) {
	if b.asked++; b.asked > 1 {
		return eventstore.Idempotency{}, false, eventstore.ErrUnavailable
	}
	return eventstore.Idempotency{}, false, nil
}

// Who loses, and can't find out by what, is told to come back.
func TestWhoLosesAndFindsNothingComesBack(t *testing.T) {
	t.Parallel()
	processes(t, func(t *testing.T, s eventstore.Store, one, two *commands.Executor) {
		_, _, err := counting(t.Context(), one, theRequest, count{stream("a"), 1, ""})
		must(t, err)
		two.Store = &blinking{Store: s}
		if _, again, err := counting(t.Context(), two, theRequest, count{stream("b"), 1, ""}); again || !errors.Is(err, domain.ErrUnavailable) {
			t.Errorf("%t %v", again, err)
		}
	})
}

func TestWhatWasMadeIsShownAsItWasThen(t *testing.T) {
	t.Parallel()
	processes(t, func(t *testing.T, s eventstore.Store, one, two *commands.Executor) {
		_, _, err := counting(t.Context(), one, theRequest, count{stream("a"), 1, "first"})
		must(t, err)
		_, err = commands.Execute(t.Context(), one, count{stream("a"), 2, "second"})
		must(t, err)
		made, _, err := two.Repeated(t.Context(), theRequest)
		must(t, err)
		was, err := commands.StateAt[counter](t.Context(), two, made.Of("test.counter"))
		if err != nil || was != (counter{1, "first"}) {
			t.Errorf("%+v %v", was, err)
		}
		if _, err := commands.StateAt[counter](t.Context(), two, commands.Revision{Stream: stream("a"), Version: 3}); err == nil {
			t.Error("it has a version that it has not reached")
		}
	})
}

// A change on condition is decided on what is, whatever this process has kept of it.
func TestAChangeOnCondition(t *testing.T) {
	t.Parallel()
	processes(t, func(t *testing.T, s eventstore.Store, one, two *commands.Executor) {
		at := func(version int64) context.Context {
			return commands.Provided(t.Context(), stream("a"), func(is int64) bool { return is == version })
		}
		for version := range int64(4) {
			x := []*commands.Executor{one, two}[version%2]
			_, err := commands.Execute(at(version), x, count{stream("a"), 1, ""})
			must(t, err)
		}
		for _, by := range []int{0, 1} {
			if _, err := commands.Execute(at(3), one, count{stream("a"), by, ""}); !errors.Is(err, commands.ErrOutdated) {
				t.Errorf("by %d: %v", by, err)
			}
		}
		if _, err := commands.Execute(at(4), one, count{stream("a"), 0, ""}); err != nil {
			t.Error(err)
		}
		ctx := at(4) // What follows in the same request is not held against what it has changed itself.
		for range 2 {
			if _, err := commands.Execute(ctx, one, count{stream("a"), 1, ""}); err != nil {
				t.Error(err)
			}
		}
		if _, err := commands.Execute(commands.Aside(at(1)), one, count{stream("b"), 1, ""}); err != nil {
			t.Error(err)
		}
	})
}
