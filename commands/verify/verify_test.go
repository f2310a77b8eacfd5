package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gesta/commands"
	"gesta/commands/verify"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/seal/sealtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// A badge is all that is needed here: it has a name that no other badge has, and is renamed.
type (
	renamed struct {
		Name string `json:"name" privacy:"public"`
	}
	badge  struct{ Name string }
	rename struct {
		Badge domain.Stream
		Name  string
	}
)

func (renamed) EventType() string { return "test.badge.renamed" }

func (badge) Evolve(e domain.Event, _ time.Time) badge {
	if e.(renamed).Name == "" {
		panic("a badge without a name")
	}
	return badge{e.(renamed).Name}
}

func (b badge) Claims() []domain.Claim {
	if b.Name == "" {
		return nil
	}
	return []domain.Claim{{Scope: "badge", Name: b.Name}}
}

func (badge) Show() any { return nil }

var errTaken = &domain.Fault{Kind: domain.Conflict, Code: "taken", Text: "taken"}

func (badge) Refuse(domain.Claim) error { return errTaken }

func (c rename) Target() domain.Stream { return c.Badge }

func (c rename) Decide(badge) ([]domain.Event, error) { return []domain.Event{renamed{c.Name}}, nil }

func named(name string) domain.Stream {
	return domain.Stream{Kind: "test.badge", ID: id.Named(name)}
}

// badges are a store and what works on it.
type badges struct {
	verify.Verifier
	executor *commands.Executor
	url      string
}

func open(t *testing.T) badges {
	t.Helper()
	url := pgtest.Database(t)
	store, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	vault := sealtest.Vault(t, store, domain.NewCatalogue([]domain.Type{domain.TypeOf[renamed]()}))
	hasher := commands.NewHasher(make([]byte, 32))
	return badges{
		verify.Verifier{
			Store: store, Vault: vault, Claims: hasher, Page: 3,
			Aggregates: domain.NewAggregates([]domain.Aggregate{domain.AggregateOf[badge]("test.badge")}),
		},
		commands.NewExecutor(store, vault, hasher), url,
	}
}

func (b badges) rename(ctx context.Context, t *testing.T, badge domain.Stream, name string) {
	t.Helper()
	if _, err := commands.Execute(ctx, b.executor, rename{badge, name}); err != nil && !errors.Is(err, errTaken) {
		t.Error(err)
	}
}

// findings are those of all checks, and what was checked.
func (b badges) findings(t *testing.T) (found, checked []string) {
	t.Helper()
	report := func(finding string) { found = append(found, finding) }
	for _, check := range []func(context.Context, verify.Report) (string, error){b.History, b.States, b.TakenClaims} {
		said, err := check(t.Context(), report)
		if err != nil {
			t.Fatal(err)
		}
		checked = append(checked, said)
	}
	return found, checked
}

func TestAnEmptyStoreIsWhole(t *testing.T) {
	t.Parallel()
	if found, checked := open(t).findings(t); len(found) > 0 || checked[0] != "0 events, 0 of types unknown here" {
		t.Errorf("%v %v", found, checked)
	}
}

// Streams that are longer than a page and grow between two of them, names that go from one to another:
// every page is compared as it is at one moment.
func TestNothingIsFoundWhileOthersWrite(t *testing.T) {
	t.Parallel()
	b := open(t)
	done := make(chan bool)
	go func() {
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for n := range 100 {
					b.rename(t.Context(), t, named(fmt.Sprint((n+w)%7)), fmt.Sprint("name", (n+w)%9))
				}
			})
		}
		writers.Wait()
		close(done)
	}()
	for writing := true; writing; {
		if found, _ := b.findings(t); len(found) > 0 {
			t.Errorf("found %s", found)
		}
		select {
		case <-done:
			writing = false
		default:
		}
	}
	if found, checked := b.findings(t); len(found) > 0 || !strings.HasPrefix(checked[1], "7 streams that hold 7 claims") {
		t.Errorf("%v %v", found, checked)
	}
}

func TestWhatCannotBeFoldedIsNamed(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.rename(t.Context(), t, named("good"), "good")
	b.rename(t.Context(), t, named("bad"), "bad")
	// The command's own state would panic, so that the event gets in by the back door.
	pgtest.Exec(t, b.url, `alter table gesta.events disable trigger all`)
	pgtest.Exec(t, b.url, `update gesta.events set data = '{"name":""}' where position = 2`)
	found, checked := b.findings(t)
	if len(found) != 1 || found[0] != named("bad").String()+": version 1 can't be folded: its state panicked with a string" {
		t.Errorf("found %q", found)
	}
	if checked[1] != "2 streams that hold 1 claims, 1 not known here" || checked[2] != "2 claims in the store, 1 of streams not known here" {
		t.Errorf("checked %q", checked)
	}
}
