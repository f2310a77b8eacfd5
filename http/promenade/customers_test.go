package promenade_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/privacy"
	"gesta/http/promenade"
	"gesta/http/web/webtest"
)

const (
	customerPath  = "/api/v1/customer-mgmt/customers"
	analyticsPath = "/api/v1/customer-mgmt/analytics/customers"
)

// desk is somebody who works with customers.
type desk struct {
	*webtest.Client
	t     *testing.T
	stack *webtest.Stack
	id    string // of whoever works there
	token string
}

func atDesk(t *testing.T) *desk {
	t.Helper()
	stack, client, _ := start(t)
	rep := appoint(t, stack, promenade.User, "rep")
	return &desk{Client: client, t: t, stack: stack, id: rep.id, token: rep.access}
}

func (d *desk) call(method, path string, body any) webtest.Call {
	return webtest.Call{Method: method, Path: path, Token: d.token, Body: body}
}

func (d *desk) say(title, method, path string, body any) webtest.Answer {
	d.t.Helper()
	return d.Say(d.t, title, d.call(method, path, body))
}

// customerID is the id of whom an answer shows.
func (d *desk) customerID(a webtest.Answer) string {
	d.t.Helper()
	var shown struct{ Data struct{ ID string } }
	a.JSON(d.t, &shown)
	if shown.Data.ID == "" {
		d.t.Fatalf("%d %s", a.Status, a.Text)
	}
	return shown.Data.ID
}

// create makes a customer, and answers his path.
func (d *desk) create(body map[string]any) string {
	d.t.Helper()
	return customerPath + "/" + d.customerID(d.Do(d.t, d.call("POST", customerPath, body)))
}

// john is the document's own example.
func john(changes map[string]any) map[string]any {
	body := map[string]any{
		"name": "John Doe", "email": "john@example.com", "phone": "+441234567890", "status": "lead", "tier": "free",
		"source": "website", "tags": []string{"marketing"},
	}
	for k, v := range changes {
		body[k] = v
	}
	return body
}

func named(name, status, tier string, tags ...string) map[string]any {
	return map[string]any{
		"name": name, "email": strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@example.com", "status": status, "tier": tier, "tags": append([]string{}, tags...),
	}
}

func TestTheExchangesOfTheDocumentAboutCustomers(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	path := customerPath + "/" + d.customerID(d.say("create", "POST", customerPath, john(nil)))
	d.say("list", "GET", customerPath+"?status=lead&tier=free&page=1", nil)
	d.say("find", "GET", path, nil)
	d.say("change", "PUT", path, map[string]any{"name": "John Doe Updated", "tags": []string{"vip"}})
	d.say("qualify", "POST", path+"/qualify", nil)
	d.say("convert", "POST", path+"/convert", nil)
	d.say("assign", "POST", path+"/assign", map[string]string{"assigned_to": d.id})
	d.say("a filter of three", "GET", customerPath+"?status=customer&tier=enterprise&tags=vip", nil)
	d.say("churn", "POST", path+"/churn", map[string]string{"reason": "Price too high"})
	d.Golden(t, "customers")
}

func TestTheExchangesOfCreatingCustomers(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	d.say("no more than needed", "POST", customerPath, map[string]string{"name": "Jane", "email": "Jane@Example.com"})
	d.say("the address is taken", "POST", customerPath, map[string]string{"name": "Other", "email": "jane@example.com"})
	d.say("a customer at once", "POST", customerPath, john(map[string]any{
		"status": "customer", "tier": "pro", "tags": []string{"VIP", "new", "vip"}, "assigned_to": d.id,
	}))
	d.say("for a company", "POST", customerPath+"/b2b", map[string]string{"name": "Acme", "email": "acme@example.com", "company_id": d.id})
	d.say("for no company", "POST", customerPath+"/b2b", map[string]string{"name": "Acme", "email": "b@example.com"})
	d.say("nothing", "POST", customerPath, map[string]string{})
	d.say("everything wrong", "POST", customerPath, map[string]any{
		"name": strings.Repeat("x", 256), "email": "x", "phone": "x", "status": "active", "tier": "gold",
		"source": "John's neighbour", "tags": []string{"a b"}, "assigned_to": "nobody",
	})
	d.say("somebody who has churned", "POST", customerPath, john(map[string]any{"email": "c@example.com", "status": "churned"}))
	d.say("nobody's", "POST", customerPath, john(map[string]any{"email": "d@example.com", "assigned_to": id.Named("nobody").String()}))
	d.say("a name of another type", "POST", customerPath, `{"name":7,"tags":"vip"}`)
	d.say("an unknown field", "POST", customerPath, map[string]any{"name": "E", "email": "e@example.com", "id": d.id, "user_id": d.id, "deleted": true})
	d.Golden(t, "customers_creating")
}

