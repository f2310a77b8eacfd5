package commands_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/seal/sealtest"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) {
	pgtest.Main(m)
	wait.NoLeaks()
}

// A counter is all that the executor's own rules need. It holds a claim on its name.
type (
	counted struct {
		By   int    `json:"by" privacy:"public"`
		Name string `json:"name" privacy:"public"`
	}
	counter struct {
		Sum  int
		Name string
	}
	count struct {
		On   domain.Stream
		By   int
		Name string
	}
)

func (counted) EventType() string { return "test.counter.counted" }

func (c counter) Evolve(e domain.Event, _ time.Time) counter {
	return counter{c.Sum + e.(counted).By, e.(counted).Name}
}

func (c counter) Claims() []domain.Claim {
	if c.Name == "" {
		return nil
	}
	return []domain.Claim{{Scope: "counter", Name: c.Name}}
}

var errNameTaken = &domain.Fault{Kind: domain.Conflict, Code: "name_taken", Text: "name is taken"}

func (counter) Refuse(domain.Claim) error { return errNameTaken }

func (c count) Target() domain.Stream { return c.On }

func (c count) Decide(s counter) ([]domain.Event, error) {
	if c.By == 0 {
		return nil, nil
	}
	return []domain.Event{counted{c.By, c.Name}}, nil
}

func stream(name string) domain.Stream {
	return domain.Stream{Kind: "test.counter", ID: id.Named(name)}
}

