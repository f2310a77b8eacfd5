package promenade_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gesta/http/promenade"
	"gesta/http/web/webtest"
)

var exchanged = regexp.MustCompile(`(?s)\n([A-Z]+) ([^\s?]+)[^\n]*\n(?:.*?\n)?\n(\d{3}) `)

// Every row has been seen to answer well, in some file of exchanges.
func TestEveryRowHasAnExchange(t *testing.T) {
	t.Parallel()
	_, _, surface := start(t)
	files, err := filepath.Glob("testdata/wire/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq("\n"+string(text), "\n# ") {
			block = regexp.MustCompile(`<\w+ \d+>`).ReplaceAllString(block, "X")
			if m := exchanged.FindStringSubmatch(block); m != nil {
				seen = append(seen, strings.Join(m[1:], " "))
			}
		}
	}
	for _, r := range surface.Routes {
		path := regexp.MustCompile(`\\\*|:\w+`).ReplaceAllString(regexp.QuoteMeta(r.Path), `.+`)
		row := regexp.MustCompile(fmt.Sprintf(`^%s %s/? %d$`, r.Method, path, r.Status))
		if !slices.ContainsFunc(seen, row.MatchString) {
			t.Errorf("nobody has seen %s %s answer %d", r.Method, r.Path, r.Status)
		}
	}
}

// scene is who and what a tour of the rows is about.
type scene struct {
	boss, john                                              person
	role, permission, manager, profile, contact, who, other string
	lead, prospect, customer, gone                          string
}

const (
	identityPath = "/api/v1/identity"
	crmPath      = "/api/v1/customer-mgmt/customers"
)

func newScene(t *testing.T, stack *webtest.Stack, client *webtest.Client) (s scene) {
	t.Helper()
	s.boss, s.john = appoint(t, stack, promenade.SuperAdmin, "boss"), join(t, client, "john")
	make := func(by person, path string, body any) string {
		t.Helper()
		return client.Do(t, by.as("POST", path, body)).Field(t, "data.id")
	}
	s.permission = make(s.boss, identityPath+"/permissions", map[string]string{"resource": "posts", "action": "moderate"})
	s.role = make(s.boss, identityPath+"/roles", map[string]string{"name": "moderator", "display_name": "Moderator"})
	s.manager = client.Do(t, s.boss.as("GET", identityPath+"/roles/name/manager")).Field(t, "data.id")
	s.profile = make(s.john, identityPath+"/profiles", map[string]any{"display_name": "John"})
	s.contact = make(s.john, identityPath+"/contacts", map[string]string{"type": "email", "email": "w@example.com", "label": "Work"})
	s.who, s.other = join(t, client, "jane").id, join(t, client, "jack").id
	is := func(status string) string {
		return make(s.john, crmPath, map[string]any{"name": status, "email": status + "@example.com", "status": status, "tier": "basic"})
	}
	s.lead, s.prospect, s.customer, s.gone = is("lead"), is("prospect"), is("customer"), make(s.john, crmPath, map[string]any{
		"name": "Gone", "email": "gone@example.com", "status": "customer",
	})
	client.Do(t, s.john.as("POST", crmPath+"/"+s.gone+"/churn", map[string]string{"reason": "Price"}))
	return s
}

// posts are a request that goes well for each row that knows keys.
func (s scene) posts() map[string]webtest.Call {
	all := map[string]webtest.Call{}
	add := func(row string, by person, path string, body ...any) {
		all["POST /api/v1"+row] = by.as("POST", path, body...)
	}
	user := func(u, act string) string { return users + "/" + u + "/" + act }
	add("/identity/users/register", person{}, users+"/register", map[string]string{"email": "new@example.com", "name": "New", "password": password})
	add("/identity/auth/revoke", s.boss, auth+"/revoke", map[string]string{"token": s.boss.refresh})
	add("/identity/users/:id/change-password", s.john, user(s.john.id, "change-password"), map[string]string{"old_password": password, "new_password": "SecurePass456"})
	add("/identity/users/:id/verify-email", s.john, user(s.john.id, "verify-email"))
	add("/identity/users/:id/activate", s.boss, user(s.john.id, "activate"))
	add("/identity/users/:id/unlock", s.boss, user(s.john.id, "unlock"))
	add("/identity/users/:id/suspend", s.boss, user(s.who, "suspend"))
	add("/identity/users/:id/ban", s.boss, user(s.other, "ban"))
	add("/identity/users/:id/roles", s.boss, user(s.who, "roles"), map[string]string{"role_id": s.manager})
	add("/identity/roles", s.boss, identityPath+"/roles", map[string]string{"name": "editor", "display_name": "Editor"})
	add("/identity/roles/:id/permissions", s.boss, identityPath+"/roles/"+s.role+"/permissions", map[string][]string{"permission_ids": {s.permission}})
	add("/identity/permissions", s.boss, identityPath+"/permissions", map[string]string{"resource": "posts", "action": "read"})
	add("/identity/profiles", s.boss, identityPath+"/profiles", map[string]string{"display_name": "The boss"})
	add("/identity/contacts", s.john, identityPath+"/contacts", map[string]string{"type": "phone", "phone": "+441234567890", "label": "Mobile"})
	add("/identity/contacts/:id/verify", s.john, identityPath+"/contacts/"+s.contact+"/verify")
	crm := func(row, of string, body ...any) {
		add("/customer-mgmt/customers/:id/"+row, s.john, crmPath+"/"+of+"/"+strings.ReplaceAll(row, ":tier", map[bool]string{true: "pro", false: "free"}[row == "upgrade/:tier"]), body...)
	}
	add("/customer-mgmt/customers", s.john, crmPath, map[string]string{"name": "A", "email": "a@example.com"})
	add("/customer-mgmt/customers/b2b", s.john, crmPath+"/b2b", map[string]string{"name": "B", "email": "b@example.com", "company_id": "01KAGV00000000000000000000"})
	crm("qualify", s.lead)
	crm("convert", s.prospect)
	crm("churn", s.customer, map[string]string{"reason": "Price too high"})
	crm("reactivate", s.gone)
	crm("upgrade/:tier", s.lead)
	crm("downgrade/:tier", s.customer)
	crm("assign", s.lead, map[string]string{"assigned_to": s.john.id})
	crm("link-user", s.lead, map[string]string{"user_id": s.john.id})
	crm("tags", s.lead, map[string]string{"tag": "vip"})
	return all
}

