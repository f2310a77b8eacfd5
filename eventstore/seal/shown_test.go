package seal_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/audit"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/domain/spec"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal"
	"gesta/eventstore/seal/sealtest"
)

// everything has all types there are.
var everything = domain.NewCatalogue(identity.Types, crm.Types, privacy.Types, audit.Types)

var sealedText = regexp.MustCompile(domain.SealedPrefix + `[A-Za-z0-9_-]{20}`)

// written is an event as it is stored, sealed or as before anything was.
func written(t *testing.T, v *seal.Vault, store *memory.Store, e domain.Event, sealed bool) eventstore.Recorded {
	t.Helper()
	s, event := domain.Stream{Kind: "test.thing", ID: id.New(time.Now())}, id.Event{ID: id.New(time.Now())}
	enc, err := v.Catalogue.Encode(e, spec.Clear{})
	if sealed {
		var keys []eventstore.SubjectKey
		if enc, keys = sealtest.Event(t, v, s, event, e); len(keys) > 0 {
			_, err = store.Append(t.Context(), eventstore.Append{Keys: keys})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return eventstore.Recorded{Stream: s, NewEvent: eventstore.NewEvent{ID: event, Type: enc.Type, Schema: enc.Schema, Data: enc.Data, Secret: enc.Secret}}
}

// None of what is personal or secret is in what is masked, and none of what was said is missing in what is clear.
func TestWhateverIsSaidIsShownToWhoMaySeeIt(t *testing.T) {
	store := &memory.Store{}
	v := sealtest.Vault(t, store, everything)
	for name, typ := range everything {
		for seed := range uint64(50) {
			r := spec.Random{Rand: rand.New(rand.NewPCG(seed, 1))}
			e := r.Event(typ)
			said, err := everything.Show(e)
			if err != nil {
				t.Fatal(err)
			}
			rows := []eventstore.Recorded{written(t, v, store, e, true), written(t, v, store, e, false)}
			clear, err1 := v.Over(store).Shown(t.Context(), true, rows...)
			masked, err2 := v.Shown(t.Context(), false, rows...)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if !bytes.Equal(clear[0], said) || !bytes.Equal(clear[1], said) {
				t.Errorf("%s says %s, and shows %s and %s", name, said, clear[0], clear[1])
			}
			for _, marker := range append(r.Personal, r.Secret...) {
				if text := string(masked[0]) + string(masked[1]); strings.Contains(text, marker) || !json.Valid(masked[0]) || sealedText.MatchString(text) {
					t.Errorf("%s of %s is in %s", marker, name, text)
				}
			}
			for _, marker := range r.Secret {
				if bytes.Contains(clear[0], []byte(marker)) || bytes.Contains(clear[1], []byte(marker)) {
					t.Errorf("the secret %s of %s is in %s", marker, name, clear[0])
				}
			}
		}
	}
}

// What is private is sealed as it is written today, and was not before.
func TestWhatIsInClearIsTold(t *testing.T) {
	store := &memory.Store{}
	v := sealtest.Vault(t, store, everything)
	for name, typ := range everything {
		r := spec.Random{Rand: rand.New(rand.NewPCG(1, 1))}
		e := r.Event(typ)
		if !v.IsSealed(written(t, v, store, e, true)) {
			t.Errorf("%s is not sealed", name)
		}
		clear := written(t, v, store, e, false)
		masked, err := v.Shown(t.Context(), false, clear)
		if err != nil {
			t.Fatal(err)
		}
		if private := clear.Secret != nil || !bytes.Equal(masked[0], clear.Data); v.IsSealed(clear) == private {
			t.Errorf("%s: of %s it is told that nothing is in clear: %t", name, clear.Data, private)
		}
		clear.Schema = 1000
		if v.IsSealed(clear) {
			t.Errorf("%s: a schema that nobody knows is taken for sealed", name)
		}
	}
}

func TestShowingAPageAsksForKeysOnceAndForNoneWhereItIsMasked(t *testing.T) {
	s := newSafe(t)
	rows := []eventstore.Recorded{s.says(registered(ann), ann, 0), s.says(registered(bob), bob, 0)}
	s.Vault = s.Over(s)
	s.asked = 0
	if shown, err := s.Shown(t.Context(), false, rows...); err != nil || s.asked != 0 || !strings.Contains(string(shown[1]), `"email":"[personal]"`) {
		t.Errorf("%s, %v, asked %d times", shown, err, s.asked)
	}
	if shown, err := s.Shown(t.Context(), true, rows...); err != nil || s.asked != 1 || !strings.Contains(string(shown[1]), `"email":"marker@example.com"`) {
		t.Errorf("%s, %v, asked %d times", shown, err, s.asked)
	}
}

// One value that is damaged does not keep the others from being shown, and neither does somebody who was forgotten.
func TestForgottenAndDamagedAreToldApart(t *testing.T) {
	s := newSafe(t)
	one, two := s.says(registered(ann), ann, 0), s.says(registered(bob), bob, 0)
	damaged := two
	at := bytes.Index(two.Data, []byte(field(two.Data, "email")))
	damaged.Data = bytes.Clone(two.Data)
	damaged.Data[at+20] ^= 1
	s.forget(ann, 1)
	s.Vault = s.Over(s)
	shown, err := s.Shown(t.Context(), true, one, damaged)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"user_id":"` + ann.String() + `","realm":"r","role":"CU","email":"[forgotten]","phone":"[forgotten]"}`,
		`{"user_id":"` + bob.String() + `","realm":"r","role":"CU","email":"[unreadable]","phone":"+4711"}`,
	}
	for i := range want {
		if string(shown[i]) != want[i] {
			t.Errorf("%s, not %s", shown[i], want[i])
		}
	}
	said, err := s.DecodeShown(t.Context(), true, one, damaged)
	if err != nil || said[0].Err != nil || !strings.HasPrefix(string(said[0].Event.(identity.UserRegistered).Email), "[forgotten]\x00") {
		t.Errorf("%+v, %v", said, err)
	}
	if u := said[1].Event.(identity.UserRegistered); !strings.HasPrefix(string(u.Email), "[unreadable]\x00") || u.Phone != "+4711" || u.PasswordHash != "" {
		t.Errorf("%+v", u)
	}
}

// What it costs to show a page of a thousand events to who sees nothing personal, and to who does.
func BenchmarkShown(b *testing.B) {
	store := &memory.Store{}
	v := sealtest.Vault(b, store, domain.NewCatalogue(identity.Types))
	var events []eventstore.Recorded
	size := 0
	for n := range 1000 {
		s, event := domain.Stream{Kind: "identity.user", ID: id.New(time.Now())}, id.Event{ID: id.New(time.Now())}
		enc, keys := sealtest.Event(b, v, s, event, pages["registered"](n))
		if _, err := store.Append(b.Context(), eventstore.Append{Keys: keys}); err != nil {
			b.Fatal(err)
		}
		events = append(events, eventstore.Recorded{Stream: s, NewEvent: eventstore.NewEvent{ID: event, Type: enc.Type, Schema: enc.Schema, Data: enc.Data}})
		size += len(enc.Data)
	}
	for what, clear := range map[string]bool{"masked": false, "clear": true} {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := v.Over(store).Shown(b.Context(), clear, events...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
		})
	}
}
