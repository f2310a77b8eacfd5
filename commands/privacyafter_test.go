package commands_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/wait"

	"github.com/google/go-cmp/cmp"
)

// A key that comes back with a backup, and a person who does, are forgotten again by the receipt, and by no other.
func TestAReceiptForgetsAgain(t *testing.T) {
	t.Parallel()
	s, older := &memory.Store{}, &memory.Store{}
	p := populate(t, s)
	ann := p.member("ann@example.com")
	signed, err := p.privacy().Forget(t.Context(), privacy.SubjectID(ann))
	must(t, err)
	old := populate(t, older)
	old.Executor.Vault.Keys = p.Executor.Vault.Keys.Over(older) // The house is the same.
	_, err = old.Register(t.Context(), commands.Registration{User: ann, Realm: realm, Role: "member", Email: "ann@example.com", Phone: "1", Password: "password"})
	must(t, err)
	again, err := old.privacy().Reapply(t.Context(), signed)
	must(t, err)
	if f := old.reads(again); f.Subject != ann.String() || old.get(ann).Email != "" {
		t.Errorf("%+v", f)
	}
	for what, change := range map[string]func(s *commands.SignedForgetting){
		"another subject": func(s *commands.SignedForgetting) {
			s.Receipt = []byte(strings.ReplaceAll(string(s.Receipt), ann.String(), id.Named("bob").String()))
		},
		"no signature":      func(s *commands.SignedForgetting) { s.Signature = "" },
		"another signature": func(s *commands.SignedForgetting) { s.Signature = strings.Repeat("A", 86) + "==" },
		"no receipt":        func(s *commands.SignedForgetting) { s.Receipt = nil },
	} {
		forged := signed
		change(&forged)
		if _, err := old.privacy().Reapply(t.Context(), forged); !errors.Is(err, commands.ErrReceipt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := populate(t, &memory.Store{}).privacy().Reapply(t.Context(), signed); !errors.Is(err, commands.ErrReceipt) {
		t.Errorf("another store takes it: %v", err)
	}
	var indented commands.SignedForgetting
	text, err := json.MarshalIndent(signed, "", "    ")
	must(t, errors.Join(err, json.Unmarshal(text, &indented)))
	p.reads(indented)
}

func TestAllThatIsKeptAboutOnePersonIsExported(t *testing.T) {
	t.Parallel()
	p := populate(t, &memory.Store{})
	ann, bob := p.member("ann@example.com"), p.member("bob@example.com")
	p.signIn("ann@example.com")
	p.found("red")
	must(t, p.join("red", ann, "ann"))
	must(t, p.join("red", bob, "bob"))
	x, err := p.privacy().Export(t.Context(), privacy.SubjectID(ann))
	must(t, err)
	text, err := json.Marshal(x)
	must(t, err)
	for _, marker := range []string{"ann@example.com", "Name of ann", "identity.user.signed_in", "identity.session.opened", ann.UUID()} {
		if !strings.Contains(string(text), marker) {
			t.Errorf("%s is missing: %s", marker, text)
		}
	}
	for _, marker := range []string{"bob@example.com", "Name of bob", bob.String(), "password", "sealed:"} {
		if strings.Contains(string(text), marker) {
			t.Errorf("%s is there: %s", marker, text)
		}
	}
}

// What was written before anything was sealed would stay readable: that is said, and nothing is done by halves.
func TestWhatWasWrittenInClearIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := &memory.Store{}
	p := populate(t, s)
	ann := p.member("ann@example.com")
	_, err := s.Append(t.Context(), eventstore.Append{Writes: []eventstore.Write{{
		Stream: identity.UserStream(ann), Expect: 1, Events: []eventstore.NewEvent{{
			ID: id.Event{ID: id.New(time.Now())}, Type: "identity.user.phone_changed", Schema: 1, OccurredAt: time.Now(), Meta: []byte(`{}`),
			Data: []byte(`{"user_id":"` + ann.String() + `","phone":"4711"}`),
		}},
	}}})
	must(t, err)
	if _, err := p.privacy().Forget(t.Context(), privacy.SubjectID(ann)); !errors.Is(err, commands.ErrClear) {
		t.Errorf("%v", err)
	}
	if u := p.get(ann); u.Phone != "4711" || u.Email != "ann@example.com" {
		t.Errorf("%+v", u)
	}
}

// What other processes keep in memory is dropped when they hear of it, and when they ask.
func TestOtherProcessesDropWhatTheyKeep(t *testing.T) {
	t.Parallel()
	s := postgresStore(t, nil)
	p := populate(t, s)
	ann, bob := p.member("ann@example.com"), p.member("bob@example.com")
	other := populate(t, s)
	told := make(chan eventstore.Recorded)
	f := &commands.Forgotten{Vault: other.Executor.Vault, Executor: other.Executor, Store: s, Told: told, Log: slog.New(slog.DiscardHandler)}
	go func() { _ = f.Run(t.Context()) }()
	for _, u := range []identity.UserID{ann, bob} {
		other.get(u)
		if len(other.Executor.Vault.Keys.Missing(u.ID)) != 0 || !other.Executor.Keeps(identity.UserStream(u)) {
			t.Error("nothing is kept")
		}
	}
	p.forget(ann)
	events, err := s.ReadStream(t.Context(), identity.UserStream(ann), 0, 10)
	must(t, err)
	for _, r := range events {
		told <- r
	}
	wait.Until(t, "the state is dropped", func() bool { return !other.Executor.Keeps(identity.UserStream(ann)) })
	if len(other.Executor.Vault.Keys.Missing(ann.ID)) == 0 {
		t.Error("the key is kept")
	}
	p.forget(bob)
	now := f.Ask(t.Context(), time.Now().Add(-time.Hour))
	if other.Executor.Keeps(identity.UserStream(bob)) || len(other.Executor.Vault.Keys.Missing(bob.ID)) == 0 || now.Before(time.Now().Add(-2*time.Minute)) {
		t.Errorf("after asking for what there is until %s", now)
	}
}

// Whose key is lost altogether, after being destroyed, is forgotten again: the receipt says so.
func TestWhoWasForgottenAndHasNoKeyAtAllIsForgottenAgain(t *testing.T) {
	t.Parallel()
	s := postgresStore(t, nil)
	p := populate(t, s)
	ann := p.member("ann@example.com")
	subject := privacy.SubjectID(ann)
	must(t, p.privacy().Hold(t.Context(), subject, "a case"))
	must(t, p.privacy().Release(t.Context(), subject))
	signed, err := p.privacy().Forget(t.Context(), subject)
	must(t, err)
	_, err = s.Pool().Exec(t.Context(), `delete from gesta_keys.subject_keys where subject = $1`, [16]byte(ann.ID))
	must(t, err)
	q := populate(t, s)
	q.Executor.Vault.Keys = p.Executor.Vault.Keys.Over(s)
	again, err := q.privacy().Reapply(t.Context(), signed)
	must(t, err)
	if f := q.reads(again); len(f.Events) != 3 {
		t.Errorf("%+v", f)
	}
	if u := populate(t, s).get(ann); u.Email != "" {
		t.Errorf("%+v", u)
	}
	third, err := populate(t, s).privacy().Forget(t.Context(), subject)
	must(t, err)
	if diff := cmp.Diff(again, third); diff != "" {
		t.Error(diff)
	}
}