// Whatever is asked for twice under a key happens once, and is answered the same, but for what is said once.
func TestEveryPostHappensOnceUnderAKey(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	posts := newScene(t, stack, client).posts()
	last := "POST /api/v1/identity/auth/revoke" // It ends the session that others are asked under.
	rows := append(slices.DeleteFunc(slices.Sorted(maps.Keys(posts)), func(row string) bool { return row == last }), last)
	for n, row := range rows {
		call := posts[row]
		call.Header = map[string]string{"Idempotency-Key": strconv.Itoa(n)}
		first := client.Do(t, call)
		before := head(t, stack)
		second := client.Do(t, call)
		if first.Status >= 300 || second.Status != first.Status || second.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: %d %s, then %d %s", row, first.Status, first.Text, second.Status, second.Text)
		}
		if row != "POST /api/v1/identity/users/register" && second.Text != first.Text {
			t.Errorf("%s: %s, then %s", row, first.Text, second.Text)
		}
		if after := head(t, stack); after != before {
			t.Errorf("%s: %d events more", row, after-before)
		}
	}
	for _, r := range surface.Routes {
		if row := r.Method + " " + r.Path; r.Keyed() && posts[row].Path == "" {
			t.Errorf("nobody repeats %s", row)
		}
	}
}

func head(t *testing.T, stack *webtest.Stack) int64 {
	t.Helper()
	h, err := stack.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Position
}

// A question takes one round trip, and one more where the row asks for a permission or looks further; what is static,
// none.
func TestRoundTripsOfQuestions(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	stack.Connect(t)
	s := newScene(t, stack, client)
	filled := strings.NewReplacer(
		identityPath+"/users/:id", users+"/"+s.john.id, identityPath+"/roles/:id", identityPath+"/roles/"+s.role,
		identityPath+"/permissions/:id", identityPath+"/permissions/"+s.permission, identityPath+"/profiles/:id", identityPath+"/profiles/"+s.profile,
		identityPath+"/contacts/:id", identityPath+"/contacts/"+s.contact, crmPath+"/:id", crmPath+"/"+s.lead,
		":email", "john@example.com", "/name/:name", "/name/manager", ":user_id", s.john.id, ":role_id", s.role, ":status", "lead", ":tier", "basic",
		":region", "Europe", "countries/:code", "countries/UA", "currencies/:code", "currencies/UAH", "languages/:code", "languages/uk", "*", "Europe/Kyiv",
	)
	for _, r := range surface.Routes {
		if r.Method != "GET" {
			continue
		}
		by, most := s.boss, int64(2)
		path := filled.Replace(r.Path)
		switch {
		case r.MaxAge > 0:
			by, most = person{}, 0
		case strings.Contains(r.Path, "/contacts") || strings.Contains(r.Path, "/profiles"):
			by = s.john
		case strings.Contains(r.Path, "/permissions/name/"):
			path = identityPath + "/permissions/name/customers:read"
		case strings.HasSuffix(r.Path, "/by-email"):
			path += "?email=lead@example.com"
		}
		if strings.Contains(r.Path, "/profiles") || strings.HasSuffix(r.Path, "/me") || strings.Contains(r.Path, "/contacts") {
			most = 1
		}
		for range 2 { // What is warm is counted.
			client.Do(t, by.as("GET", path))
		}
		if a := client.Do(t, by.as("GET", path)); a.Status != 200 || a.RoundTrips != most {
			t.Errorf("GET %s: %d after %d round trips, not %d: %.200s", r.Path, a.Status, a.RoundTrips, most, a.Text)
		}
	}
}
