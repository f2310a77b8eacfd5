package domain_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
	"gesta/domain/id"
)

// locked is a sealer whose seal anybody could break: it writes down where a value belongs, and holds those who
// were forgotten.
type locked map[id.ID]bool

func (l locked) Seal(p domain.Place, clear []byte) (string, error) {
	if l[p.Subject] {
		return "", domain.ErrForgotten
	}
	return domain.SealedPrefix + p.Subject.String() + " " + p.Path + " " + string(clear), nil
}

func (l locked) Open(p domain.Place, text string) ([]byte, error) {
	if l[p.Subject] {
		return nil, domain.ErrForgotten
	}
	clear, ok := strings.CutPrefix(text, domain.SealedPrefix+p.Subject.String()+" "+p.Path+" ")
	if !ok {
		return nil, fmt.Errorf("does not open")
	}
	return []byte(clear), nil
}

// invited has one of everything: what is private in structs, in lists and behind pointers, of several persons.
type (
	address struct {
		Street string
		Number int
	}
	guest struct {
		GuestID id.User   `json:"guest_id" privacy:"public"`
		Name    string    `json:"name" privacy:"personal:guest_id"`
		Host    string    `json:"host" privacy:"personal:host_id"` // as the guest knows him
		Code    string    `json:"code,omitempty" privacy:"secret:guest_id"`
		Seats   []seat    `json:"seats" privacy:"public"`
		Plus    *guestOne `json:"plus,omitempty" privacy:"public"`
	}
	guestOne struct {
		Age int `json:"age" privacy:"personal:guest_id"`
	}
	seat struct {
		Row int `json:"row" privacy:"public"`
	}
	invited struct {
		HostID  id.User   `json:"host_id" privacy:"public"`
		At      time.Time `json:"at" privacy:"public"`
		Where   address   `json:"where" privacy:"personal:host_id"`
		Phone   *string   `json:"phone" privacy:"personal:host_id"`
		Vegan   bool      `json:"vegan" privacy:"personal:host_id"`
		Note    string    `json:"note,omitempty" privacy:"personal:host_id"`
		Guests  []guest   `json:"guests" privacy:"public"`
		Door    []byte    `json:"door" privacy:"secret"`
		Menu    seat      `json:"menu" privacy:"public"`
		Related []id.User `json:"related" privacy:"public"`
	}
)

func (invited) EventType() string { return "test.party.invited" }

var (
	host, ann, bob = id.User{ID: id.Named("host")}, id.User{ID: id.Named("ann")}, id.User{ID: id.Named("bob")}
	parties        = domain.NewCatalogue([]domain.Type{domain.TypeOf[invited]()})
)

func party() invited {
	phone := "+1"
	return invited{
		HostID: host, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Where: address{"Elm", 5}, Phone: &phone, Vegan: true,
		Guests: []guest{
			{GuestID: ann, Name: "Ann", Host: "Hal", Code: "4711", Seats: []seat{{1}, {2}}, Plus: &guestOne{7}},
			{GuestID: bob, Name: "Bob", Host: "Harold"},
		},
		Door: []byte("key"), Menu: seat{3}, Related: []id.User{ann},
	}
}