func TestTheExchangesOfACustomersWay(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	path := d.create(john(nil))
	d.say("a lead is not converted", "POST", path+"/convert", nil)
	d.say("a lead does not churn", "POST", path+"/churn", map[string]string{"reason": "none"})
	d.Do(t, d.call("POST", path+"/qualify", nil))
	d.say("a prospect is not qualified", "POST", path+"/qualify", nil)
	d.Do(t, d.call("POST", path+"/convert", nil))
	d.say("a customer is not reactivated", "POST", path+"/reactivate", nil)
	d.say("no reason", "POST", path+"/churn", map[string]string{"reason": " "})
	d.Do(t, d.call("POST", path+"/churn", map[string]string{"reason": "Price too high"}))
	d.say("a churned customer is not converted", "POST", path+"/convert", nil)
	d.say("as readers see him", "GET", path, nil)
	d.say("reactivate", "POST", path+"/reactivate", nil)
	d.say("upgrade", "POST", path+"/upgrade/enterprise", nil)
	d.say("upgrade to the same", "POST", path+"/upgrade/enterprise", nil)
	d.say("upgrade to less", "POST", path+"/upgrade/basic", nil)
	d.say("downgrade", "POST", path+"/downgrade/pro", nil)
	d.say("downgrade to more", "POST", path+"/downgrade/enterprise", nil)
	d.say("no tier", "POST", path+"/upgrade/gold", nil)
	d.say("as readers see him then", "GET", path, nil)
	unknown := customerPath + "/" + id.Named("unknown").String()
	d.say("nobody", "POST", unknown+"/qualify", nil)
	d.say("no id", "POST", customerPath+"/x/upgrade/pro", nil)
	d.Golden(t, "customers_way")
}

func TestTheExchangesOfChangingCustomers(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	path := d.create(john(nil))
	d.say("all that can be changed", "PUT", path, map[string]any{
		"name": "J. Doe", "phone": "+15550100", "source": "Fair", "tags": []string{}, "email": "JOHN@example.com", "status": "churned", "tier": "pro",
	})
	d.say("nothing", "PUT", path, map[string]any{})
	d.say("no telephone any more", "PUT", path, map[string]any{"phone": ""})
	d.say("another address", "PUT", path, map[string]any{"name": "x", "email": "other@example.com"})
	d.say("everything wrong", "PUT", path, map[string]any{"name": "", "phone": "x", "source": strings.Repeat("x", 51), "tags": []string{""}, "email": "x"})
	d.say("nobody", "PUT", customerPath+"/"+id.Named("unknown").String(), map[string]any{"name": "x"})
	d.say("assign", "POST", path+"/assign", map[string]string{"assigned_to": d.id})
	d.say("assign to the same", "POST", path+"/assign", map[string]string{"assigned_to": d.id})
	d.say("no representative", "POST", path+"/assign", map[string]string{"assigned_to": id.Named("unknown").String()})
	d.say("no id of one", "POST", path+"/assign", map[string]string{"assigned_to": "x"})
	d.say("tag", "POST", path+"/tags", map[string]string{"tag": "VIP"})
	d.say("the same tag", "POST", path+"/tags", map[string]string{"tag": "vip"})
	d.say("no tag", "POST", path+"/tags", map[string]string{"tag": "a b"})
	d.say("untag", "DELETE", path+"/tags/vip", nil)
	d.say("untag again", "DELETE", path+"/tags/vip", nil)
	d.say("untag nothing", "DELETE", path+"/tags/%20", nil)
	d.say("link", "POST", path+"/link-user", map[string]string{"user_id": d.id})
	d.say("link again", "POST", path+"/link-user", map[string]string{"user_id": d.id})
	d.say("link to nobody", "POST", path+"/link-user", map[string]string{"user_id": id.Named("unknown").String()})
	other := d.create(named("Jane Roe", "lead", "free"))
	d.say("link another to the same", "POST", other+"/link-user", map[string]string{"user_id": d.id})
	d.say("as readers see him", "GET", path, nil)
	d.Golden(t, "customers_changing")
}

