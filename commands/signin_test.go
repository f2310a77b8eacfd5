package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/memory"

	"github.com/google/go-cmp/cmp"
)

// guarded is a realm that counts failures.
var guarded = func() identity.Realm {
	r := realm
	r.FailedSignIns = identity.FailureRule{Failures: 3, Within: time.Minute}
	return r
}()

// guess is a sign-in that must be refused.
func (p *population) guess(email string) {
	p.t.Helper()
	c := commands.Credentials{Realm: guarded, Email: value.Email(email), Password: "guess"}
	if _, err := p.SignIn(p.t.Context(), c); !errors.Is(err, commands.ErrCredentials) {
		p.t.Errorf("%s: %v", email, err)
	}
}

// facts are the facts of one aggregate, as the history tells them.
func facts(t *testing.T, s eventstore.Store, kind string) (all []eventstore.Recorded) {
	t.Helper()
	events, err := s.Read(t.Context(), 0, 10_000)
	must(t, err)
	for _, r := range events {
		if r.Stream.Kind == kind {
			all = append(all, r)
		}
	}
	return all
}

func TestAFailedSignInIsAFact(t *testing.T) {
	store := &memory.Store{}
	p := populate(t, store)
	ann := p.member("ann@example.com")
	out := p.member("out@example.com")
	must(t, p.deactivate(out))
	p.guess("ann@example.com")
	p.guess("nobody@example.com")
	_, err := p.SignIn(t.Context(), commands.Credentials{Realm: guarded, Email: "out@example.com", Password: "password"})
	if !errors.Is(err, commands.ErrCredentials) {
		t.Errorf("an inactive user: %v", err)
	}
	got := facts(t, store, "identity.sign_in")
	if len(got) != 3 {
		t.Fatalf("%d facts", len(got))
	}
	for n, user := range []string{ann.String(), "", out.String()} {
		var data struct {
			UserID string `json:"user_id"`
			Number int    `json:"number"`
		}
		must(t, json.Unmarshal(got[n].Data, &data))
		if data.UserID != user || data.Number != 1 || strings.Contains(string(got[n].Data), "example.com") {
			t.Errorf("%s", got[n].Data)
		}
	}
}

// What an address is can't be tried out on the ids of its stream.
func TestTheStreamOfAnAddressIsNamedByTheKey(t *testing.T) {
	a := commands.NewHasher(make([]byte, 32))
	b := commands.NewHasher([]byte("another key of thirty-two bytes."))
	c := identity.SignInClaim("r", "ann@example.com")
	if again := a.ID(c); a.ID(c) != again || again == b.ID(c) || a.ID(c) == a.ID(identity.SignInClaim("other", "ann@example.com")) {
		t.Error("ids don't follow from key, realm and address")
	}
}

// asked counts what is asked of a store.
type asked struct {
	eventstore.Store
	questions atomic.Int64
}

func (a *asked) Append(ctx context.Context, x eventstore.Append) (eventstore.Receipt, error) {
	a.questions.Add(1)
	return a.Store.Append(ctx, x)
}

func (a *asked) ReadStream(ctx context.Context, s domain.Stream, after int64, limit int) ([]eventstore.Recorded, error) {
	a.questions.Add(1)
	return a.Store.ReadStream(ctx, s, after, limit)
}

func (a *asked) Holder(ctx context.Context, c eventstore.Claim) (domain.Stream, bool, error) {
	a.questions.Add(1)
	return a.Store.Holder(ctx, c)
}

// The store is asked as often, and the answer says as little, whether an address is known or not.
func TestAFailedSignInDoesNotTellWhetherTheAddressIsKnown(t *testing.T) {
	store := &asked{Store: &memory.Store{}}
	p := populate(t, store)
	p.member("ann@example.com")
	p.Executor.Settle = func(context.Context, int64, []domain.Stream) bool {
		t.Error("a refusal waits for readers")
		return false
	}
	ask := func(email string) (questions int64, r commands.Receipt) {
		ctx, receipt := commands.WithReceipt(t.Context())
		before := store.questions.Load()
		_, err := p.SignIn(ctx, commands.Credentials{Realm: guarded, Email: value.Email(email), Password: "guess"})
		if !errors.Is(err, commands.ErrCredentials) {
			t.Error(err)
		}
		return store.questions.Load() - before, *receipt
	}
	for range guarded.FailedSignIns.Failures + 2 {
		known, receipt := ask("ann@example.com")
		unknown, other := ask("nobody@example.com")
		if known != unknown || !cmp.Equal(receipt, other) || !cmp.Equal(receipt, commands.Receipt{}) {
			t.Errorf("%d questions and %+v for a known address, %d and %+v for another", known, receipt, unknown, other)
		}
	}
}

// However many guess at once in several processes, all get their answer, and the stream stays short.
func TestManyGuessesAtOnce(t *testing.T) {
	store := &memory.Store{}
	processes := []*population{populate(t, store), populate(t, store), populate(t, store)}
	processes[0].member("ann@example.com")
	var all sync.WaitGroup
	for n := range 24 {
		all.Go(func() { processes[n%3].guess("ann@example.com") })
	}
	all.Wait()
	if got := facts(t, store, "identity.sign_in"); len(got) != guarded.FailedSignIns.Failures {
		t.Errorf("%d facts", len(got))
	}
	for _, p := range processes {
		p.clock.Store(int64(time.Minute + time.Second))
	}
	processes[0].guess("ann@example.com")
	if got := facts(t, store, "identity.sign_in"); len(got) != guarded.FailedSignIns.Failures+1 {
		t.Errorf("%d facts after the window has moved", len(got))
	}
}

func TestARealmWithoutARuleRecordsNoFailure(t *testing.T) {
	store := &memory.Store{}
	p := populate(t, store)
	_, err := p.SignIn(t.Context(), commands.Credentials{Realm: realm, Email: "ann@example.com", Password: "guess"})
	if got := facts(t, store, "identity.sign_in"); !errors.Is(err, commands.ErrCredentials) || len(got) != 0 {
		t.Errorf("%v, %d facts", err, len(got))
	}
}

// readOnly is a store that takes no appends.
type readOnly struct{ eventstore.Store }

func (readOnly) Append(context.Context, eventstore.Append) (eventstore.Receipt, error) {
	return eventstore.Receipt{}, fmt.Errorf("%w: read only", eventstore.ErrUnavailable)
}

func TestAFailureThatCannotBeRecordedIsNoAnswer(t *testing.T) {
	p := populate(t, &memory.Store{})
	p.Executor.Store = readOnly{p.Executor.Store}
	_, err := p.SignIn(t.Context(), commands.Credentials{Realm: guarded, Email: "ann@example.com", Password: "guess"})
	if !errors.Is(err, domain.ErrUnavailable) || errors.Is(err, commands.ErrCredentials) {
		t.Errorf("%v", err)
	}
}
