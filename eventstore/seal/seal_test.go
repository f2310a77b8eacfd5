package seal_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/eventstore"
	"gesta/eventstore/memory"
	"gesta/eventstore/seal"
	"gesta/eventstore/seal/sealtest"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) {
	m.Run()
	wait.NoLeaks()
}

var (
	ann = identity.UserID{ID: id.Named("ann")}
	bob = identity.UserID{ID: id.Named("bob")}
)

// safe is a store with a vault, and how often it was asked for keys.
type safe struct {
	*memory.Store
	*seal.Vault
	t     *testing.T
	asked int
	now   time.Time
}

func newSafe(t *testing.T) *safe {
	t.Helper()
	s := &safe{Store: &memory.Store{}, t: t, now: time.Now()}
	s.Vault = sealtest.Vault(t, s, domain.NewCatalogue(identity.Types))
	s.Vault.Keys.Now = func() time.Time { return s.now }
	s.asked = 0
	return s
}

func (s *safe) Keys(ctx context.Context, subjects []id.ID) ([]eventstore.SubjectKey, error) {
	s.asked++
	return s.Store.Keys(ctx, subjects)
}

// says appends an event of a user, as a command does.
func (s *safe) says(e domain.Event, u identity.UserID, version int64) eventstore.Recorded {
	s.t.Helper()
	stream, event := identity.UserStream(u), id.Event{ID: id.New(time.Now())}
	enc, keys := sealtest.Event(s.t, s.Vault, stream, event, e)
	_, err := s.Append(s.t.Context(), eventstore.Append{Keys: keys, Writes: []eventstore.Write{{
		Stream: stream, Expect: version, Subjects: enc.Subjects, Events: []eventstore.NewEvent{{
			ID: event, Type: enc.Type, Schema: enc.Schema, Data: enc.Data, Secret: enc.Secret, Meta: []byte(`{}`), OccurredAt: time.Now(),
		}},
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := s.ReadStream(s.t.Context(), stream, version, 1)
	if err != nil || len(all) != 1 {
		s.t.Fatal(all, err)
	}
	return all[0]
}

func (s *safe) forget(u identity.UserID, version int64) {
	s.t.Helper()
	_, err := s.Append(s.t.Context(), eventstore.Append{
		Forget: []eventstore.Forgetting{{Subject: u.ID, Streams: 1}},
		Writes: []eventstore.Write{{Stream: identity.UserStream(u), Expect: version, Events: []eventstore.NewEvent{{
			ID: id.Event{ID: id.New(time.Now())}, Type: "t", Schema: 1, Data: []byte(`{}`), Meta: []byte(`{}`), OccurredAt: time.Now(),
		}}}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *safe) reads(r eventstore.Recorded) (domain.Event, error) {
	s.t.Helper()
	opened, err := s.Decode(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return opened[0].Event, opened[0].Err
}

func registered(u identity.UserID) identity.UserRegistered {
	return identity.UserRegistered{
		UserID: u, Realm: "r", Role: "CU", Email: "marker@example.com", Phone: "+4711", PasswordHash: "#hash",
	}
}

func TestWhatIsSealedSaysNothingAndOpens(t *testing.T) {
	s := newSafe(t)
	r := s.says(registered(ann), ann, 0)
	for _, marker := range []string{"marker", "4711", "#hash", "example"} {
		if bytes.Contains(r.Data, []byte(marker)) || bytes.Contains(r.Secret, []byte(marker)) {
			t.Errorf("%s stands in %s %s", marker, r.Data, r.Secret)
		}
	}
	e, err := s.reads(r)
	if diff := cmp.Diff(domain.Event(registered(ann)), e); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	r.Secret = nil
	if e, err := s.reads(r); err != nil || e.(identity.UserRegistered).PasswordHash != "" || e.(identity.UserRegistered).Email == "" {
		t.Errorf("%+v, %v", e, err)
	}
}

// The same words are sealed as others each time.
func TestNothingIsSealedAlike(t *testing.T) {
	s := newSafe(t)
	one, two := s.says(registered(ann), ann, 0), s.says(registered(ann), ann, 1)
	if bytes.Equal(one.Data, two.Data) {
		t.Errorf("%s twice", one.Data)
	}
}

// field cuts a sealed value out of JSON.
func field(data []byte, name string) string {
	_, rest, _ := strings.Cut(string(data), `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestASealedValueOpensNowhereElse(t *testing.T) {
	s := newSafe(t)
	r, other := s.says(registered(ann), ann, 0), s.says(registered(bob), bob, 0)
	again := s.says(registered(ann), ann, 1)
	swap := func(data []byte, name, value string) []byte {
		return []byte(strings.Replace(string(data), field(data, name), value, 1))
	}
	for what, tampered := range map[string]func(r *eventstore.Recorded){
		"to another field":   func(r *eventstore.Recorded) { r.Data = swap(r.Data, "email", field(r.Data, "phone")) },
		"to another event":   func(r *eventstore.Recorded) { r.Data = swap(r.Data, "email", field(again.Data, "email")) },
		"to another person":  func(r *eventstore.Recorded) { r.Data = swap(r.Data, "email", field(other.Data, "email")) },
		"to another stream":  func(r *eventstore.Recorded) { r.Stream.Kind = "identity.other" },
		"under another id":   func(r *eventstore.Recorded) { r.ID = other.ID },
		"to another subject": func(r *eventstore.Recorded) { r.Data = swap(r.Data, "user_id", bob.String()) },
		"from the secrets":   func(r *eventstore.Recorded) { r.Data = swap(r.Data, "email", field(r.Secret, "password_hash")) },
		"a bit":              func(r *eventstore.Recorded) { r.Data = swap(r.Data, "email", flip(field(r.Data, "email"))) },
		"its end": func(r *eventstore.Recorded) {
			v := field(r.Data, "email")
			r.Data = swap(r.Data, "email", v[:len(v)-1])
		},
		"no base64": func(r *eventstore.Recorded) { r.Data = swap(r.Data, "email", domain.SealedPrefix+"§") },
		"nothing":   func(r *eventstore.Recorded) { r.Data = swap(r.Data, "email", domain.SealedPrefix) },
	} {
		moved := r
		tampered(&moved)
		if e, err := s.reads(moved); err == nil || strings.Contains(err.Error(), "marker") || !strings.Contains(err.Error(), "does not open") {
			t.Errorf("%s: %v, %v", what, e, err)
		}
	}
}

// flip changes one bit of a sealed value.
func flip(value string) string {
	b := []byte(value)
	if b[20]++; b[20] > 'y' {
		b[20] = 'A'
	}
	return string(b)
}

func TestWhoIsForgottenCanNotBeReadAnyMore(t *testing.T) {
	s := newSafe(t)
	r, other := s.says(registered(ann), ann, 0), s.says(registered(bob), bob, 0)
	s.forget(ann, 1)
	s.Vault.Keys.Drop(ann.ID)
	e, err := s.reads(r)
	want := identity.UserRegistered{UserID: ann, Realm: "r", Role: "CU"}
	if diff := cmp.Diff(domain.Event(want), e); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if e, err := s.reads(other); err != nil || e != domain.Event(registered(bob)) {
		t.Errorf("another: %v, %v", e, err)
	}
	sealing := s.Sealing(t.Context(), func(id.ID) bool { return false })
	if _, err := sealing.Encode(r.Stream, r.ID, registered(ann)); !errors.Is(err, domain.ErrForgotten) {
		t.Errorf("something is said about her: %v", err)
	}
}

// Who reads that somebody is forgotten asks for the key anew.
func TestWhoReadsOfAForgettingHasNoKeyAnyMore(t *testing.T) {
	s := newSafe(t)
	s.Vault.Catalogue = domain.NewCatalogue(identity.Types, privacy.Types)
	r := s.says(registered(ann), ann, 0)
	s.forget(ann, 1)
	if e, err := s.reads(r); err != nil || e.(identity.UserRegistered).Email == "" {
		t.Fatalf("the key was not known: %v", err)
	}
	said := s.says(privacy.SubjectForgotten{SubjectID: privacy.SubjectID(ann)}, ann, 2)
	opened, err := s.Decode(t.Context(), r, said)
	if err != nil || opened[0].Err != nil || opened[0].Event.(identity.UserRegistered).Email != "" {
		t.Errorf("%+v, %v", opened, err)
	}
}

// What was asked for before a key was dropped is not kept.
func TestAKeyThatComesLateIsNotKept(t *testing.T) {
	s := newSafe(t)
	r := s.says(registered(ann), ann, 0)
	keys, err := s.Store.Keys(t.Context(), []id.ID{ann.ID})
	if err != nil {
		t.Fatal(err)
	}
	s.Vault.Keys.Drop(ann.ID)
	before := s.Vault.Keys.Drops()
	s.Vault.Keys.Drop(bob.ID)
	s.Vault.Keys.Learn(keys, before)
	if s.asked = 0; len(s.Vault.Keys.Missing(ann.ID)) != 1 {
		t.Error("it was kept")
	}
	if _, err := s.reads(r); err != nil || s.asked != 1 {
		t.Errorf("asked %d times, %v", s.asked, err)
	}
	s.Vault.Keys.Learn(keys, s.Vault.Keys.Drops())
	if len(s.Vault.Keys.Missing(ann.ID)) != 0 {
		t.Error("nothing is kept")
	}
}

// Whose key is wrapped by a master key that is not there is not damaged: it has to be tried again.
func TestAnUnknownMasterKeyIsNoDamage(t *testing.T) {
	s := newSafe(t)
	r := s.says(registered(ann), ann, 0)
	other, err := seal.Open(t.Context(), &memory.Store{}, nil, master(t, "the other key of thirty-two byte"))
	if err != nil {
		t.Fatal(err)
	}
	v := &seal.Vault{Catalogue: s.Catalogue, Keys: other.Over(s.Store)}
	if _, err := v.Decode(t.Context(), r); !errors.Is(err, eventstore.ErrUnavailable) || !errors.Is(err, seal.ErrUnknownMaster) {
		t.Errorf("%v", err)
	}
}

func TestKeysAreKeptForAWhile(t *testing.T) {
	s := newSafe(t)
	r := s.says(registered(ann), ann, 0)
	begin := s.now
	s.asked = 0
	for s.asked == 0 {
		if _, err := s.reads(r); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(time.Second)
	}
	if kept := s.now.Sub(begin); kept < 10*time.Second || kept > seal.MaxAge {
		t.Errorf("kept for %s", kept)
	}
	for range int(seal.MaxAge / seal.TidyEvery) {
		s.now = s.now.Add(seal.TidyEvery)
		s.Vault.Keys.Tidy()
	}
	if n := s.Vault.Keys.Cached(); n != 0 {
		t.Errorf("%d keys are kept after %s", n, seal.MaxAge)
	}
}

// Keys that come with a page of the history are there when it is opened, and go with the next but one.
func TestKeysAreReadAhead(t *testing.T) {
	s := newSafe(t)
	const page = 150
	for range 3 * page {
		u := identity.UserID{ID: id.New(time.Now())}
		s.says(registered(u), u, 0)
	}
	reader := &safe{Store: s.Store, t: t}
	reader.Vault = sealtest.Vault(t, reader, s.Catalogue)
	ahead, asked := seal.Ahead{Store: s.Store, Vault: reader.Vault}, reader.asked
	for after := int64(0); after < 3*page; after += page {
		events, err := ahead.Read(t.Context(), after, page)
		if err != nil || len(events) != page {
			t.Fatal(len(events), err)
		}
		opened, err := reader.Decode(t.Context(), events...)
		if asked++; err != nil || opened[0].Err != nil || reader.asked != asked {
			t.Errorf("asked %d times, not %d: %v %v", reader.asked, asked, err, opened[0].Err)
		}
	}
	if n := reader.Vault.Keys.Cached(); n != 2*page {
		t.Errorf("%d keys are kept", n)
	}
	reader.Vault.Keys.Tidy()
	if n := reader.Vault.Keys.Cached(); n != 0 {
		t.Errorf("%d keys are kept for later", n)
	}
	if few, err := ahead.Read(t.Context(), 0, 10); err != nil || len(few) != 10 || reader.asked != asked {
		t.Errorf("for a few it asks: %v", err)
	}
}

func TestMemoryForKeysIsBounded(t *testing.T) {
	s := newSafe(t)
	const many = 25_000
	var a eventstore.Append
	var all []id.ID
	sealing := s.Sealing(t.Context(), func(id.ID) bool { return true })
	for range many {
		u := identity.UserID{ID: id.New(time.Now())}
		all = append(all, u.ID)
		if _, err := sealing.Encode(identity.UserStream(u), id.Event(u), identity.UserPhoneChanged{UserID: u, Phone: "1"}); err != nil {
			t.Fatal(err)
		}
	}
	a.Keys = sealing.Keys
	if _, err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < many; at += 1000 {
		keys, err := s.Store.Keys(t.Context(), all[at:at+1000])
		if err != nil {
			t.Fatal(err)
		}
		s.Vault.Keys.Learn(keys, 0)
		s.Vault.Keys.Tidy()
	}
	if n := s.Vault.Keys.Cached(); n == 0 || n > 12_000 {
		t.Errorf("%d keys are kept", n)
	}
}

// A lost key is damage that is named, and nobody else's.
func TestAMissingKeyIsNamed(t *testing.T) {
	s := newSafe(t)
	r := s.says(registered(ann), ann, 0)
	elsewhere := s.Over(&memory.Store{})
	opened, err := elsewhere.Decode(t.Context(), r)
	if err != nil || opened[0].Err == nil || !strings.HasSuffix(opened[0].Err.Error(), "field email has no key") {
		t.Errorf("%v, %v", opened, err)
	}
}

func TestAStoreThatIsAwayIsNoDamage(t *testing.T) {
	s := newSafe(t)
	r := s.says(registered(ann), ann, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Vault.Keys.Drop(ann.ID)
	if _, err := s.Decode(ctx, r); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func master(t *testing.T, key string) seal.Master {
	t.Helper()
	m, err := seal.NewMaster([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheMasterKeyIsTheStoresOwn(t *testing.T) {
	first, second := master(t, "the first key of thirty-two byte"), master(t, "the other key of thirty-two byte")
	store := &memory.Store{}
	one, err := seal.Open(t.Context(), store, nil, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Open(t.Context(), store, nil, second); !errors.Is(err, seal.ErrMasterKey) {
		t.Errorf("another master key: %v", err)
	}
	two, err := seal.Open(t.Context(), store, nil, second, first)
	if err != nil || !bytes.Equal(one.Claims(), two.Claims()) || !one.Receipts().Equal(two.Receipts()) {
		t.Errorf("with the one before: %v", err)
	}
	if _, err := seal.NewMaster([]byte("short")); err == nil {
		t.Error("a short master key is taken")
	}
}

// All keys are wrapped anew, and what was sealed before opens without the old master key.
func TestAMasterKeyIsChanged(t *testing.T) {
	first, second := master(t, "the first key of thirty-two byte"), master(t, "the other key of thirty-two byte")
	store := &memory.Store{}
	open := func(all ...seal.Master) *seal.Vault {
		t.Helper()
		keys, err := seal.Open(t.Context(), store, nil, all...)
		if err != nil {
			t.Fatal(err)
		}
		return &seal.Vault{Catalogue: domain.NewCatalogue(identity.Types), Keys: keys}
	}
	s := &safe{Store: store, Vault: open(first), t: t}
	r := s.says(registered(ann), ann, 0)
	keys, err := store.Keys(t.Context(), []id.ID{ann.ID})
	if err != nil {
		t.Fatal(err)
	}
	changing := open(second, first).Keys
	anew, err := changing.Rewrap(ann.ID[:], keys[0].Wrapped)
	if err != nil || anew == nil || bytes.Equal(anew, keys[0].Wrapped) {
		t.Fatalf("%x %v", anew, err)
	}
	if again, err := changing.Rewrap(ann.ID[:], anew); again != nil || err != nil {
		t.Errorf("wrapped twice: %x, %v", again, err)
	}
	if _, err := open(first).Keys.Rewrap(ann.ID[:], anew); err == nil {
		t.Error("wrapped anew by who can't unwrap it")
	}
	if back, err := changing.Rewrap(ann.ID[:], nil); back != nil || err != nil {
		t.Errorf("a destroyed key is back: %x, %v", back, err)
	}
	if _, err := open(first, second).Keys.Rewrap(bob.ID[:], anew); err == nil {
		t.Error("a key is unwrapped for another person")
	}
	elsewhere := changing.Over(only{eventstore.SubjectKey{Subject: ann.ID, Wrapped: anew}})
	opened, err := (&seal.Vault{Catalogue: s.Catalogue, Keys: elsewhere}).Decode(t.Context(), r)
	if err != nil || opened[0].Event != domain.Event(registered(ann)) {
		t.Errorf("%v, %v", opened, err)
	}
}

// only is a source of one key.
type only struct{ key eventstore.SubjectKey }

func (o only) Keys(context.Context, []id.ID) ([]eventstore.SubjectKey, error) {
	return []eventstore.SubjectKey{o.key}, nil
}

// Many processes may begin at once: all have the same keys of the house.
func TestManyBeginAtOnce(t *testing.T) {
	store := &memory.Store{}
	keys := make([]*seal.Keyring, 8)
	var all sync.WaitGroup
	for n := range keys {
		all.Go(func() {
			var err error
			if keys[n], err = seal.Open(t.Context(), store, nil, sealtest.Master(t)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, k := range keys {
		if !bytes.Equal(k.Claims(), keys[0].Claims()) {
			t.Error("keys of the house differ")
		}
	}
}

// interrupted is a store that takes one key of the house.
type interrupted struct {
	*memory.Store
	kept int
}

func (s *interrupted) KeepHouseKey(ctx context.Context, name string, wrapped []byte) error {
	if s.kept++; s.kept > 1 {
		return eventstore.ErrUnavailable
	}
	return s.Store.KeepHouseKey(ctx, name, wrapped)
}

// Who is cut off while a house is made has made the claims' key first: by it a store is known to be begun.
func TestAHouseThatWasCutOffIsMadeWhole(t *testing.T) {
	s := &interrupted{Store: &memory.Store{}}
	given := bytes.Repeat([]byte("c"), seal.KeyBytes)
	if _, err := seal.Open(t.Context(), s, given, sealtest.Master(t)); err == nil {
		t.Fatal("it was not cut off")
	}
	if keys, err := s.HouseKeys(t.Context()); err != nil || len(keys) != 1 || keys[seal.ClaimsKey] == nil {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	k, err := seal.Open(t.Context(), s.Store, nil, sealtest.Master(t))
	if err != nil || !bytes.Equal(k.Claims(), given) {
		t.Errorf("%v", err)
	}
}

// What is about others stays closed to who may see one person alone.
func TestOnePersonIsShownWithoutTheOthers(t *testing.T) {
	s := newSafe(t)
	r := s.says(registered(ann), ann, 0)
	for who, want := range map[identity.UserID]string{ann: "marker@example.com", bob: ""} {
		opened, err := s.DecodeOnly(t.Context(), who.ID, r)
		if err != nil || string(opened[0].Event.(identity.UserRegistered).Email) != want {
			t.Errorf("%v, %v", opened, err)
		}
		without, err := s.DecodeWithout(t.Context(), who.ID, r)
		if err != nil || (without[0].Event.(identity.UserRegistered).Email == "") != (who == ann) {
			t.Errorf("%v, %v", without, err)
		}
	}
}
