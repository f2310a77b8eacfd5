package commands_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/value"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal"
)

func (p *population) privacy() *commands.Privacy {
	return &commands.Privacy{
		Executor: p.Executor, Leave: []commands.Leaving{p.Leave, p.crm().Leave}, Follow: []func(domain.Event) []domain.Stream{p.Follow},
		Aggregates: domain.NewAggregates(identity.Aggregates, crm.Aggregates, privacy.Aggregates, teamAggregates),
	}
}

func (p *population) forget(u identity.UserID) commands.Forgetting {
	p.t.Helper()
	signed, err := p.privacy().Forget(p.t.Context(), privacy.SubjectID(u))
	must(p.t, err)
	return p.reads(signed)
}

func (p *population) reads(signed commands.SignedForgetting) commands.Forgetting {
	p.t.Helper()
	f, err := signed.Verify(p.Executor.Vault.Keys.Receipts().Public().(ed25519.PublicKey))
	must(p.t, err)
	return f
}

func (p *population) get(u identity.UserID) identity.User {
	p.t.Helper()
	s, err := p.Get(p.t.Context(), realm.Name, u)
	must(p.t, err)
	return s
}

// stores runs a test over both kinds of store, with two processes.
func stores(t *testing.T, f func(t *testing.T, s eventstore.Store, one, two *population)) {
	onStores(t, func(t *testing.T, s eventstore.Store) { f(t, s, populate(t, s), populate(t, s)) })
}

// onStores runs a test on each kind of store.
func onStores(t *testing.T, f func(*testing.T, eventstore.Store)) {
	for name, open := range map[string]func(*testing.T) eventstore.Store{
		"memory":   func(*testing.T) eventstore.Store { return &memory.Store{} },
		"postgres": func(t *testing.T) eventstore.Store { return postgresStore(t, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func TestWhoIsForgottenIsNobodyAnyMore(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		ann, bob := one.member("ann@example.com"), one.member("bob@example.com")
		grant := two.signIn("ann@example.com")
		one.found("red")
		must(t, one.join("red", ann, "ann"))
		must(t, two.join("red", bob, "bob"))
		two.get(ann) // It is kept there.
		before, err := s.Head(t.Context())
		must(t, err)

		f := one.forget(ann)
		after, err := s.Head(t.Context())
		must(t, err)
		events, err := s.Read(t.Context(), before.Position, 100)
		must(t, err)
		var types []string
		for _, r := range events {
			var m domain.Meta
			must(t, json.Unmarshal(r.Meta, &m))
			types = append(types, m.Realm+" "+r.Stream.Kind+" "+strings.TrimPrefix(r.Type, r.Stream.Kind+"."))
		}
		slices.Sort(types)
		want := []string{
			" privacy.subject forgotten", " test.team privacy.subject.forgotten", // Nobody has said where the team is.
			"r identity.session ended", "r identity.user deactivated", "r identity.user privacy.subject.forgotten",
		}
		if diff := cmp.Diff(want, types); diff != "" {
			t.Error(diff)
		}
		if len(f.Events) != 3 || f.ForgottenAt != after.RecordedAt || f.HoldsFrom != f.ForgottenAt.Add(seal.MaxAge) ||
			f.Subject != ann.String() || !slices.Equal(f.LinkedSubjects, []string{bob.String()}) {
			t.Errorf("the receipt says %+v", f)
		}
		for name, p := range map[string]*population{"here": one, "elsewhere": two, "anew": populate(t, s)} {
			u := p.get(ann)
			if u.Email != "" || u.Phone != "" || u.PasswordHash != "" || u.Status == identity.Active || u.Role != "member" || u.ID != ann {
				t.Errorf("%s she is %+v", name, u)
			}
			if got := p.team("red"); !slices.Equal(got.Badges, []string{"", "bob"}) || got.Shoes != 80 || got.Number != "red" || got.Evolved != 3 {
				t.Errorf("%s the team is %+v", name, got)
			}
			if p.lives(grant) {
				t.Errorf("%s she is signed in", name)
			}
			if _, err := p.SignIn(t.Context(), commands.Credentials{Realm: realm, Email: "ann@example.com", Password: "password"}); !errors.Is(err, commands.ErrCredentials) {
				t.Errorf("%s she signs in: %v", name, err)
			}
			if _, err := p.Refresh(t.Context(), realm.Name, grant.Refresh); !errors.Is(err, identity.ErrRefreshRevoked) {
				t.Errorf("%s she refreshes: %v", name, err)
			}
		}
		one.found("blue")
		if err := one.join("blue", bob, "bob"); !errors.Is(err, errBadge) {
			t.Errorf("another's name is free: %v", err)
		}
		must(t, two.join("blue", bob, "ann")) // Hers is free.
		if again := two.member("ann@example.com"); again == ann {
			t.Error("she is registered anew as herself")
		}
		two.signIn("ann@example.com")
	})
}

func TestNothingIsSaidAboutWhoIsForgotten(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		ann := one.member("ann@example.com")
		one.found("red")
		two.found("blue")
		must(t, two.join("blue", ann, "ann")) // Her key is known there.
		one.forget(ann)
		email, active := value.Email("new@example.com"), true
		for name, p := range map[string]*population{"here": one, "elsewhere": two, "anew": populate(t, s)} {
			if err := p.join("red", ann, "other"+name); !errors.Is(err, domain.ErrForgotten) {
				t.Errorf("%s: a new stream holds her: %v", name, err)
			}
			if err := p.join("blue", ann, "other"+name); !errors.Is(err, domain.ErrForgotten) {
				t.Errorf("%s: the same stream says more: %v", name, err)
			}
			boss := identity.Caller{Realm: realm.Name, Role: realm.Administrator}
			_, err := p.Change(t.Context(), commands.Change{Realm: realm, By: boss, User: ann, Email: &email})
			if !errors.Is(err, domain.ErrForgotten) {
				t.Errorf("%s: she has a new address: %v", name, err)
			}
			if _, err := p.Change(t.Context(), commands.Change{Realm: realm, By: boss, User: ann, Active: &active}); !errors.Is(err, domain.ErrForgotten) {
				t.Errorf("%s: she is let in again: %v", name, err)
			}
			must(t, p.deactivate(ann)) // She is out.
		}
	})
}

