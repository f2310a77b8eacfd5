package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/cmd/gesta/demo"
	"gesta/domain/id"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

// What the demo has, and has to have.
const (
	demoPeople    = 41 // users of promenade
	demoCustomers = 308
)

var seed = []string{"seed", "--demo-passwords"}

// The company is there to be looked at, its figures are those of a year, and nothing of it is wrong.
func TestTheDemoShowsSomething(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,policies,audit")
	said := mustGesta(t, i.env, seed...)
	for _, l := range demoLogins {
		if !strings.Contains(said, string(l.email)+" / "+l.password) {
			t.Errorf("%s is not said in\n%s", l.email, said)
		}
	}
	i.level(t, api)
	for _, l := range []demo.Login{demo.SuperAdmin, demo.Admin} {
		login := api.expect(200, "POST", "/api/v1/identity/users/login", "", map[string]string{"email": string(l.Email), "password": demo.Password})
		token := login.fields["data"].(map[string]any)["access_token"].(string)
		api.shows(token)
	}
	i.verify(t)
	before := i.read(t)
	mustGesta(t, i.env, "projections", "rebuild")
	if !slices.Equal(i.read(t), before) {
		t.Error("rebuilt read models are others")
	}
	i.verify(t)
	p.stop()
	i.warnsOfLogins(t)
}

// read is what readers see.
func (i installation) read(t *testing.T) (all []string) {
	t.Helper()
	for _, table := range []string{"users", "roles", "profiles", "contacts", "customers", "customers_counts", "users_counts"} {
		all = append(all, pgtest.Rows(t, i.owner, `select r::text from gesta_read.`+table+` r order by 1`)...)
	}
	return all
}

// warnsOfLogins wants a process to warn of each login that anybody can know.
func (i installation) warnsOfLogins(t *testing.T) {
	t.Helper()
	p, _ := i.serve(t, "api")
	for _, l := range demoLogins {
		if !strings.Contains(p.said(), string(l.email)) {
			t.Errorf("nothing warns of %s", l.email)
		}
	}
}

// shows looks at lists and figures.
func (c client) shows(token string) {
	c.t.Helper()
	const customers = "/api/v1/customer-mgmt/customers"
	if n := c.total("/api/v1/identity/users", token); n != demoPeople {
		c.t.Errorf("%d users", n)
	}
	for path, least := range map[string]int{
		"/api/v1/identity/users?status=suspended":        1,
		"/api/v1/identity/users?status=banned":           1,
		"/api/v1/identity/users?is_email_verified=false": 1,
		"/api/v1/identity/users?is_email_verified=true":  25,
		customers:                              280,
		customers + "?status=lead":             40,
		customers + "?status=prospect":         20,
		customers + "?status=customer":         50,
		customers + "?status=churned":          5,
		customers + "?tier=free":               40,
		customers + "?tier=basic":              40,
		customers + "?tier=pro":                20,
		customers + "?tier=enterprise":         5,
		customers + "?tags=company":            60,
		customers + "?search=Коваленко":        1,
		customers + "?status=churned&tier=pro": 1,
	} {
		if n := c.total(path, token); n < least {
			c.t.Errorf("%s: %d, fewer than %d", path, n, least)
		}
	}
	stats := c.expect(200, "GET", customers+"/stats", token, nil).fields["data"].(map[string]any)
	for _, figure := range []string{"total", "b2b", "with_account", "assigned", "unassigned"} {
		if n, _ := stats[figure].(float64); n < 5 {
			c.t.Errorf("%s: %v", figure, n)
		}
	}
	c.showsMonths(token)
}

// showsMonths wants to see something in each month since it began, but for the one that has just begun.
func (c client) showsMonths(token string) {
	c.t.Helper()
	data := c.expect(200, "GET", "/api/v1/customer-mgmt/analytics/customers/lifecycle", token, nil).fields["data"].(map[string]any)
	months := data["months"].([]any)
	if len(months) < 12 {
		c.t.Errorf("%d months", len(months))
	}
	sums := map[string]float64{}
	for n, one := range months {
		month := one.(map[string]any)
		if created := month["created"].(float64); created < 3 && n > 0 && n < len(months)-1 {
			c.t.Errorf("%v customers in %v", created, month["month"])
		}
		for figure, n := range month {
			if n, is := n.(float64); is {
				sums[figure] += n
			}
		}
	}
	if sums["created"] != demoCustomers || sums["churned"] < 10 || sums["reactivated"] < 2 || sums["deleted"] < 3 {
		c.t.Errorf("%v", sums)
	}
}

func (c client) total(path, token string) int {
	c.t.Helper()
	page, _ := c.expect(200, "GET", path, token, nil).fields["pagination"].(map[string]any)
	total, _ := page["total"].(float64)
	return int(total)
}

