package promenade_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/http/promenade"
	"gesta/http/web"
	"gesta/http/web/webtest"
)

const (
	users = "/api/v1/identity/users"
	auth  = "/api/v1/identity/auth"

	password = "SecurePass123"
)

// person is somebody who is signed in.
type person struct{ id, email, access, refresh string }

// as is a request of his.
func (p person) as(method, path string, body ...any) webtest.Call {
	call := webtest.Call{Method: method, Path: path, Token: p.access}
	if len(body) > 0 {
		call.Body = body[0]
	}
	return call
}

func post(path string, body any) webtest.Call {
	return webtest.Call{Method: "POST", Path: path, Body: body}
}

// join registers somebody as everybody does.
func join(t testing.TB, c *webtest.Client, name string) person {
	t.Helper()
	email := name + "@example.com"
	a := c.Do(t, post(users+"/register", map[string]string{"email": email, "name": name, "password": password}))
	if a.Status != 201 {
		t.Fatalf("register %s: %d %s", name, a.Status, a.Text)
	}
	return person{a.Field(t, "data.user.id"), email, a.Field(t, "data.access_token"), a.Field(t, "data.refresh_token")}
}

// appoint makes somebody with a role, as the command line does.
func appoint(t testing.TB, stack *webtest.Stack, role identity.Role, name string) person {
	t.Helper()
	realm := promenade.Realm()
	g, err := stack.Identity.SignUp(t.Context(), commands.Registration{
		Realm: realm, By: identity.Caller{Realm: realm.Name, Role: realm.Administrator},
		Role: role, Name: name, Email: value.Email(name + "@example.com"), Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	return person{g.User.ID.String(), string(g.User.Email), g.Access, g.Refresh}
}

func login(email, password string) webtest.Call {
	return post(users+"/login", map[string]string{"email": email, "password": password})
}

func TestTheExchangesOfIdentity(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	registered := client.Say(t, "register", post(users+"/register", map[string]string{
		"email": "john@example.com", "name": "John Doe", "password": password,
	}))
	client.Say(t, "register again", post(users+"/register", map[string]string{
		"email": " John@Example.com", "name": "John Doe", "password": password,
	}))
	client.Say(t, "everything wrong", post(users+"/register", map[string]string{"email": "john", "password": "short"}))
	client.Say(t, "a password without a digit", post(users+"/register", map[string]string{
		"email": "jane@example.com", "name": "Jane", "password": "SecurePass",
	}))
	client.Say(t, "no JSON", post(users+"/register", "{"))
	signedIn := client.Say(t, "sign in", login("john@example.com", password))
	client.Say(t, "a wrong password", login("john@example.com", "wrong"))
	client.Say(t, "nobody", login("nobody@example.com", "wrong"))
	john := person{
		id: registered.Field(t, "data.user.id"), access: signedIn.Field(t, "data.access_token"), refresh: signedIn.Field(t, "data.refresh_token"),
	}
	client.Say(t, "me", john.as("GET", users+"/me"))
	client.Say(t, "no token", webtest.Call{Method: "GET", Path: users + "/me"})
	client.Say(t, "a broken token", webtest.Call{Method: "GET", Path: users + "/me", Token: "eyJhbGci..."})
	renewed := client.Say(t, "refresh", post(auth+"/refresh", map[string]string{"refresh_token": john.refresh}))
	client.Say(t, "refresh with nothing", post(auth+"/refresh", "{}"))
	client.Say(t, "refresh with an access token", post(auth+"/refresh", map[string]string{"refresh_token": john.access}))
	john.access = renewed.Field(t, "data.access_token")
	client.Say(t, "revoke", john.as("POST", auth+"/revoke", map[string]string{"token": john.access}))
	client.Say(t, "me, after that", john.as("GET", users+"/me"))
	client.Say(t, "refresh, after that", post(auth+"/refresh", map[string]string{"refresh_token": renewed.Field(t, "data.refresh_token")}))
	client.Say(t, "the other session lives", webtest.Call{Method: "GET", Path: users + "/me", Token: registered.Field(t, "data.access_token")})
	client.Golden(t, "identity")
}

func TestTheExchangesOfUsers(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	admin, john, jane := appoint(t, stack, promenade.Admin, "admin"), join(t, client, "john"), join(t, client, "jane")
	stranger := "01KAGV00000000000000000000"
	client.Say(t, "list", admin.as("GET", users+"?page=1&page_size=20"))
	client.Say(t, "second page", admin.as("GET", users+"?page=2&page_size=2"))
	client.Say(t, "list as a user", john.as("GET", users))
	client.Say(t, "no such status", admin.as("GET", users+"?status=gone&is_email_verified=1&page_size=101"))
	client.Say(t, "by id", john.as("GET", users+"/"+john.id))
	client.Say(t, "by e-mail", john.as("GET", users+"/email/john%40example.com"))
	client.Say(t, "an administrator asks", admin.as("GET", users+"/"+john.id))
	client.Say(t, "an administrator asks for an address", admin.as("GET", users+"/email/john@example.com"))
	client.Say(t, "somebody else", john.as("GET", users+"/"+jane.id))
	client.Say(t, "somebody else's address", john.as("GET", users+"/email/jane@example.com"))
	client.Say(t, "nobody", admin.as("GET", users+"/"+stranger))
	client.Say(t, "no address", admin.as("GET", users+"/email/john"))
	client.Say(t, "change me", john.as("PUT", users+"/me", map[string]string{"name": "Johnny"}))
	client.Say(t, "an address that is taken", john.as("PUT", users+"/me", map[string]string{"email": "jane@example.com"}))
	client.Say(t, "roles are nothing that can be changed", john.as("PUT", users+"/me", `{"role":"admin","status":"banned"}`))
	client.Say(t, "verify the address", john.as("POST", users+"/"+john.id+"/verify-email"))
	client.Say(t, "those who are verified", admin.as("GET", users+"?is_email_verified=true&status=active"))
	client.Say(t, "verify somebody else's", john.as("POST", users+"/"+jane.id+"/verify-email"))
	passwords := map[string]string{"old_password": password, "new_password": "SecurePass456"}
	client.Say(t, "change the password", john.as("PUT", users+"/me/password", passwords))
	client.Say(t, "and again, without the right one", john.as("PUT", users+"/me/password", passwords))
	back := map[string]string{"old_password": "SecurePass456", "new_password": password}
	client.Say(t, "change it by id", john.as("POST", users+"/"+john.id+"/change-password", back))
	client.Say(t, "change somebody else's", john.as("POST", users+"/"+jane.id+"/change-password", back))
	client.Say(t, "an address of his own", john.as("PUT", users+"/me", map[string]string{"email": "johnny@example.com"}))
	client.Golden(t, "users")
}

func TestTheExchangesOfPuttingOut(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	admin, john := appoint(t, stack, promenade.Admin, "admin"), join(t, client, "john")
	do := func(title string, by person, act string) {
		client.Say(t, title, by.as("POST", users+"/"+john.id+"/"+act))
	}
	do("suspend as a user", john, "suspend")
	do("suspend", admin, "suspend")
	client.Say(t, "ask, after that", john.as("GET", users+"/me"))
	client.Say(t, "sign in, after that", login(john.email, password))
	client.Say(t, "sign in with a wrong password", login(john.email, "wrong"))
	do("ban", admin, "ban")
	do("suspend who is banned", admin, "suspend")
	client.Say(t, "sign in, after that", login(john.email, password))
	client.Say(t, "those who are banned", admin.as("GET", users+"?status=banned"))
	do("activate", admin, "activate")
	client.Say(t, "sign in, after that", login(john.email, password))
	do("unlock", admin, "unlock")
	client.Say(t, "oneself", admin.as("POST", users+"/"+admin.id+"/suspend"))
	client.Say(t, "nobody", admin.as("POST", users+"/01KAGV00000000000000000000/ban"))
	client.Golden(t, "status")
}

// Five wrong passwords lock for half an hour, whoever has the address; each is a fact, and so is that it is locked.
func TestTheExchangesOfALockout(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	admin, john := appoint(t, stack, promenade.Admin, "admin"), join(t, client, "john")
	for n := range 4 {
		client.Do(t, login(john.email, fmt.Sprint("wrong", n)))
	}
	client.Say(t, "the fifth wrong password", login(john.email, "wrong"))
	client.Say(t, "the right one", login(john.email, password))
	client.Say(t, "who is signed in stays so", john.as("GET", users+"/me"))
	client.Say(t, "unlock", admin.as("POST", users+"/"+john.id+"/unlock"))
	client.Say(t, "the right one", login(john.email, password))
	client.Golden(t, "lockout")

	want := "failed failed failed failed failed locked unlocked"
	if got := strings.Join(factsOf(t, stack, "identity.sign_in."), " "); got != want {
		t.Errorf("the history says %s, and not %s", got, want)
	}
}

// factsOf are the last words of types that begin so, in the order of the history.
func factsOf(t *testing.T, stack *webtest.Stack, prefix string) (all []string) {
	t.Helper()
	events, err := stack.Store.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if word, is := strings.CutPrefix(e.Type, prefix); is {
			all = append(all, word)
		}
	}
	return all
}

// A crowd of guesses gets no further than five, and the right password among those that come later is not tried.
func TestACrowdOfGuessesIsLockedOut(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	john := join(t, client, "john")
	var crowd sync.WaitGroup
	for n := range 20 {
		crowd.Go(func() { client.Do(t, login(john.email, fmt.Sprint("wrong", n))) })
	}
	crowd.Wait()
	if a := client.Do(t, login(john.email, password)); a.Status != 401 || a.Field(t, "error.message") != "Account is locked after too many failed sign-ins; try again in 30 minutes" {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if got := strings.Join(factsOf(t, stack, "identity.sign_in."), " "); got != "failed failed failed failed failed locked" {
		t.Errorf("the history says %s", got)
	}
}

// An expired token, a revoked one and one that is none are told apart.
func TestTokensAreRefusedInThreeWays(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	john := join(t, client, "john")
	caller, err := stack.Identity.Authenticate(t.Context(), "promenade", john.access)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(kind commands.TokenKind, c identity.Caller, at time.Time) string {
		token, _, err := stack.Identity.Tokens.Sign(kind, c, at)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	ended := caller
	ended.Session.ID = id.Named("a session that is over")
	for name, c := range map[string]struct{ token, code string }{
		"good":              {sign(commands.AccessToken, caller, time.Now()), ""},
		"expired":           {sign(commands.AccessToken, caller, time.Now().Add(-time.Hour)), "TOKEN_EXPIRED"},
		"of an ended one":   {sign(commands.AccessToken, ended, time.Now()), "TOKEN_REVOKED"},
		"for refreshing":    {john.refresh, "UNAUTHORIZED"},
		"changed":           {john.access[:len(john.access)-2] + "xx", "UNAUTHORIZED"},
		"no token":          {"", "UNAUTHORIZED"},
		"nothing of a kind": {"x.y.z", "UNAUTHORIZED"},
	} {
		a := client.Do(t, webtest.Call{Method: "GET", Path: users + "/me", Token: c.token})
		if c.code == "" && a.Status != 200 || c.code != "" && (a.Status != 401 || a.Field(t, "error.code") != c.code) {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	}
}

// A refresh token is good once; whoever has a spent one ends the session for both.
func TestARefreshTokenIsSpentOnce(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	spend := func(token string) webtest.Answer {
		return client.Do(t, post(auth+"/refresh", map[string]string{"refresh_token": token}))
	}
	next := spend(john.refresh).Field(t, "data.refresh_token")
	for _, token := range []string{john.refresh, next} {
		if a := spend(token); a.Status != 401 || a.Field(t, "error.code") != "TOKEN_REVOKED" {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	}
}

// A refresh token is revoked as well as an access token, and nobody revokes another's.
func TestRevoking(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	john, jane := join(t, client, "john"), join(t, client, "jane")
	revoke := func(by person, token string) webtest.Answer {
		return client.Do(t, by.as("POST", auth+"/revoke", map[string]string{"token": token}))
	}
	for _, token := range []string{jane.access, jane.refresh, "x"} {
		if a := revoke(john, token); a.Status != 400 || a.Field(t, "error.code") != "VALIDATION_ERROR" {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	}
	second := client.Do(t, login(john.email, password))
	other := person{access: second.Field(t, "data.access_token"), refresh: second.Field(t, "data.refresh_token")}
	if a := revoke(john, other.refresh); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a := client.Do(t, other.as("GET", users+"/me")); a.Status != 401 || a.Field(t, "error.code") != "TOKEN_REVOKED" {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a := revoke(john, other.access); a.Status != 200 {
		t.Errorf("what is revoked already: %d %s", a.Status, a.Text)
	}
	third := client.Do(t, login(john.email, password))
	caller, err := stack.Identity.Authenticate(t.Context(), "promenade", third.Field(t, "data.access_token"))
	if err != nil {
		t.Fatal(err)
	}
	expired, _, err := stack.Identity.Tokens.Sign(commands.AccessToken, caller, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if a := revoke(jane, expired); a.Status != 400 {
		t.Errorf("another's expired token: %d %s", a.Status, a.Text)
	}
	if a := revoke(john, expired); a.Status != 200 {
		t.Errorf("an expired token: %d %s", a.Status, a.Text)
	}
	if a := client.Do(t, webtest.Call{Method: "GET", Path: users + "/me", Token: third.Field(t, "data.access_token")}); a.Status != 401 {
		t.Errorf("the session of the expired token: %d %s", a.Status, a.Text)
	}
	if a := client.Do(t, john.as("GET", users+"/me")); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
}

// The document's limits: the headers count down, and a refusal says for how long.
func TestTheDocumentsRateLimits(t *testing.T) {
	t.Parallel()
	stack, _, surface := start(t)
	stack.Limits = web.DocumentedLimits([]web.Surface{surface})
	stack.Now = func() time.Time { return time.Unix(1735475955, 0) } // The document's window ends in 45 seconds.
	client := stack.Client(t, surface)
	told := func(a webtest.Answer) string {
		h := a.Header
		return fmt.Sprint(a.Status, " ", h.Get("X-RateLimit-Limit"), " ", h.Get("X-RateLimit-Remaining"), " ", h.Get("X-RateLimit-Reset"))
	}
	for n, want := range []string{"201 3 2 1735476000", "201 3 1 1735476000", "201 3 0 1735476000", "429 3 0 1735476000"} {
		a := client.Do(t, post(users+"/register", map[string]string{
			"email": fmt.Sprintf("user%d@example.com", n), "name": "User", "password": password,
		}))
		if told(a) != want {
			t.Errorf("%s, not %s: %s", told(a), want, a.Text)
		}
	}
	for n := range 5 {
		if got, want := told(client.Do(t, login("user0@example.com", password))), fmt.Sprintf("200 5 %d 1735476000", 4-n); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	client.Say(t, "the sixth time within a minute", login("user0@example.com", password))
	client.Golden(t, "limits")
}

// Tokens are said once: whoever registers again under the same key hears of the user alone.
func TestRegisteringOnceUnderAKey(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	call := post(users+"/register", map[string]string{"email": "john@example.com", "name": "John", "password": password})
	call.Header = map[string]string{"Idempotency-Key": "k"}
	first, second := client.Do(t, call), client.Do(t, call)
	if first.Status != 201 || second.Status != 201 || first.Field(t, "data.user.id") != second.Field(t, "data.user.id") {
		t.Errorf("%d %s, %d %s", first.Status, first.Text, second.Status, second.Text)
	}
	if strings.Contains(second.Text, "token") {
		t.Error(second.Text)
	}
}

// Under the hardened profile customers are for staff alone, whatever the role of whoever registers holds; and what it does
// not give counts for nobody.
func TestCustomersForStaffOnly(t *testing.T) {
	t.Parallel()
	realm := promenade.Realm()
	realm.StaffOnly = promenade.StaffOnly
	stack, client, _ := startAs(t, realm)
	boss, john, jane := appoint(t, stack, promenade.SuperAdmin, "boss"), join(t, client, "john"), join(t, client, "jane")
	customers := func(by person) int { return client.Do(t, by.as("GET", "/api/v1/customer-mgmt/customers")).Status }
	if got := []int{customers(john), customers(appoint(t, stack, promenade.Manager, "manager")), customers(boss)}; !slices.Equal(got, []int{403, 200, 200}) {
		t.Errorf("a user, a manager and a superadmin are answered %v", got)
	}
	helpdesk := newRole(t, client, boss, "helpdesk", "users:suspend")
	client.Do(t, boss.as("POST", users+"/"+john.id+"/roles", map[string]string{"role_id": helpdesk}))
	if a := client.Do(t, john.as("POST", users+"/"+jane.id+"/suspend")); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
}

// newRole makes a role that holds permissions.
func newRole(t *testing.T, client *webtest.Client, by person, name string, permissions ...string) string {
	t.Helper()
	role := client.Do(t, by.as("POST", "/api/v1/identity/roles", map[string]string{"name": name, "display_name": name})).Field(t, "data.id")
	var ids []string
	for _, p := range permissions {
		ids = append(ids, client.Do(t, by.as("GET", "/api/v1/identity/permissions/name/"+p)).Field(t, "data.id"))
	}
	if a := client.Do(t, by.as("POST", "/api/v1/identity/roles/"+role+"/permissions", map[string][]string{"permission_ids": ids})); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	return role
}

// A permission to put users out does not reach those who may do more.
func TestNobodyPutsOutWhoMayDoMore(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	boss, admin := appoint(t, stack, promenade.SuperAdmin, "boss"), appoint(t, stack, promenade.Admin, "admin")
	appoint(t, stack, promenade.SuperAdmin, "second")
	helper := join(t, client, "helper")
	role := newRole(t, client, boss, "helpdesk", "users:suspend", "users:activate")
	client.Do(t, boss.as("POST", users+"/"+helper.id+"/roles", map[string]string{"role_id": role}))
	for _, c := range []struct {
		by, who person
		act     string
		status  int
	}{
		{helper, join(t, client, "jane"), "suspend", 200},
		{helper, admin, "suspend", 403},
		{helper, boss, "suspend", 403},
		{admin, boss, "ban", 403},
		{boss, admin, "ban", 200},
		{helper, admin, "activate", 403},
		{boss, admin, "activate", 200},
	} {
		if a := client.Do(t, c.by.as("POST", users+"/"+c.who.id+"/"+c.act)); a.Status != c.status {
			t.Errorf("%s %s: %d %s", c.act, c.who.email, a.Status, a.Text)
		}
	}
}

// One of those who run the realm stays, whoever puts the others out at once.
func TestTheLastSuperadminStays(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	all := []person{appoint(t, stack, promenade.SuperAdmin, "one"), appoint(t, stack, promenade.SuperAdmin, "two")}
	var both sync.WaitGroup
	for n := range all {
		both.Go(func() { client.Do(t, all[n].as("POST", users+"/"+all[1-n].id+"/suspend")) })
	}
	both.Wait()
	alive := 0
	for _, p := range all {
		if a := client.Do(t, p.as("GET", users+"/me")); a.Status == 200 {
			alive++
		}
	}
	if alive != 1 {
		t.Errorf("%d run the realm", alive)
	}
}

// What is asked about an address takes as long whether anybody has it or not.
func TestAnAddressIsNotTriedOut(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	stack.Connect(t)
	john, jane := join(t, client, "john"), join(t, client, "jane")
	ask := func(email string) webtest.Answer {
		var a webtest.Answer
		for range 2 {
			a = client.Do(t, john.as("GET", users+"/email/"+email))
		}
		return a
	}
	taken, free := ask(jane.email), ask("nobody@example.com")
	if taken.Status != 404 || taken.Text != free.Text || taken.RoundTrips != free.RoundTrips {
		t.Errorf("%d %s after %d round trips, and %d %s after %d", taken.Status, taken.Text, taken.RoundTrips, free.Status, free.Text, free.RoundTrips)
	}
}

// Who has no good token any more gets another one, and what is public, whatever the client sends along.
func TestAnExpiredTokenIsInNobodysWay(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	for _, call := range []webtest.Call{
		post(auth+"/refresh", map[string]string{"refresh_token": john.refresh}), login(john.email, password),
		post(users+"/register", map[string]string{"email": "jane@example.com", "name": "Jane", "password": password}),
		{Method: "GET", Path: "/api/v1/shared/countries/UA"},
		{Method: "GET", Path: "/api/v1"},
	} {
		call.Token = "eyJhbGciOiJub25lIn0.e30."
		if a := client.Do(t, call); a.Status >= 300 {
			t.Errorf("%s: %d %s", call.Path, a.Status, a.Text)
		}
	}
}

// Of many passwords that are tried at once, none is told from the right one once the address is locked.
func TestNoGuessIsToldFromTheRightPassword(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	var crowd sync.WaitGroup
	var mu sync.Mutex
	said := map[string]int{}
	for n := range 30 {
		crowd.Go(func() {
			a := client.Do(t, login(john.email, fmt.Sprint("wrong", n)))
			mu.Lock()
			defer mu.Unlock()
			said[a.Field(t, "error.message")]++
		})
	}
	crowd.Wait()
	if said["Invalid e-mail or password"] != 5 || len(said) != 2 {
		t.Errorf("said was %v", said)
	}
}

// Who is signed in does not guess the current password, at whatever address; nobody else keeps him from changing it.
func TestAPasswordIsNotGuessedByChangingIt(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	john := join(t, client, "john")
	change := func(old string) webtest.Answer {
		return client.Do(t, john.as("PUT", users+"/me/password", map[string]string{"old_password": old, "new_password": password}))
	}
	for range 5 {
		client.Do(t, login(john.email, "wrong"))
	}
	if a := change(password); a.Status != 200 {
		t.Errorf("others have tried to sign in: %d %s", a.Status, a.Text)
	}
	for range 4 {
		change("wrong")
	}
	if a := change(password); a.Status != 200 {
		t.Errorf("the right one after four: %d %s", a.Status, a.Text)
	}
	for range 5 {
		if a := change("wrong"); a.Status != 400 {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	}
	client.Do(t, john.as("PUT", users+"/me", map[string]string{"email": "johnny@example.com"}))
	if a := change(password); a.Status != 401 || !strings.HasPrefix(a.Field(t, "error.message"), "Account is locked") {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	admin := appoint(t, stack, promenade.Admin, "admin")
	client.Do(t, admin.as("POST", users+"/"+john.id+"/unlock"))
	if a := change(password); a.Status != 200 {
		t.Errorf("when it is unlocked: %d %s", a.Status, a.Text)
	}
}

// Of many that are tried at once, the right one is not taken once five were wrong.
func TestACrowdOfCurrentPasswordsIsLockedOut(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	var crowd sync.WaitGroup
	for n := range 20 {
		crowd.Go(func() {
			client.Do(t, john.as("PUT", users+"/me/password", map[string]string{"old_password": fmt.Sprint("wrong", n), "new_password": "SecurePass456"}))
		})
	}
	crowd.Wait()
	if a := client.Do(t, john.as("PUT", users+"/me/password", map[string]string{"old_password": password, "new_password": "SecurePass456"})); a.Status != 401 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
}

// Nobody locks an address in advance: who registers with it begins anew.
func TestWhoRegistersIsNotLockedOut(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	for range 5 {
		client.Do(t, login("john@example.com", "wrong"))
	}
	john := join(t, client, "john")
	if a := client.Do(t, login(john.email, password)); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
}

// What a role is called tells people whom to trust: it is for those to say who hold what it gives.
func TestNobodyRenamesWhatIsBeyondHim(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	boss, helper := appoint(t, stack, promenade.SuperAdmin, "boss"), join(t, client, "helper")
	role := newRole(t, client, boss, "roles", "roles:read", "roles:update", "permissions:read", "permissions:update")
	client.Do(t, boss.as("POST", users+"/"+helper.id+"/roles", map[string]string{"role_id": role}))
	find := func(path string) string {
		return client.Do(t, boss.as("GET", "/api/v1/identity"+path)).Field(t, "data.id")
	}
	for path, status := range map[string]int{
		"/roles/" + find("/roles/name/superadmin"): 403, "/roles/" + find("/roles/name/user"): 200, "/roles/" + role: 200,
		"/permissions/" + find("/permissions/name/users:ban"): 403, "/permissions/" + find("/permissions/name/roles:read"): 200,
	} {
		if a := client.Do(t, helper.as("PUT", "/api/v1/identity"+path, map[string]string{"description": "Ours"})); a.Status != status {
			t.Errorf("%s: %d %s", path, a.Status, a.Text)
		}
	}
}

// A parameter of which only one could count is given once.
func TestParametersAreGivenOnce(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	john := join(t, client, "john")
	for path, status := range map[string]int{
		"?page=1&page=2": 400, "?status=lead&status=churned": 400, "?tags=a&tags=b": 200, "?tags=a,,b,": 200, "?tags=важливий": 200, "?tags=a%20b": 400,
	} {
		if a := client.Do(t, john.as("GET", "/api/v1/customer-mgmt/customers"+path)); a.Status != status {
			t.Errorf("%s: %d %s", path, a.Status, a.Text)
		}
	}
}