func TestTheExchangesOfDeletingCustomers(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	path := d.create(john(nil))
	d.say("delete", "DELETE", path, nil)
	d.say("delete again", "DELETE", path, nil)
	d.say("find", "GET", path, nil)
	d.say("by address", "GET", customerPath+"/by-email?email=john@example.com", nil)
	d.say("change", "PUT", path, map[string]string{"name": "x"})
	d.say("qualify", "POST", path+"/qualify", nil)
	d.say("list", "GET", customerPath, nil)
	d.say("another with the same address", "POST", customerPath, john(nil))
	d.say("by address again", "GET", customerPath+"/by-email?email=John@Example.com", nil)
	d.say("by no address", "GET", customerPath+"/by-email", nil)
	d.Golden(t, "customers_deleting")
}

// names are those that a list shows, and how many there are.
func (d *desk) names(query string) string {
	d.t.Helper()
	a := d.Do(d.t, d.call("GET", customerPath+query, nil))
	var shown struct {
		Data       []struct{ Name string }
		Pagination struct{ Total int }
	}
	a.JSON(d.t, &shown)
	if a.Status != 200 {
		d.t.Fatalf("%s: %d %s", query, a.Status, a.Text)
	}
	var names []string
	for _, c := range shown.Data {
		names = append(names, c.Name)
	}
	return fmt.Sprintf("%s of %d", strings.Join(names, ","), shown.Pagination.Total)
}