// Whether it is put in at once, or was cut off, or by two at the same time: it is the same in the end, and nothing is
// put in again, however somebody has changed it.
func TestTheDemoIsPutInOnce(t *testing.T) {
	t.Parallel()
	began := time.Now()
	whole, cut := install(t), install(t)
	for _, i := range []installation{whole, cut} {
		mustGesta(t, i.env, "migrate", "up")
	}
	mustGesta(t, whole.env, seed...)
	conn := pgtest.Connect(t, cut.owner)
	for _, events := range []int{60, 400} {
		p := start(t, cut.env, seed...)
		wait.Until(t, fmt.Sprintf("there are %d events", events), func() bool {
			var n int
			return conn.QueryRow(t.Context(), `select count(*) from gesta.events`).Scan(&n) == nil && n > events
		})
		p.kill()
	}
	one, other := start(t, cut.env, seed...), start(t, cut.env, seed...)
	one.awaitExit(0)
	other.awaitExit(0)
	once, again := whole.past(t), cut.past(t)
	if began.UTC().YearDay() == time.Now().UTC().YearDay() && !slices.Equal(once, again) { // Otherwise they are of two days.
		t.Errorf("what was cut off has %d events, not %d: %s", len(again), len(once), difference(once, again))
	}
	cut.isInOrder(t)
	cut.stays(t)
}

// stays changes and deletes things, and wants them to be left alone.
func (i installation) stays(t *testing.T) {
	t.Helper()
	p, api := i.serve(t, "api,relay,projector,audit")
	login := api.expect(200, "POST", "/api/v1/identity/users/login", "", map[string]string{"email": string(demo.SuperAdmin.Email), "password": demo.Password})
	token := login.fields["data"].(map[string]any)["access_token"].(string)
	i.level(t, api)
	page := api.expect(200, "GET", "/api/v1/customer-mgmt/customers?page_size=2", token, nil).fields["data"].([]any)
	api.expect(200, "DELETE", "/api/v1/customer-mgmt/customers/"+page[0].(map[string]any)["id"].(string), token, nil)
	api.expect(200, "POST", "/api/v1/identity/users/"+demo.Admin.ID().String()+"/ban", token, nil)
	api.expect(200, "PUT", "/api/v1/identity/users/me", token, map[string]string{"email": "other@platform.example"})
	owner := api.expect(200, "POST", "/auth/login", "", map[string]string{"email": string(demoUsers[0].email), "password": demoPasswords["accounts"]})
	api.expect(200, "PUT", "/users/"+demoUsers[0].id().UUID(), owner.field("access_token"), map[string]string{"email": "other@platform.example"})
	p.stop()
	before := i.head(t)
	if out := mustGesta(t, i.env, seed...); strings.Contains(out, "(accounts)") || strings.Contains(out, "(promenade)") || !strings.Contains(out, "(audit)") {
		t.Errorf("not those logins that work: %s", out)
	}
	if after := i.head(t); after != before {
		t.Errorf("%d events more", after-before)
	}
}

