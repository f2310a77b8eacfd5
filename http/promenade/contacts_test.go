package promenade_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/http/web/webtest"
)

const contacts = "/api/v1/identity/contacts"

// reachable gives somebody a contact.
func (p person) reachable(t testing.TB, c *webtest.Client, body any) string {
	t.Helper()
	a := c.Do(t, p.as("POST", contacts, body))
	if a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	return a.Field(t, "data.id")
}

func TestTheExchangesOfContactsInTheDocument(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	client.Say(t, "none yet", john.as("GET", contacts))
	work := client.Say(t, "create an e-mail contact", john.as("POST", contacts, `{
  "type": "email",
  "email": "john.work@company.com",
  "label": "Work",
  "is_primary": false
}`))
	client.Say(t, "create a phone contact", john.as("POST", contacts, `{
  "type": "phone",
  "phone": "+441234567890",
  "label": "Mobile",
  "is_primary": true
}`))
	client.Say(t, "create with a curl", john.as("POST", contacts, `{"type":"email","email":"work@example.com","label":"Work"}`))
	client.Say(t, "list those of a type", john.as("GET", contacts+"?type=email"))
	client.Say(t, "verify", john.as("POST", contacts+"/"+work.Field(t, "data.id")+"/verify"))
	client.Say(t, "verify again", john.as("POST", contacts+"/"+work.Field(t, "data.id")+"/verify"))
	client.Say(t, "verify by PUT", john.as("PUT", contacts+"/"+work.Field(t, "data.id")+"/verify"))
	client.Say(t, "list", john.as("GET", contacts))
	client.Say(t, "without a token", webtest.Call{Method: "POST", Path: contacts, Body: `{"type":"phone","phone":"+441234567890","label":"Mobile"}`})
	client.Golden(t, "contacts")
}

func TestTheExchangesOfChangingContacts(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john, other := join(t, client, "john"), join(t, client, "other")
	client.Say(t, "nothing", john.as("POST", contacts, `{}`))
	client.Say(t, "an e-mail contact without an address", john.as("POST", contacts, `{"type":"email","label":"Work"}`))
	client.Say(t, "everything wrong", john.as("POST", contacts, map[string]any{
		"type": "fax", "label": strings.Repeat("x", 51), "email": "x", "phone": "+123", "address": map[string]any{"country": "ZZ", "postal_code": strings.Repeat("1", 21)},
	}))
	client.Say(t, "of two types", john.as("POST", contacts, `{"type":"email","label":"Work","email":"a@example.com","phone":"+441234567890"}`))
	client.Say(t, "wrong types", john.as("POST", contacts, `{"type":"email","label":7,"address":"x","is_primary":1}`))
	client.Say(t, "a number that nobody could call", john.as("POST", contacts, `{"type":"phone","label":"Mobile","phone":"01234 567890"}`))
	home := client.Say(t, "a place", john.as("POST", contacts, `{"type":"address","label":"Home","address":{"street":"1 High St","apartment":"2","city":"Lviv","state":"Lviv Oblast","postal_code":"79000","country":"ua"},"is_public":true}`))
	phone := client.Say(t, "a number as it is written", john.as("POST", contacts, `{"type":"phone","label":"Mobile","phone":" +44 (123) 456-7890 ","is_primary":true}`))
	second := client.Say(t, "another number, that goes before it", john.as("POST", contacts, `{"type":"phone","label":"Home","phone":"+380501234567","is_primary":true,"user_id":"`+other.id+`"}`))
	at := func(a webtest.Answer) string { return contacts + "/" + a.Field(t, "data.id") }
	client.Say(t, "what became of the first", john.as("GET", at(phone)))
	client.Say(t, "put it first again", john.as("PUT", at(phone)+"/primary"))
	client.Say(t, "what became of the second", john.as("GET", at(second)))
	client.Say(t, "verify", john.as("POST", at(phone)+"/verify"))
	client.Say(t, "another label", john.as("PUT", at(phone), `{"label":"Work"}`))
	client.Say(t, "another number is not verified", john.as("PUT", at(phone), `{"type":"phone","phone":"+441234567891"}`))
	client.Say(t, "another place", john.as("PUT", at(home), `{"address":{"street":"2 High St","city":"Lviv","country":"UA"},"is_public":false,"is_primary":true}`))
	client.Say(t, "half a place", john.as("PUT", at(home), `{"address":{"city":"Kyiv"}}`))
	client.Say(t, "another type", john.as("PUT", at(phone), `{"type":"email"}`))
	client.Say(t, "an address of a phone", john.as("PUT", at(phone), `{"email":"a@example.com"}`))
	client.Say(t, "no label", john.as("PUT", at(phone), `{"label":""}`))
	client.Say(t, "first no longer", john.as("PUT", at(phone), `{"is_primary":false}`))
	client.Say(t, "find another's", other.as("GET", at(phone)))
	client.Say(t, "change another's", other.as("PUT", at(phone), `{"label":"Mine"}`))
	client.Say(t, "verify another's", other.as("POST", at(phone)+"/verify"))
	client.Say(t, "put another's first", other.as("PUT", at(phone)+"/primary"))
	client.Say(t, "delete another's", other.as("DELETE", at(phone)))
	client.Say(t, "list another's", other.as("GET", contacts+"?user_id="+john.id))
	client.Say(t, "no such type", john.as("GET", contacts+"?type=fax"))
	client.Say(t, "no id", john.as("GET", contacts+"/no-id"))
	client.Say(t, "unknown", john.as("GET", contacts+"/"+id.Named("unknown").String()))
	client.Say(t, "delete", john.as("DELETE", at(phone)))
	client.Say(t, "delete again", john.as("DELETE", at(phone)))
	client.Say(t, "list", john.as("GET", contacts))
	client.Golden(t, "contacts_changed")
}