func decoded(t *testing.T, enc domain.Encoded, s domain.Opener) domain.Event {
	t.Helper()
	e, err := parties.Decode(enc.Type, enc.Schema, enc.Data, enc.Secret, s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatIsPrivateIsSealedWhereverItStands(t *testing.T) {
	enc, err := parties.Encode(party(), locked{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(domain.Event(party()), decoded(t, enc, locked{})); diff != "" {
		t.Error(diff)
	}
	h, a, b := host.String(), ann.String(), bob.String()
	want := `{"host_id":"` + h + `","at":"2026-01-02T03:04:05Z","where":"sealed:1:` + h + ` where {\"Street\":\"Elm\",\"Number\":5}",` +
		`"phone":"sealed:1:` + h + ` phone \"+1\"","vegan":"sealed:1:` + h + ` vegan true","guests":[` +
		`{"guest_id":"` + a + `","name":"sealed:1:` + a + ` guests.0.name Ann","host":"sealed:1:` + h + ` guests.0.host Hal",` +
		`"seats":[{"row":1},{"row":2}],"plus":{"age":"sealed:1:` + a + ` guests.0.plus.age 7"}},` +
		`{"guest_id":"` + b + `","name":"sealed:1:` + b + ` guests.1.name Bob","host":"sealed:1:` + h + ` guests.1.host Harold","seats":null}],` +
		`"menu":{"row":3},"related":["` + a + `"]}`
	if string(enc.Data) != want {
		t.Errorf("data\n%s, not\n%s", enc.Data, want)
	}
	secret := `{"guests":[{"code":"sealed:1:` + a + ` guests.0.code 4711"},{}],"door":"sealed:1:` + id.ID{}.String() + ` door \"a2V5\""}`
	if string(enc.Secret) != secret {
		t.Errorf("secret\n%s, not\n%s", enc.Secret, secret)
	}
	if !slices.Equal(enc.Subjects, []id.ID{host.ID, ann.ID, bob.ID}) {
		t.Errorf("subjects %v", enc.Subjects)
	}
	if closed, err := parties.Parse(enc.Type, 1, enc.Data, enc.Secret); err != nil || !slices.Equal(closed.AddSubjects(nil), enc.Subjects) {
		t.Errorf("subjects of what is closed %v", err)
	}
}

func TestWhatOughtToBeSealedIs(t *testing.T) {
	enc, err := parties.Encode(party(), locked{})
	if err != nil {
		t.Fatal(err)
	}
	is := func(data, secret string) bool {
		closed, err := parties.Parse(enc.Type, 1, []byte(data), []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return closed.IsSealed()
	}
	data, secret := string(enc.Data), string(enc.Secret)
	if !is(data, secret) {
		t.Error("what is sealed is not")
	}
	if is(data, "") || is(strings.Replace(data, "sealed:1:", "", 1), secret) || is(strings.Replace(data, `"phone":"sealed`, `"phone":null,"x":"`, 1), secret) ||
		is(data, strings.Replace(secret, `"door"`, `"x"`, 1)) {
		t.Error("what was taken away or is clear is sealed")
	}
}

func TestWhoIsForgottenIsZeroAndNobodyElse(t *testing.T) {
	enc, err := parties.Encode(party(), locked{})
	if err != nil {
		t.Fatal(err)
	}
	want := party()
	want.Guests[0].Name, want.Guests[0].Code, want.Guests[0].Plus = "", "", &guestOne{}
	if diff := cmp.Diff(domain.Event(want), decoded(t, enc, locked{ann.ID: true})); diff != "" {
		t.Error(diff)
	}
	if _, err := parties.Encode(party(), locked{ann.ID: true}); err == nil {
		t.Error("something is said about somebody who was forgotten")
	}
}

// A value that was put elsewhere does not open, and what is said about it says nothing of what it was.
func TestASealedValueOpensInItsPlaceAlone(t *testing.T) {
	enc, err := parties.Encode(party(), locked{})
	if err != nil {
		t.Fatal(err)
	}
	for what, swap := range map[string][2]string{
		"to another element": {"guests.0.name", "guests.1.name"},
		"to another field":   {"vegan true", "phone true"},
		"to another person":  {`"guest_id":"` + ann.String(), `"guest_id":"` + bob.String()},
	} {
		moved := strings.ReplaceAll(string(enc.Data), swap[0], swap[1])
		_, err := parties.Decode(enc.Type, 1, []byte(moved), enc.Secret, locked{})
		if err == nil || !strings.HasSuffix(err.Error(), "does not open") || strings.Contains(err.Error(), "Ann") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPartsThatDoNotBelongTogetherAreDamage(t *testing.T) {
	enc, err := parties.Encode(party(), locked{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parties.Decode(enc.Type, 1, enc.Data, []byte(`{"guests":[{}]}`), locked{}); err == nil {
		t.Error("secrets of one guest belong to two")
	}
}

// What was written before it was sealed is still read, and known to be clear.
func TestClearValuesAreRead(t *testing.T) {
	text := `{"host_id":"` + host.String() + `","note":"hello","guests":[]}`
	closed, err := parties.Parse("test.party.invited", 1, []byte(text), []byte(`{"door":"a2V5"}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := closed.Open(locked{})
	if got, _ := e.(invited); err != nil || got.Note != "hello" || string(got.Door) != "key" {
		t.Errorf("%+v, %v", got, err)
	}
	if clear, sealed := closed.AddClear(nil), closed.AddSubjects(nil); !slices.Equal(clear, []id.ID{host.ID}) || len(sealed) > 0 {
		t.Errorf("clear is what is said of %v, sealed of %v", clear, sealed)
	}
}

func TestNobodysDataIsRefusedUnlessThereIsNone(t *testing.T) {
	p := party()
	p.Guests = []guest{{}}
	if enc, err := parties.Encode(p, locked{}); err != nil || strings.Contains(string(enc.Data), "guests.0.name") {
		t.Errorf("%s, %v", enc.Data, err)
	}
	p.Guests[0].Name = "Eve"
	if _, err := parties.Encode(p, locked{}); err == nil {
		t.Error("a name is sealed for nobody")
	}
}

type (
	untagged       struct{ Name string }
	untaggedInside struct {
		Seats []struct {
			Row int `json:"row"`
		} `json:"seats" privacy:"public"`
	}
	ofNobody struct {
		Name string `json:"name" privacy:"personal:user_id"`
	}
	ofNoID struct {
		UserID string `json:"user_id" privacy:"public"`
		Name   string `json:"name" privacy:"personal:user_id"`
	}
	ofSecret struct {
		UserID id.User `json:"user_id" privacy:"secret"`
		Name   string  `json:"name" privacy:"personal:user_id"`
	}
	mistagged struct {
		Name string `json:"name" privacy:"private"`
	}
	nameless struct {
		Name string `privacy:"public"`
	}
	inMap struct {
		Guests map[string]guest `json:"guests" privacy:"public"`
	}
	embedding struct {
		seat `privacy:"public"`
	}
)

func (untagged) EventType() string       { return "test.wrong.one" }
func (untaggedInside) EventType() string { return "test.wrong.one" }
func (ofNobody) EventType() string       { return "test.wrong.one" }
func (ofNoID) EventType() string         { return "test.wrong.one" }
func (ofSecret) EventType() string       { return "test.wrong.one" }
func (mistagged) EventType() string      { return "test.wrong.one" }
func (nameless) EventType() string       { return "test.wrong.one" }
func (inMap) EventType() string          { return "test.wrong.one" }
func (embedding) EventType() string      { return "test.wrong.one" }

func TestAFieldThatDoesNotSayHowPrivateItIsIsNoField(t *testing.T) {
	for _, list := range []func(){
		func() { domain.TypeOf[untagged]() },
		func() { domain.TypeOf[untaggedInside]() },
		func() { domain.TypeOf[ofNobody]() },
		func() { domain.TypeOf[ofNoID]() },
		func() { domain.TypeOf[ofSecret]() },
		func() { domain.TypeOf[mistagged]() },
		func() { domain.TypeOf[nameless]() },
		func() { domain.TypeOf[inMap]() },
		func() { domain.TypeOf[embedding]() },
		func() { domain.From(func(untagged) invited { return invited{} }) },
	} {
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.HasPrefix(fmt.Sprint(p), "domain: ") {
					t.Errorf("%v", p)
				}
			}()
			list()
			t.Errorf("a type was listed: %v", reflect.TypeOf(list))
		}()
	}
}

// Old schemas are opened first, and then read as today's.
func TestAnOldSchemaIsOpenedBeforeItIsRead(t *testing.T) {
	c := domain.NewCatalogue([]domain.Type{domain.TypeOf[renamed](domain.From(func(old renamedV1) renamed {
		return renamed{UserID: old.UserID, First: strings.Fields(old.Name)[0], Last: strings.Fields(old.Name)[1]}
	}))})
	data, err := json.Marshal(map[string]string{
		"user_id": ann.String(), "name": domain.SealedPrefix + ann.String() + " name Ann Example",
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Decode("test.user.renamed", 1, data, nil, locked{})
	if diff := cmp.Diff(domain.Event(renamed{UserID: ann, First: "Ann", Last: "Example"}), e); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

type (
	renamed struct {
		UserID id.User `json:"user_id" privacy:"public"`
		First  string  `json:"first" privacy:"personal:user_id"`
		Last   string  `json:"last" privacy:"personal:user_id"`
	}
	renamedV1 struct {
		UserID id.User `json:"user_id" privacy:"public"`
		Name   string  `json:"name" privacy:"personal:user_id"`
	}
)

func (renamed) EventType() string { return "test.user.renamed" }
