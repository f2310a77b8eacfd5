package main

import (
	"strings"
	"testing"

	"gesta/eventstore/wait"
)

const (
	promenadeUsers     = "/api/v1/identity/users"
	promenadeCustomers = "/api/v1/customer-mgmt/customers"
)

// inside is a text inside an answer, as in data.user.id.
func (a answer) inside(path string) string {
	var at any = a.fields
	for name := range strings.SplitSeq(path, ".") {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	text, _ := at.(string)
	return text
}

// superadmin makes one by the command line, and signs in.
func (i installation) superadmin(t *testing.T, c client, email string) (token string) {
	t.Helper()
	out, err := gesta(t, i.env, "Secret-pass-1\n", "admin", "create", "--realm", "promenade", "--role", "superadmin", "--email", email, "--name", "Boss", "--password-stdin")
	if err != nil {
		t.Fatal(out, err)
	}
	return c.expect(200, "POST", promenadeUsers+"/login", "", map[string]string{"email": email, "password": "Secret-pass-1"}).inside("data.access_token")
}

// The document's "Complete User Setup", and a customer's way from lead to churned and back: written at one process,
// read at another, and told to whoever listens.
func TestCompleteUserSetup(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api")
	_, other := i.serve(t, "api")
	_, worker := i.serve(t, "relay,projector,policies")
	worker.expect(200, "GET", "/readyz", "", nil)
	api.settles()
	churned := listen(t, i.env1(t, "NATS_URL="), "gesta.events.promenade.crm.customer.churned")

	token := api.expect(201, "POST", promenadeUsers+"/register", "", map[string]string{
		"email": "test@example.com", "name": "Test", "password": "Pass123!",
	}).inside("data.access_token")
	api.expect(201, "POST", "/api/v1/identity/profiles", token, map[string]string{
		"display_name": "Test User", "timezone": "UTC", "language": "en",
	})
	api.expect(201, "POST", "/api/v1/identity/contacts", token, map[string]string{
		"type": "email", "email": "work@example.com", "label": "Work",
	})
	me := other.expect(200, "GET", promenadeUsers+"/me", token, nil)
	if me.inside("data.email") != "test@example.com" || me.inside("data.status") != "active" {
		t.Error(me.text)
	}
	if profile := other.expect(200, "GET", "/api/v1/identity/profiles/me", token, nil); profile.inside("data.timezone") != "UTC" {
		t.Error(profile.text)
	}
	if contacts := other.expect(200, "GET", "/api/v1/identity/contacts?type=email", token, nil); !strings.Contains(contacts.text, "work@example.com") {
		t.Error(contacts.text)
	}

	id := api.expect(201, "POST", promenadeCustomers, token, map[string]any{
		"name": "John Doe", "email": "john@example.com", "phone": "+441234567890", "status": "lead", "tier": "free",
		"source": "website", "tags": []string{"marketing"},
	}).inside("data.id")
	for _, step := range []struct {
		act, status string
		body        any
	}{
		{"qualify", "prospect", nil},
		{"convert", "customer", nil},
		{"churn", "churned", map[string]string{"reason": "Price too high"}},
		{"reactivate", "customer", nil},
	} {
		if a := api.expect(200, "POST", promenadeCustomers+"/"+id+"/"+step.act, token, step.body); a.inside("data.status") != step.status {
			t.Errorf("%s: %s", step.act, a.text)
		}
		if a := other.expect(200, "GET", promenadeCustomers+"/"+id, token, nil); a.inside("data.status") != step.status {
			t.Errorf("read after %s: %s", step.act, a.text)
		}
	}
	if told := next(t, churned); !strings.Contains(told, `"subject":"crm.customer/`+id+`"`) || strings.Contains(told, "Price") {
		t.Error(told)
	}
}

// Who is put out at one process is out at every other at once; so is a permission given or taken.
func TestEveryProcessKnowsAtOnceWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, one := i.serve(t, "api,relay,projector")
	_, two := i.serve(t, "api")
	one.settles()
	boss := i.superadmin(t, one, "boss@example.com")
	john := one.expect(201, "POST", promenadeUsers+"/register", "", map[string]string{
		"email": "john@example.com", "name": "John", "password": "SecurePass123",
	})
	token, id := john.inside("data.access_token"), john.inside("data.user.id")
	two.expect(403, "GET", promenadeUsers, token, nil)
	admin := one.expect(200, "GET", "/api/v1/identity/roles/name/admin", boss, nil).inside("data.id")
	one.expect(200, "POST", promenadeUsers+"/"+id+"/roles", boss, map[string]string{"role_id": admin})
	two.expect(200, "GET", promenadeUsers, token, nil)
	one.expect(204, "DELETE", promenadeUsers+"/"+id+"/roles/"+admin, boss, nil)
	two.expect(403, "GET", promenadeUsers, token, nil)

	two.expect(200, "GET", promenadeUsers+"/me", token, nil)
	one.expect(200, "POST", promenadeUsers+"/"+id+"/ban", boss, nil)
	if a := two.expect(401, "GET", promenadeUsers+"/me", token, nil); a.inside("error.code") != "TOKEN_REVOKED" {
		t.Error(a.text)
	}
	two.expect(401, "POST", "/api/v1/identity/auth/refresh", "", map[string]string{"refresh_token": john.inside("data.refresh_token")})
}

// Limits count over all processes: whoever signs in here and there signs in as often as the document says.
func TestProcessesLimitTogether(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, one := i.serve(t, "api,relay,projector")
	_, two := i.serve(t, "api")
	login := map[string]string{"email": "nobody@example.com", "password": "wrong"}
	wait.Until(t, "a limit is reached", func() bool { // A window may end in between.
		for range 3 {
			one.do("POST", promenadeUsers+"/login", "", login)
			if a := two.do("POST", promenadeUsers+"/login", "", login); a.status == 429 {
				return strings.HasPrefix(a.inside("error.message"), "Rate limit exceeded. Try again in ") && a.header.Get("X-RateLimit-Remaining") == "0"
			}
		}
		return false
	})
}
