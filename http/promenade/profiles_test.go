package promenade_test

import (
	"strings"
	"testing"

	"gesta/domain/id"
	"gesta/http/web/webtest"
)

const profiles = "/api/v1/identity/profiles"

// introduce gives somebody a profile.
func (p person) introduce(t testing.TB, c *webtest.Client, body any) string {
	t.Helper()
	a := c.Do(t, p.as("POST", profiles, body))
	if a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	return a.Field(t, "data.id")
}

func TestTheExchangesOfProfilesInTheDocument(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	client.Say(t, "none yet", john.as("GET", profiles+"/me"))
	client.Say(t, "create", john.as("POST", profiles, `{
  "display_name": "John D.",
  "first_name": "John",
  "last_name": "Doe",
  "bio": "Software developer",
  "timezone": "Europe/Kyiv",
  "language": "uk",
  "country": "UA"
}`))
	client.Say(t, "create another one", john.as("POST", profiles, `{"display_name":"Test User","timezone":"UTC","language":"en"}`))
	client.Say(t, "show", john.as("GET", profiles+"/me"))
	client.Say(t, "change", john.as("PUT", profiles+"/me", `{
  "bio": "Senior Software Developer",
  "is_public": true
}`))
	client.Say(t, "show what is changed", john.as("GET", profiles+"/me"))
	test := join(t, client, "test")
	client.Say(t, "create with a curl", test.as("POST", profiles, `{"display_name":"Test User","timezone":"UTC","language":"en"}`))
	client.Golden(t, "profiles")
}

func TestTheExchangesOfChangingAProfile(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john, other := join(t, client, "john"), join(t, client, "other")
	client.Say(t, "change none", john.as("PUT", profiles+"/me", `{"bio":"x"}`))
	client.Say(t, "delete none", john.as("DELETE", profiles+"/me"))
	client.Say(t, "create without a name", john.as("POST", profiles, `{}`))
	client.Say(t, "everything wrong", john.as("POST", profiles, map[string]any{
		"display_name": "J", "first_name": strings.Repeat("x", 51), "bio": strings.Repeat("x", 501), "avatar_url": "javascript:alert(1)",
		"gender": "x", "date_of_birth": "1990-02-30", "timezone": "Europe/Nowhere", "language": "xx", "country": "ZZ",
		"website": "example.com", "github": "ftp://example.com",
	}))
	client.Say(t, "wrong types", john.as("POST", profiles, `{"display_name":7,"first_name":{},"is_public":"yes"}`))
	client.Say(t, "a NUL character", john.as("POST", profiles, `{"display_name":"John\u0000"}`))
	client.Say(t, "a child", john.as("POST", profiles, `{"display_name":"John","date_of_birth":"2026-01-01"}`))
	client.Say(t, "somebody of old", john.as("POST", profiles, `{"display_name":"John","date_of_birth":"1850-01-01"}`))
	created := client.Say(t, "create with everything", john.as("POST", profiles, map[string]any{
		"display_name": " John D. ", "first_name": "John", "middle_name": "B.", "last_name": "Doe", "bio": "Software\ndeveloper 👩‍💻",
		"avatar_url": "https://example.com/john.png", "gender": "male", "date_of_birth": "1990-12-31", "timezone": "europe/kyiv",
		"language": "UK", "country": "ua", "website": "https://example.com", "linkedin": "https://linkedin.com/in/john",
		"twitter": "https://twitter.com/john", "github": "https://github.com/john", "facebook": "https://facebook.com/john",
		"instagram": "https://instagram.com/john", "is_public": true, "user_id": other.id, "id": other.id, "unknown": 1,
	}))
	profile := profiles + "/" + created.Field(t, "data.id")
	client.Say(t, "null and what is left out stay, what is empty goes", john.as("PUT", profiles+"/me", `{"bio":"","website":"","gender":"","date_of_birth":"","first_name":null}`))
	client.Say(t, "a name can't go", john.as("PUT", profiles+"/me", `{"display_name":""}`))
	client.Say(t, "nothing", john.as("PUT", profiles+"/me", `{}`))
	for _, one := range []struct{ path, body string }{
		{"display-name", `{"display_name":"Johnny"}`},
		{"bio", `{"bio":"Manager"}`},
		{"avatar", `{"avatar_url":"https://example.com/new.png"}`},
		{"personal-info", `{"first_name":"Johnny","last_name":"Roe"}`},
		{"gender", `{"gender":"other"}`},
		{"date-of-birth", `{"date_of_birth":"1991-01-01"}`},
		{"localization", `{"timezone":"UTC","language":"en","country":"GB"}`},
		{"social-links", `{"github":"","website":"https://example.org"}`},
	} {
		client.Say(t, "change "+one.path, john.as("PUT", profile+"/"+one.path, one.body))
	}
	client.Say(t, "hide", john.as("PUT", profile+"/private"))
	client.Say(t, "what came of it", john.as("GET", profiles+"/me"))
	client.Say(t, "show", john.as("PUT", profile+"/public"))
	client.Say(t, "a name that is too short", john.as("PUT", profile+"/display-name", `{"display_name":"J"}`))
	client.Say(t, "no bio", john.as("PUT", profile+"/bio", `{}`))
	client.Say(t, "a bio that is a number", john.as("PUT", profile+"/bio", `{"bio":7}`))
	client.Say(t, "no such country", john.as("PUT", profile+"/localization", `{"country":"ZZ"}`))
	client.Say(t, "another's name", other.as("PUT", profile+"/display-name", `{"display_name":"Mine"}`))
	client.Say(t, "another's profile", other.as("PUT", profile+"/private"))
	client.Say(t, "delete another's", other.as("DELETE", profile))
	client.Say(t, "no id", john.as("PUT", profiles+"/me/bio", `{"bio":"x"}`))
	client.Say(t, "delete", john.as("DELETE", profile))
	client.Say(t, "delete again", john.as("DELETE", profile))
	client.Say(t, "create anew", john.as("POST", profiles, `{"display_name":"John D."}`))
	client.Say(t, "delete me", john.as("DELETE", profiles+"/me"))
	client.Say(t, "nobody", webtest.Call{Method: "PUT", Path: profiles + "/me", Body: `{}`})
	client.Golden(t, "profiles_changed")
}