func executor(t testing.TB, s eventstore.Store) *commands.Executor {
	t.Helper()
	vault := sealtest.Vault(t, s, domain.NewCatalogue([]domain.Type{domain.TypeOf[counted]()}))
	return commands.NewExecutor(s, vault, commands.NewHasher(make([]byte, 32)))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestExecuteAppendsWhatWasDecided(t *testing.T) {
	store := &memory.Store{}
	x := executor(t, store)
	ctx := domain.WithMeta(t.Context(), domain.Meta{Actor: "user/1", Realm: "r"})
	after, err := commands.Execute(ctx, x, count{stream("a"), 3, ""})
	must(t, err)
	after, err = commands.Execute(ctx, x, count{stream("a"), 4, ""})
	must(t, err)
	events, err := store.ReadStream(ctx, stream("a"), 0, 10)
	must(t, err)
	if after.Sum != 7 || len(events) != 2 || string(events[1].Data) != `{"by":4,"name":""}` {
		t.Errorf("%+v, %v", after, events)
	}
	if string(events[0].Meta) != `{"actor":"user/1","realm":"r"}` {
		t.Errorf("metadata %s", events[0].Meta)
	}
}

func TestDecidingNothingAppendsNothing(t *testing.T) {
	store := &memory.Store{}
	x := executor(t, store)
	ctx, receipt := commands.WithReceipt(t.Context())
	_, err := commands.Execute(ctx, x, count{stream("a"), 0, ""})
	must(t, err)
	head, err := store.Head(ctx)
	must(t, err)
	if head.Position != 0 || receipt.Position != 0 || receipt.Pending {
		t.Errorf("%+v, %+v", head, receipt)
	}
}

func TestTheReceiptSaysWhereAndWhetherReadersSee(t *testing.T) {
	x := executor(t, &memory.Store{})
	x.Settle = func(_ context.Context, position int64, streams []domain.Stream) bool {
		if len(streams) != 1 || streams[0] != stream("a") {
			t.Errorf("written on %v", streams)
		}
		return position != 2
	}
	for want := int64(1); want <= 3; want++ {
		ctx, receipt := commands.WithReceipt(t.Context())
		_, err := commands.Execute(ctx, x, count{stream("a"), 1, ""})
		must(t, err)
		if receipt.Position != want || receipt.Pending != (want == 2) || !slices.Equal(receipt.Revisions, []commands.Revision{{Stream: stream("a"), Version: want}}) {
			t.Errorf("%+v", receipt)
		}
	}
}

// What is done is answered, though the request's time ran out over it: it would be repeated otherwise.
func TestWhatIsDoneIsAnswered(t *testing.T) {
	x := executor(t, &memory.Store{})
	ctx, expire := context.WithCancel(t.Context())
	x.Settle = func(context.Context, int64, []domain.Stream) bool { expire(); return false }
	if after, err := commands.Execute(ctx, x, count{stream("a"), 7, ""}); err != nil || after.Sum != 7 {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestAClaimIsReleasedAndTakenWithTheState(t *testing.T) {
	x := executor(t, &memory.Store{})
	ctx := t.Context()
	name := func(s, n string) error { _, err := commands.Execute(ctx, x, count{stream(s), 1, n}); return err }
	must(t, name("a", "ann"))
	if err := name("b", "ann"); !errors.Is(err, errNameTaken) {
		t.Errorf("a name that is held: %v", err)
	}
	must(t, name("a", "bob"))
	must(t, name("b", "ann"))
	holder, held, err := x.Holder(ctx, domain.Claim{Scope: "counter", Name: "ann"})
	if err != nil || !held || holder != stream("b") {
		t.Errorf("%v %t %v", holder, held, err)
	}
	all, err := x.Holders(ctx, "counter")
	if err != nil || len(all) != 2 {
		t.Errorf("%v %v", all, err)
	}
}

// Works on several streams, taken in any order, lose nothing and never wait for each other in a circle.
func TestManyWorksOnTheSameStreams(t *testing.T) {
	store := &memory.Store{}
	executors := []*commands.Executor{executor(t, store), executor(t, store)} // as two processes
	names := []string{"a", "b", "c"}
	var all sync.WaitGroup
	for n := range 60 {
		all.Go(func() {
			err := executors[n%2].Do(t.Context(), func(w *commands.Work) error {
				for i := range names {
					if _, err := commands.Decide(w, count{stream(names[(n+i)%3]), 1, ""}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, n := range names {
		state, err := commands.State[counter](t.Context(), executors[0], stream(n))
		if err != nil || state.Sum != 60 {
			t.Errorf("%s: %+v %v", n, state, err)
		}
	}
}

// A store that several processes write lets the slower ones try until they get through.
func TestManyProcessesOnOneStream(t *testing.T) {
	store := &memory.Store{}
	var all sync.WaitGroup
	for range 16 {
		x := executor(t, store)
		for range 4 {
			all.Go(func() {
				if _, err := commands.Execute(t.Context(), x, count{stream("hot"), 1, ""}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	state, err := commands.State[counter](t.Context(), executor(t, store), stream("hot"))
	if err != nil || state.Sum != 64 {
		t.Errorf("%+v %v", state, err)
	}
}

// An error that a work swallows does not let it commit with half of what it needs.
func TestAWorkThatSwallowsAMissingLockRunsAgain(t *testing.T) {
	x := executor(t, &memory.Store{})
	early, late := stream("a"), stream("b")
	if early.Compare(late) > 0 {
		early, late = late, early
	}
	err := x.Do(t.Context(), func(w *commands.Work) error {
		_, _ = commands.Decide(w, count{late, 1, ""})
		_, _ = commands.Decide(w, count{early, 1, ""})
		return nil
	})
	must(t, err)
	for _, s := range []domain.Stream{early, late} {
		if state, err := commands.State[counter](t.Context(), x, s); err != nil || state.Sum != 1 {
			t.Errorf("%s: %+v %v", s, state, err)
		}
	}
}

// What a work has looked at is still so when it commits.
func TestAWorkRunsAgainWhenWhatItSawHasMoved(t *testing.T) {
	store := &memory.Store{}
	x, other := executor(t, store), executor(t, store)
	runs := 0
	err := x.Do(t.Context(), func(w *commands.Work) error {
		runs++
		seen, err := commands.Look[counter](w, stream("seen"))
		if err != nil {
			return err
		}
		if runs == 1 {
			_, err := commands.Execute(t.Context(), other, count{stream("seen"), 5, ""})
			must(t, err)
		}
		_, err = commands.Decide(w, count{stream("copy"), seen.Sum, ""})
		return err
	})
	must(t, err)
	state, err := commands.State[counter](t.Context(), x, stream("copy"))
	if err != nil || state.Sum != 5 || runs != 3 { // Once more for a lock, and for what has moved.
		t.Errorf("%+v after %d runs, %v", state, runs, err)
	}
}

// countedReads is a store that counts how often a stream is read.
type countedReads struct {
	eventstore.Store
	reads int
}

func (s *countedReads) ReadStream(ctx context.Context, of domain.Stream, after int64, limit int) ([]eventstore.Recorded, error) {
	s.reads++
	return s.Store.ReadStream(ctx, of, after, limit)
}

// fill is refused where anything is.
type fill struct{ On domain.Stream }

var errFull = errors.New("full")

func (f fill) Target() domain.Stream { return f.On }

func (f fill) Decide(s counter) ([]domain.Event, error) {
	if s.Sum != 0 {
		return nil, errFull
	}
	return []domain.Event{counted{1, ""}}, nil
}

func TestAStateThatIsKeptIsDecidedOnWithoutAsking(t *testing.T) {
	store := &countedReads{Store: &memory.Store{}}
	x := executor(t, store)
	for n := range 5 {
		after, err := commands.Execute(t.Context(), x, count{stream("a"), 2, ""})
		if err != nil || after.Sum != 2*(n+1) || store.reads != 1 {
			t.Errorf("%+v after %d reads, %v", after, store.reads, err)
		}
	}
}

// What is kept may be outdated: only an append proves that it is not.
func TestAStateThatIsKeptAloneRefusesAndAnswersNothing(t *testing.T) {
	store := &memory.Store{}
	for name, try := range map[string]func(*commands.Executor, domain.Stream) (counter, error){
		"an append": func(x *commands.Executor, s domain.Stream) (counter, error) {
			return commands.Execute(t.Context(), x, count{s, 1, ""})
		},
		"a refusal": func(x *commands.Executor, s domain.Stream) (counter, error) {
			return commands.Execute(t.Context(), x, fill{s})
		},
		"nothing to do": func(x *commands.Executor, s domain.Stream) (counter, error) {
			if _, err := commands.Execute(t.Context(), executor(t, store), count{s, 1, ""}); err != nil {
				return counter{}, err
			}
			return commands.Execute(t.Context(), x, count{s, 0, ""})
		},
	} {
		x, other, s := executor(t, store), executor(t, store), stream(name)
		_, err := commands.Execute(t.Context(), x, count{s, 5, ""})
		must(t, err)
		_, err = commands.Execute(t.Context(), other, count{s, -5, ""})
		must(t, err)
		if after, err := try(x, s); err != nil || after.Sum != 1 {
			t.Errorf("%s: %+v, %v", name, after, err)
		}
	}
}

// meanwhile is a store on which something happens while a stream is read, once.
type meanwhile struct {
	eventstore.Store
	by func()
}

func (m *meanwhile) ReadStream(ctx context.Context, of domain.Stream, after int64, limit int) ([]eventstore.Recorded, error) {
	events, err := m.Store.ReadStream(ctx, of, after, limit)
	if by := m.by; by != nil {
		m.by = nil
		by()
	}
	return events, err
}

// Who only reads holds no lock, and does not take back what is known by then.
func TestAReadTakesNoStateBack(t *testing.T) {
	conflicts := &refusing{Store: &memory.Store{}}
	store := &meanwhile{Store: conflicts}
	x := executor(t, store)
	add := func() {
		_, err := commands.Execute(t.Context(), x, count{stream("a"), 1, ""})
		must(t, err)
	}
	add()
	store.by = add
	_, err := commands.State[counter](t.Context(), x, stream("a"))
	must(t, err)
	if add(); conflicts.refused > 0 {
		t.Errorf("%d appends were refused", conflicts.refused)
	}
}

// refusing counts what its store refuses.
type refusing struct {
	eventstore.Store
	refused int
}

func (s *refusing) Append(ctx context.Context, a eventstore.Append) (eventstore.Receipt, error) {
	r, err := s.Store.Append(ctx, a)
	if err != nil {
		s.refused++
	}
	return r, err
}

// Replicas that write the same streams in turns would otherwise have a conflict each time.
func TestAfterAMistakeNothingIsTrustedForAWhile(t *testing.T) {
	store := &refusing{Store: &memory.Store{}}
	x, other := executor(t, store), executor(t, store.Store)
	by := func(x *commands.Executor) {
		t.Helper()
		_, err := commands.Execute(t.Context(), x, count{stream("a"), 1, ""})
		must(t, err)
	}
	by(x)
	for range 3 {
		by(other)
		by(x)
	}
	if store.refused != 1 {
		t.Errorf("%d appends were refused, not 1", store.refused)
	}
}

func TestBeginRefusesAStreamThatIsThere(t *testing.T) {
	x := executor(t, &memory.Store{})
	begin := func() error {
		return x.Do(t.Context(), func(w *commands.Work) error {
			_, err := commands.Begin(w, count{stream("a"), 1, ""})
			return err
		})
	}
	must(t, begin())
	if err := begin(); !errors.Is(err, commands.ErrExists) {
		t.Errorf("begun twice: %v", err)
	}
}

func TestARefusalAppendsNothing(t *testing.T) {
	store := &memory.Store{}
	x := executor(t, store)
	refusal := errors.New("no")
	err := x.Do(t.Context(), func(w *commands.Work) error {
		if _, err := commands.Decide(w, count{stream("a"), 1, ""}); err != nil {
			return err
		}
		return refusal
	})
	head, _ := store.Head(t.Context())
	if !errors.Is(err, refusal) || head.Position != 0 {
		t.Errorf("%v %+v", err, head)
	}
}

// other is another state over the counter's stream.
type other struct{ Seen int }

func (o other) Evolve(domain.Event, time.Time) other { return other{o.Seen + 1} }

func TestOneStreamFoldsIntoTwoStates(t *testing.T) {
	x := executor(t, &memory.Store{})
	for range 2 {
		_, err := commands.Execute(t.Context(), x, count{stream("a"), 2, ""})
		must(t, err)
	}
	for range 2 {
		as, err := commands.State[counter](t.Context(), x, stream("a"))
		must(t, err)
		seen, err := commands.State[other](t.Context(), x, stream("a"))
		must(t, err)
		if as.Sum != 4 || seen.Seen != 2 {
			t.Errorf("%+v %+v", as, seen)
		}
	}
}

// away is a store that can't be reached.
type away struct{ eventstore.Store }

func (away) ReadStream(context.Context, domain.Stream, int64, int) ([]eventstore.Recorded, error) {
	return nil, eventstore.ErrUnavailable
}

func TestAStoreThatIsAwayHasAWord(t *testing.T) {
	x := executor(t, &memory.Store{})
	x.Store = away{}
	_, err := commands.Execute(t.Context(), x, count{stream("a"), 1, ""})
	var fault *domain.Fault
	if !errors.As(err, &fault) || fault.Kind != domain.Unavailable || fault.Retry == 0 {
		t.Errorf("%v", err)
	}
}

func TestWaitingForALockEndsWithTheContext(t *testing.T) {
	x := executor(t, &memory.Store{})
	holding, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_ = x.Do(t.Context(), func(w *commands.Work) error {
			_, err := commands.Look[counter](w, stream("a"))
			close(holding)
			<-release
			return err
		})
	})
	<-holding
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := commands.Execute(ctx, x, count{stream("a"), 1, ""})
	if !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	close(release)
	all.Wait()
}

func TestHashesTellNothingWithoutTheKey(t *testing.T) {
	a := commands.NewHasher(make([]byte, 32))
	b := commands.NewHasher([]byte("another key of thirty-two bytes."))
	c := domain.Claim{Scope: "email/r", Name: "ann@example.com"}
	if again := a.Hash(c); a.Hash(c) != again || again == b.Hash(c) || a.Hash(c).Scope != a.Scope(c.Scope) {
		t.Error("hashes and keys don't match")
	}
	if diff := cmp.Diff(a.HashAll([]domain.Claim{c}), []eventstore.Claim{a.Hash(c)}); diff != "" {
		t.Error(diff)
	}
	if a.Hash(domain.Claim{Scope: "x", Name: "y"}) == a.Hash(domain.Claim{Scope: "xy"}) {
		t.Error("scope and name run together")
	}
}

// Under a running executor the store is restored from a backup, and has perhaps grown since: what the
// executor knew of the lost history decides nothing.
func TestAStoreThatIsRestoredUnderneath(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	restored := func(by ...int) *memory.Store {
		store := &memory.Store{}
		for _, n := range by {
			_, err := commands.Execute(ctx, executor(t, store), count{stream("a"), n, ""})
			must(t, err)
		}
		return store
	}
	for name, now := range map[string][]int{
		"to before its beginning": nil, "to an earlier version": {1},
		"to where it has grown as long": {1, 5, 5}, "to where it has grown longer": {1, 5, 5, 5},
	} {
		for first, ask := range map[string]func(*commands.Executor) (counter, error){
			"asked": func(x *commands.Executor) (counter, error) { return commands.State[counter](ctx, x, stream("a")) },
			"nothing to do": func(x *commands.Executor) (counter, error) {
				return commands.Execute(ctx, x, count{stream("a"), 0, ""})
			},
			"at once": func(*commands.Executor) (counter, error) { return counter{Sum: sumOf(now)}, nil },
		} {
			x, sum := executor(t, restored()), sumOf(now)
			for _, n := range []int{1, 2, 3} {
				_, err := commands.Execute(ctx, x, count{stream("a"), n, ""})
				must(t, err)
			}
			x.Store = restored(now...)
			if is, err := ask(x); err != nil || is.Sum != sum {
				t.Errorf("%s, %s: %+v %v", name, first, is, err)
			}
			if is, err := commands.Execute(ctx, x, count{stream("a"), 7, ""}); err != nil || is.Sum != sum+7 {
				t.Errorf("%s, %s: %+v %v", name, first, is, err)
			}
		}
	}
}

func sumOf(all []int) (sum int) {
	for _, n := range all {
		sum += n
	}
	return sum
}