func TestCustomersAreFilteredAndSorted(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	ann := d.create(named("Ann Smith", "lead", "free", "vip", "new"))
	d.create(named("Bob Smith", "prospect", "free", "vip"))
	d.create(named("Cid Jones", "customer", "pro", "new"))
	d.create(named("Ann Jones", "customer", "free", "vip", "old"))
	d.Do(t, d.call("POST", ann+"/assign", map[string]string{"assigned_to": d.id}))
	d.Do(t, d.call("PUT", ann, map[string]string{"name": "Zoe Smith"}))
	for query, want := range map[string]string{
		"":                                   "Zoe Smith,Bob Smith,Cid Jones,Ann Jones of 4",
		"?sort=-created_at":                  "Ann Jones,Cid Jones,Bob Smith,Zoe Smith of 4",
		"?sort=name":                         "Ann Jones,Bob Smith,Cid Jones,Zoe Smith of 4",
		"?sort=-name&page_size=1&page=2":     "Cid Jones of 4",
		"?status=customer":                   "Cid Jones,Ann Jones of 2",
		"/status/customer?sort=name":         "Ann Jones,Cid Jones of 2",
		"?tier=free":                         "Zoe Smith,Bob Smith,Ann Jones of 3",
		"/tier/free?status=prospect":         "Bob Smith of 1",
		"?status=customer&tier=free":         "Ann Jones of 1",
		"?tags=vip":                          "Zoe Smith,Bob Smith,Ann Jones of 3",
		"?tags=vip,NEW":                      "Zoe Smith of 1",
		"?tags=vip,new,old":                  " of 0",
		"?tags=vip&status=customer":          "Ann Jones of 1",
		"?tags=vip&sort=-name":               "Zoe Smith,Bob Smith,Ann Jones of 3",
		"?assigned_to=" + d.id:               "Zoe Smith of 1",
		"?assigned_to=" + d.id + "&tier=pro": " of 0",
		"?search=smi":                        "Zoe Smith,Bob Smith of 2",
		"?search=zoe":                        "Zoe Smith of 1",
		"?search=ANN":                        "Zoe Smith,Ann Jones of 2", // By her address, which has not changed.
		"?search=ann+jones":                  "Ann Jones of 1",
		"?search=example.com&page_size=1":    "Zoe Smith of 4",
		"?search=smith&tags=vip&tier=free&status=lead&sort=name&assigned_to=" + d.id: "Zoe Smith of 1",
		"?search=nobody": " of 0",
	} {
		if got := d.names(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestTheExchangesOfListingCustomers(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	for _, c := range []map[string]any{named("Ann Smith", "lead", "free", "vip"), named("Bob Smith", "prospect", "basic", "vip", "new"), named("Cid Jones", "customer", "pro")} {
		d.create(c)
	}
	d.say("the second page by name", "GET", customerPath+"?sort=name&page=2&page_size=2", nil)
	d.say("by status", "GET", customerPath+"/status/prospect", nil)
	d.say("by tier", "GET", customerPath+"/tier/pro", nil)
	d.say("by tags", "GET", customerPath+"?tags=vip,new", nil)
	d.say("by words", "GET", customerPath+"?search=smith%20an", nil)
	d.say("no status", "GET", customerPath+"/status/active", nil)
	d.say("no tier", "GET", customerPath+"/tier/gold", nil)
	d.say("everything wrong", "GET", customerPath+"?status=x&tier=x&assigned_to=x&tags=a,,b&search=x&sort=x&page=0&page_size=101", nil)
	d.Golden(t, "customers_listing")
}

func TestTheExchangesOfCustomersFigures(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	figures := func(when string) {
		d.say("stats, "+when, "GET", customerPath+"/stats", nil)
		d.say("overview, "+when, "GET", analyticsPath+"/overview", nil)
		d.say("lifecycle, "+when, "GET", analyticsPath+"/lifecycle", nil)
		d.say("segmentation, "+when, "GET", analyticsPath+"/segmentation", nil)
	}
	figures("of nobody")
	d.create(john(nil))
	gone := d.create(named("Ann Smith", "customer", "pro", "vip"))
	d.create(named("Bob Smith", "customer", "pro", "vip", "new"))
	churned := d.create(named("Cid Jones", "customer", "free"))
	d.Do(t, d.call("POST", customerPath+"/b2b", map[string]string{"name": "Acme", "email": "acme@example.com", "company_id": d.id, "assigned_to": d.id}))
	d.Do(t, d.call("POST", churned+"/link-user", map[string]string{"user_id": d.id}))
	d.Do(t, d.call("POST", churned+"/churn", map[string]string{"reason": "moved"}))
	d.Do(t, d.call("POST", churned+"/upgrade/basic", nil))
	d.Do(t, d.call("DELETE", gone, nil))
	figures("of some")
	d.Golden(t, "customers_figures")
}

// Who is forgotten is gone, and figures go on.
func TestAForgottenCustomerIsGone(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	path := d.create(john(map[string]any{"status": "customer"}))
	d.create(named("Ann Smith", "lead", "free"))
	d.Do(t, d.call("POST", path+"/churn", map[string]string{"reason": "John moved"}))
	subject, err := id.Parse(path[strings.LastIndex(path, "/")+1:])
	if err != nil {
		t.Fatal(err)
	}
	forgets := &commands.Privacy{
		Executor: d.stack.Identity.Executor, Leave: []commands.Leaving{(&commands.CRM{Executor: d.stack.Identity.Executor, Realm: "promenade"}).Leave},
		Aggregates: domain.NewAggregates(identity.Aggregates, crm.Aggregates, privacy.Aggregates),
	}
	if _, err := forgets.Forget(t.Context(), privacy.SubjectID{ID: subject}); err != nil {
		t.Fatal(err)
	}
	d.say("find", "GET", path, nil)
	d.say("list by name", "GET", customerPath+"?sort=name", nil)
	d.say("look for", "GET", customerPath+"?search=john", nil)
	d.say("by address", "GET", customerPath+"/by-email?email=john@example.com", nil)
	d.say("count", "GET", customerPath+"/stats", nil)
	d.say("take back", "POST", path+"/reactivate", nil)
	d.say("another with the same address", "POST", customerPath, john(nil))
	d.Golden(t, "customers_forgotten")
}

func TestOnlyOneOfManyCreatesACustomer(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	var wg sync.WaitGroup
	statuses := make(chan int, 20)
	for i := range 20 {
		wg.Go(func() {
			statuses <- d.Do(t, d.call("POST", customerPath, john(map[string]any{"name": fmt.Sprint("John ", i)}))).Status
		})
	}
	wg.Wait()
	close(statuses)
	count := map[int]int{}
	for s := range statuses {
		count[s]++
	}
	if count[201] != 1 || count[409] != 19 {
		t.Errorf("%v", count)
	}
}

// A request under a key happens once, and is answered the same way again.
func TestCustomersUnderAKey(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	call := d.call("POST", customerPath, john(nil))
	call.Header = map[string]string{"Idempotency-Key": "k"}
	first, second := d.Do(t, call), d.Do(t, call)
	if first.Status != 201 || second.Text != first.Text || second.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s, then %s", first.Text, second.Text)
	}
	qualify := d.call("POST", customerPath+"/"+d.customerID(first)+"/qualify", nil)
	qualify.Header = call.Header
	if a := d.Do(t, qualify); a.Status != 422 {
		t.Errorf("a key of another request: %d", a.Status)
	}
	qualify.Header = map[string]string{"Idempotency-Key": "q"}
	first, second = d.Do(t, qualify), d.Do(t, qualify)
	if first.Status != 200 || second.Status != 200 || second.Text != first.Text {
		t.Errorf("%s, then %s", first.Text, second.Text)
	}
}

// A change on condition is made to what the client has seen, and to nothing else.
func TestCustomersOnCondition(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	path := d.create(john(nil))
	seen := d.Do(t, d.call("GET", path, nil)).Header.Get("ETag")
	again := d.call("GET", path, nil)
	again.Header = map[string]string{"If-None-Match": seen}
	if a := d.Do(t, again); a.Status != 304 {
		t.Errorf("the same: %d", a.Status)
	}
	change := d.call("PUT", path, map[string]string{"name": "J."})
	change.Header = map[string]string{"If-Match": seen}
	first := d.Do(t, change)
	if now := d.Do(t, d.call("GET", path, nil)).Header.Get("ETag"); first.Status != 200 || now == seen || now != first.Header.Get("ETag") {
		t.Errorf("%d, %s, then %s", first.Status, first.Header.Get("ETag"), now)
	}
	if a := d.Do(t, change); a.Status != 412 {
		t.Errorf("an outdated change: %d", a.Status)
	}
}

// Every row asks for its permission at the moment it is used.
func TestCustomersAreForWhoIsPermitted(t *testing.T) {
	t.Parallel()
	d := atDesk(t)
	path := d.create(john(nil))
	guest := appoint(t, d.stack, promenade.Guest, "guest").access
	for _, c := range []webtest.Call{
		{Method: "GET", Path: customerPath},
		{Method: "GET", Path: path},
		{Method: "POST", Path: customerPath, Body: john(nil)},
		{Method: "PUT", Path: path, Body: "{}"},
		{Method: "DELETE", Path: path},
		{Method: "POST", Path: path + "/qualify"},
		{Method: "GET", Path: customerPath + "/stats"},
		{Method: "GET", Path: analyticsPath + "/overview"},
	} {
		if a := d.Do(t, c); a.Status != 401 {
			t.Errorf("nobody: %s %s: %d", c.Method, c.Path, a.Status)
		}
		c.Token = guest
		if a := d.Do(t, c); a.Status != 403 {
			t.Errorf("a guest: %s %s: %d", c.Method, c.Path, a.Status)
		}
	}
}