func TestTheExchangesOfPublicProfiles(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	ann, bob, cid := join(t, client, "ann"), join(t, client, "bob"), join(t, client, "cid")
	shown := ann.introduce(t, client, `{"display_name":"Ann","gender":"female","date_of_birth":"1990-12-31","is_public":true}`)
	hidden := bob.introduce(t, client, `{"display_name":"Bob"}`)
	cid.introduce(t, client, `{"display_name":"Cid","is_public":true}`)
	nobody := func(path string) webtest.Call { return webtest.Call{Method: "GET", Path: profiles + path} }
	client.Say(t, "list", nobody(""))
	client.Say(t, "a second page", nobody("?page=2&page_size=1"))
	client.Say(t, "no page", nobody("?page=0&page_size=101"))
	client.Say(t, "a public one, to nobody known", nobody("/"+shown))
	client.Say(t, "a public one, to another", bob.as("GET", profiles+"/"+shown))
	client.Say(t, "a public one, to its user", ann.as("GET", profiles+"/"+shown))
	client.Say(t, "by its user", nobody("/user/"+ann.id))
	client.Say(t, "a private one", nobody("/"+hidden))
	client.Say(t, "a private one, to another", ann.as("GET", profiles+"/"+hidden))
	client.Say(t, "a private one, to its user", bob.as("GET", profiles+"/"+hidden))
	client.Say(t, "by its user, who keeps it private", nobody("/user/"+bob.id))
	client.Say(t, "by its user, to himself", bob.as("GET", profiles+"/user/"+bob.id))
	client.Say(t, "unknown", nobody("/"+id.Named("unknown").String()))
	client.Say(t, "no id", nobody("/no-id"))
	client.Say(t, "a token that is none", webtest.Call{Method: "GET", Path: profiles + "/" + shown, Token: "x"})
	client.Golden(t, "profiles_public")
}

// A client changes its profile only if that still is what it has seen, although the path does not name it.
func TestAProfileIsChangedOnlyAsItIsKnown(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	if a := client.Do(t, withHeader(john.as("PUT", profiles+"/me", `{}`), "If-Match", "*")); a.Status != 404 {
		t.Errorf("none yet: %d %s", a.Status, a.Text)
	}
	john.introduce(t, client, `{"display_name":"John"}`)
	tag := client.Do(t, john.as("GET", profiles+"/me")).Header.Get("ETag")
	first := client.Do(t, withHeader(john.as("PUT", profiles+"/me", `{"bio":"one"}`), "If-Match", tag))
	second := client.Do(t, withHeader(john.as("PUT", profiles+"/me", `{"bio":"two"}`), "If-Match", tag))
	third := client.Do(t, withHeader(john.as("PUT", profiles+"/me", `{"bio":"three"}`), "If-Match", first.Header.Get("ETag")))
	if first.Status != 200 || second.Status != 412 || third.Status != 200 || first.Header.Get("ETag") == tag {
		t.Errorf("%d, %d, %d; %s after %s", first.Status, second.Status, third.Status, first.Header.Get("ETag"), tag)
	}
	shown := client.Do(t, john.as("GET", profiles+"/me"))
	if shown.Header.Get("ETag") != third.Header.Get("ETag") || shown.Field(t, "data.bio") != "three" {
		t.Errorf("%s after %s: %s", shown.Header.Get("ETag"), third.Header.Get("ETag"), shown.Text)
	}
	if a := client.Do(t, withHeader(john.as("DELETE", profiles+"/me"), "If-Match", tag)); a.Status != 412 {
		t.Errorf("delete: %d %s", a.Status, a.Text)
	}
}

func withHeader(call webtest.Call, name, value string) webtest.Call {
	call.Header = map[string]string{name: value}
	return call
}

// A profile that is asked for twice under one key is made once.
func TestAProfileIsCreatedOnceUnderAKey(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	create := withHeader(john.as("POST", profiles, `{"display_name":"John"}`), "Idempotency-Key", "k")
	first, again := client.Do(t, create), client.Do(t, create)
	if first.Status != 201 || again.Status != 201 || first.Text != again.Text || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s, then %d %s", first.Status, first.Text, again.Status, again.Text)
	}
}