func TestForgettingTwiceIsForgettingOnce(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		ann := one.member("ann@example.com")
		first, err1 := one.privacy().Forget(t.Context(), privacy.SubjectID(ann))
		head, err2 := s.Head(t.Context())
		second, err3 := two.privacy().Forget(t.Context(), privacy.SubjectID(ann))
		must(t, errors.Join(err1, err2, err3))
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
		if again, err := s.Head(t.Context()); err != nil || again != head {
			t.Errorf("%v, %v", again, err)
		}
	})
}

// Many forget one person at once, and it is done once. Who joins the person's streams later is not linked.
func TestManyForgetOnce(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		ann, bob := one.member("ann@example.com"), one.member("bob@example.com")
		one.found("red")
		must(t, one.join("red", ann, "ann"))
		receipts := make([]commands.SignedForgetting, 8)
		var all sync.WaitGroup
		for n := range receipts {
			all.Go(func() {
				var err error
				receipts[n], err = []*population{one, two}[n%2].privacy().Forget(t.Context(), privacy.SubjectID(ann))
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		must(t, one.join("red", bob, "bob"))
		last, err := two.privacy().Forget(t.Context(), privacy.SubjectID(ann))
		must(t, err)
		for _, r := range receipts {
			if diff := cmp.Diff(last, r); diff != "" {
				t.Error(diff)
			}
		}
		if f := one.reads(last); len(f.Events) != 3 || len(f.LinkedSubjects) != 0 {
			t.Errorf("%+v", f)
		}
	})
}

// A stream that was not known to hold the person is told when it is known.
func TestWhatIsFoundLaterIsForgottenLater(t *testing.T) {
	t.Parallel()
	s := postgresStore(t, nil)
	p := populate(t, s)
	ann := p.member("ann@example.com")
	p.found("red")
	must(t, p.join("red", ann, "ann"))
	_, err := s.Pool().Exec(t.Context(), `delete from subject_streams where stream_kind = 'test.team'`)
	must(t, err)
	p.forget(ann)
	if _, held, err := p.Executor.Holder(t.Context(), domain.Claim{Scope: "badge", Name: "ann"}); !held || err != nil {
		t.Errorf("it was known: %v", err)
	}
	added, err := s.IndexSubjects(t.Context(), []eventstore.Holding{{Subject: eventstore.SubjectID(ann.ID), Stream: teamStream("red")}}, nil)
	must(t, err)
	if f := p.forget(ann); added != 1 || len(f.Events) != 3 {
		t.Errorf("%d, %+v", added, f)
	}
	if _, held, err := p.Executor.Holder(t.Context(), domain.Claim{Scope: "badge", Name: "ann"}); held || err != nil {
		t.Errorf("her badge is held: %v", err)
	}
}

// The truth comes back from a backup, and the keys are those of now: the names that she held there are free again.
func TestNamesThatComeBackAreFreeAgain(t *testing.T) {
	t.Parallel()
	s := postgresStore(t, nil)
	p := populate(t, s)
	for what, sql := range map[string]string{
		"destroyed": `update gesta_keys.subject_keys set wrapped = '' where subject = $1`,
		"lost":      `delete from gesta_keys.subject_keys where subject = $1`,
	} {
		ann := p.member("ann@example.com")
		_, err := s.Pool().Exec(t.Context(), sql, [16]byte(ann.ID))
		must(t, err)
		p.Executor.Vault.Keys.Drop(ann.ID)
		if f := populate(t, s).forget(ann); len(f.Events) != 2 {
			t.Errorf("%s: %+v", what, f)
		}
		p.member("ann@example.com")
		p.forget(p.find("ann@example.com"))
	}
}

func (p *population) find(email value.Email) identity.UserID {
	p.t.Helper()
	s, held, err := p.Executor.Holder(p.t.Context(), identity.EmailClaim(realm.Name, email))
	must(p.t, err)
	if !held {
		p.t.Fatal("nobody has it")
	}
	return identity.UserID{ID: s.ID}
}

// Another key in the place of a lost one would be in the way of its backup.
func TestALostKeyIsNotReplaced(t *testing.T) {
	t.Parallel()
	s := postgresStore(t, nil)
	p := populate(t, s)
	ann := p.member("ann@example.com")
	p.found("red")
	_, err := s.Pool().Exec(t.Context(), `delete from gesta_keys.subject_keys where subject = $1`, [16]byte(ann.ID))
	must(t, err)
	p.Executor.Vault.Keys.Drop(ann.ID)
	if err := p.join("red", ann, "ann"); err == nil || !strings.Contains(err.Error(), "is lost") {
		t.Errorf("%v", err)
	}
	if keys, err := s.Keys(t.Context(), []id.ID{ann.ID}); err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
}

func TestAHoldKeepsAPerson(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		ann := privacy.SubjectID(one.member("ann@example.com"))
		if err := one.privacy().Hold(t.Context(), privacy.SubjectID{ID: id.Named("nobody")}, "case"); !errors.Is(err, privacy.ErrSubjectUnknown) {
			t.Errorf("nobody is held: %v", err)
		}
		must(t, one.privacy().Hold(t.Context(), ann, "case of Ann"))
		if _, err := two.privacy().Forget(t.Context(), ann); !errors.Is(err, privacy.ErrHeld) {
			t.Errorf("%v", err)
		}
		if two.get(identity.UserID(ann)).Email == "" {
			t.Error("she is forgotten")
		}
		must(t, two.privacy().Release(t.Context(), ann))
		if f := one.forget(identity.UserID(ann)); len(f.Events) != 2 {
			t.Errorf("%+v", f)
		}
		if err := one.privacy().Hold(t.Context(), ann, "too late"); !errors.Is(err, privacy.ErrSubjectUnknown) {
			t.Errorf("who is forgotten is held: %v", err)
		}
		x, err := one.privacy().Export(t.Context(), ann)
		if text, _ := json.Marshal(x); err != nil || strings.Contains(string(text), "case of") {
			t.Errorf("%s, %v", text, err)
		}
	})
}