// past is what happened, and when, as far as that was not just now.
func (i installation) past(t *testing.T) []string {
	t.Helper()
	rows, err := pgtest.Connect(t, i.owner).Query(t.Context(), `select concat_ws(' ', occurred_at, stream_kind, stream_id, version, type)
		from gesta.events where occurred_at < recorded_at - interval '1 minute' order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func difference(a, b []string) []string {
	for n := range min(len(a), len(b)) {
		if a[n] != b[n] {
			return []string{a[n], b[n]}
		}
	}
	return nil
}

// isInOrder wants time to pass on each stream, from a year ago until now and no further.
func (i installation) isInOrder(t *testing.T) {
	t.Helper()
	for what, sql := range map[string]string{
		"go back in time":      `select count(*) from gesta.events a join gesta.events b using (stream_kind, stream_id) where b.version = a.version + 1 and b.occurred_at < a.occurred_at`,
		"are yet to happen":    `select count(*) from gesta.events where occurred_at > recorded_at + interval '1 second'`,
		"are more than a year": `select count(*) from gesta.events where occurred_at < recorded_at - interval '366 days'`,
		"are older than their ids": `select count(*) from gesta.events where type = 'crm.customer.created'
			and abs(extract(epoch from occurred_at) * 1000 - ('x' || left(replace(stream_id::text, '-', ''), 12))::bit(48)::bigint) > 1`,
	} {
		var n int
		if err := pgtest.Connect(t, i.owner).QueryRow(context.Background(), sql).Scan(&n); err != nil || n > 0 {
			t.Errorf("%d events %s (%v)", n, what, err)
		}
	}
}

// The documents' examples run as they are written.
func TestTheDemoTakesNothingOfTheDocuments(t *testing.T) {
	t.Parallel()
	env := []string{"GESTA_DATA=" + t.TempDir() + "/data"}
	d := startDev(t, env)
	history := mustGesta(t, env, "events", "export")
	for _, taken := range []string{
		"@example.com", "@company.com", "@acme.com", "@app.com", "@platform.com",
		`"moderator"`, `"marketing"`, `"vip"`, "+441234567890", "+5511999999999", "John Doe", "acme-corp", "SAVE10",
	} {
		if strings.Contains(history, taken) {
			t.Errorf("the demo has %s", taken)
		}
	}
	d.expect(201, "POST", "/api/v1/identity/users/register", "", map[string]string{"email": "john@example.com", "name": "John Doe", "password": "SecurePass123"})
	if again := startedAgain(t, d, env); again != strings.Count(history, "\n")+3 { // Who registered has a session.
		t.Errorf("%d events after the second start", again)
	}
}

// startedAgain counts what there is after another start.
func startedAgain(t *testing.T, d dev, env []string) int {
	t.Helper()
	d.stop()
	d = startDev(t, env)
	d.await(`demo login \(promenade\): (\S+)`)
	return strings.Count(mustGesta(t, env, "events", "export"), "\n")
}

// Administrators of each realm are made by command line, and are told their ids as the realm writes them.
func TestAdministratorsOfEachRealm(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	create := func(password string, args ...string) (string, error) {
		out, err := gesta(t, i.env, password+"\n", append([]string{"admin", "create", "--password-stdin"}, args...)...)
		return strings.TrimSpace(out), err
	}
	of := func(realm, role, email string, more ...string) []string {
		return append([]string{"--realm", realm, "--role", role, "--email", email}, more...)
	}
	for role, may := range map[string]int{"superadmin": 200, "admin": 200, "guest": 403} {
		email := role + "@people.example"
		made, err := create("pass-word-1", of("promenade", role, email, "--name", "Somebody")...)
		if _, malformed := id.Parse(made); err != nil || malformed != nil {
			t.Fatalf("%q %v", made, err)
		}
		login := api.expect(200, "POST", "/api/v1/identity/users/login", "", map[string]string{"email": email, "password": "pass-word-1"})
		data := login.fields["data"].(map[string]any)
		if user := data["user"].(map[string]any); user["id"] != made || user["name"] != "Somebody" {
			t.Errorf("%v", user)
		}
		api.expect(may, "GET", "/api/v1/identity/roles", data["access_token"].(string), nil)
	}
	made, err := create("secret-of-bo", of("accounts", "BO", "bo@people.example")...)
	if _, malformed := id.ParseUUID(made); err != nil || malformed != nil {
		t.Errorf("%q %v", made, err)
	}
	for says, c := range map[string][]string{
		"name is required":             append([]string{"pass-word-1"}, of("promenade", "admin", "x@people.example")...),
		"name is for realms":           append([]string{"secret-of-bo"}, of("accounts", "BO", "x@people.example", "--name", "X")...),
		"must be one of super":         append([]string{"pass-word-1"}, of("promenade", "BO", "x@people.example", "--name", "X")...),
		"a letter and a digit":         append([]string{"pass-word"}, of("promenade", "admin", "x@people.example", "--name", "X")...),
		"at least 8":                   append([]string{"pass-1"}, of("promenade", "admin", "x@people.example", "--name", "X")...),
		"already registered":           append([]string{"pass-word-1"}, of("promenade", "admin", "admin@people.example", "--name", "X")...),
		"there is accounts, audit, pr": append([]string{"pass-word-1"}, of("others", "admin", "x@people.example")...),
		"email must":                   append([]string{"pass-word-1"}, of("promenade", "admin", "x", "--name", "X")...),
	} {
		if _, err := create(c[0], c[1:]...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not said: %v", says, err)
		}
	}
	signIn := map[string]string{"email": "officer@people.example", "password": "pass-word-of-12"}
	for _, name := range []string{"officer", "second"} {
		if _, err := create("pass-word-of-12", of("audit", "officer", name+"@people.example")...); err != nil {
			t.Fatal(err)
		}
	}
	session := api.expect(201, "POST", "/audit/v1/sessions", "", signIn).field("access_token")
	mustGesta(t, i.env, "admin", "deactivate", "--realm", "audit", "--email", "officer@people.example")
	api.expect(401, "DELETE", "/audit/v1/sessions", session, nil)
	api.expect(401, "POST", "/audit/v1/sessions", "", signIn)
	refuses(t, i.env, "the last active administrator", "admin", "deactivate", "--realm", "audit", "--email", "second@people.example")
	refuses(t, i.env, "user not found", "admin", "deactivate", "--realm", "audit", "--email", "nobody@people.example")
	p.stop()
}