// However many are made primary at once, each request succeeds, and readers see one.
func TestReadersSeeOnePrimaryContact(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			john.reachable(t, client, map[string]any{"type": "phone", "label": "Mobile", "phone": fmt.Sprintf("+44123456789%d", n), "is_primary": true})
		})
	}
	all.Wait()
	shown := client.Do(t, john.as("GET", contacts+"?type=phone")).Text
	if primary := strings.Count(shown, `"is_primary":true`); primary != 1 || strings.Count(shown, `"is_primary":false`) != 7 {
		t.Errorf("%d are primary: %s", primary, shown)
	}
}

func TestThereAreOnlySoManyContacts(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	contact := map[string]any{"type": "email", "label": "Work", "email": "john@example.com"}
	for range identity.MaxContacts {
		john.reachable(t, client, contact)
	}
	if a := client.Do(t, john.as("POST", contacts, contact)); a.Status != 409 || !strings.Contains(a.Text, "more than 50 contacts") {
		t.Errorf("%d %s", a.Status, a.Text)
	}
}

// The contact that was made is shown again, and not the one that gave way to it.
func TestAContactIsCreatedOnceUnderAKey(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	first := john.reachable(t, client, `{"type":"email","label":"Home","email":"a@example.com","is_primary":true}`)
	create := withHeader(john.as("POST", contacts, `{"type":"email","label":"Work","email":"b@example.com","is_primary":true}`), "Idempotency-Key", "k")
	made, again := client.Do(t, create), client.Do(t, create)
	if made.Status != 201 || made.Text != again.Text || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s, then %d %s", made.Status, made.Text, again.Status, again.Text)
	}
	shown := client.Do(t, john.as("GET", contacts+"/"+made.Field(t, "data.id")))
	if shown.Header.Get("ETag") != made.Header.Get("ETag") || again.Header.Get("ETag") != made.Header.Get("ETag") {
		t.Errorf("tags: %s, %s, %s", made.Header.Get("ETag"), again.Header.Get("ETag"), shown.Header.Get("ETag"))
	}
	verify := withHeader(john.as("POST", contacts+"/"+first+"/verify"), "Idempotency-Key", "v")
	for range 2 {
		client.Do(t, john.as("POST", contacts+"/"+first+"/verify"))
		if a := client.Do(t, verify); a.Status != 200 || !strings.Contains(a.Text, `"is_verified":true`) {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	}
}