func TestWhoCanNotBeForgotten(t *testing.T) {
	t.Parallel()
	s := &memory.Store{}
	p := populate(t, s)
	if _, err := p.privacy().Forget(t.Context(), privacy.SubjectID{ID: id.Named("nobody")}); !errors.Is(err, privacy.ErrSubjectUnknown) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := p.privacy().Export(t.Context(), privacy.SubjectID{ID: id.Named("nobody")}); !errors.Is(err, privacy.ErrSubjectUnknown) {
		t.Errorf("nobody: %v", err)
	}
	boss, err := p.register("boss@example.com", "boss")
	must(t, err)
	if _, err := p.privacy().Forget(t.Context(), privacy.SubjectID(boss)); !errors.Is(err, identity.ErrLastAdministrator) {
		t.Errorf("the last administrator: %v", err)
	}
	if p.get(boss).Email != "boss@example.com" {
		t.Error("he is forgotten all the same")
	}
}

// While a person is being forgotten, others say something about that person: it is there and forgotten, or refused.
func TestForgettingUnderARace(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s eventstore.Store, one, two *population) {
		for round := range 5 {
			ann := one.member(fmt.Sprintf("ann%d@example.com", round))
			name := func(n int) string { return fmt.Sprintf("%d-%d", round, n) }
			var all sync.WaitGroup
			for n := range 8 {
				p := []*population{one, two}[n%2]
				p.found(name(n))
				all.Go(func() {
					for m := range 4 {
						err := p.join(name(n), ann, fmt.Sprintf("badge%d-%d-%d", round, n, m))
						if err != nil && !errors.Is(err, domain.ErrForgotten) {
							t.Error(err)
						}
					}
				})
			}
			all.Go(func() { two.forget(ann) })
			all.Wait()
			for n := range 8 {
				for _, p := range []*population{one, two, populate(t, s)} {
					if got := p.team(name(n)); slices.ContainsFunc(got.Badges, func(b string) bool { return b != "" }) {
						t.Errorf("round %d: %+v", round, got)
					}
				}
			}
			for n := range 8 {
				for m := range 4 {
					_, held, err := one.Executor.Holder(t.Context(), domain.Claim{Scope: "badge", Name: fmt.Sprintf("badge%d-%d-%d", round, n, m)})
					if held || err != nil {
						t.Errorf("a badge is held: %v", err)
					}
				}
			}
		}
	})
}
