package accounts_test

import (
	"strings"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/eventstore/postgres"
	"gesta/eventstore/postgres/pgtest"
	"gesta/http/accounts"
	"gesta/http/openapi"
	"gesta/http/openapi/openapitest"
	"gesta/http/web"
	"gesta/http/web/webtest"
	"gesta/projections"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// start serves the surface on a stack of its own.
func start(t testing.TB) (*webtest.Stack, *webtest.Client, web.Surface) {
	t.Helper()
	realm := accounts.Realm(identity.SignUpFirst)
	realm.FailedSignIns = identity.FailureRule{Failures: 5, Within: time.Minute}
	stack := webtest.Start(t, realm.Name, "elsewhere")
	surface := accounts.New(accounts.App{
		Identity: stack.Identity, Users: projections.Users{DB: &postgres.Lookups{Pool: stack.Reads}, Realm: realm.Name},
	}, realm)
	return stack, stack.Client(t, surface), surface
}

// The document's own example.
var example = map[string]string{
	"email": "user@example.com", "password": "password123", "phone": "+5511999999999", "role": "CU",
}

func with(changes map[string]string) map[string]string {
	m := map[string]string{}
	for k, v := range example {
		m[k] = v
	}
	for k, v := range changes {
		m[k] = v
	}
	return m
}

func post(path string, body any) webtest.Call {
	return webtest.Call{Method: "POST", Path: path, Body: body}
}

// register makes a user and signs in.
func register(t testing.TB, c *webtest.Client, email, role, token string) (id, access, refresh string) {
	t.Helper()
	call := post("/users", with(map[string]string{"email": email, "role": role}))
	call.Token = token
	a := c.Do(t, call)
	if a.Status != 201 {
		t.Fatalf("register %s: %d %s", email, a.Status, a.Text)
	}
	access, refresh = signIn(t, c, email)
	return a.Field(t, "id"), access, refresh
}

func signIn(t testing.TB, c *webtest.Client, email string) (access, refresh string) {
	t.Helper()
	a := c.Do(t, post("/auth/login", map[string]string{"email": email, "password": "password123"}))
	if a.Status != 200 {
		t.Fatalf("sign in %s: %d %s", email, a.Status, a.Text)
	}
	return a.Field(t, "access_token"), a.Field(t, "refresh_token")
}

func TestWalk(t *testing.T) {
	t.Parallel()
	_, client, surface := start(t)
	_, owner, _ := register(t, client, "owner@example.com", "BO", "")
	id, customer, _ := register(t, client, "customer@example.com", "CU", "")
	webtest.Walk{
		Client: client, Surface: surface, Token: owner, Powerless: customer, Known: map[string]string{"identity.user": id},
		IsRefusal: func(text string) bool { return webtest.IsObject(text, "error") },
	}.Run(t)
}

func TestTheExchangesOfTheDocument(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	registered := client.Say(t, "register", post("/users", example))
	user := "/users/" + registered.Field(t, "id")
	login := client.Say(t, "sign in", post("/auth/login", map[string]string{"email": "user@example.com", "password": "password123"}))
	token := login.Field(t, "access_token")
	client.Say(t, "refresh", post("/auth/refresh", map[string]string{"refresh_token": login.Field(t, "refresh_token")}))
	client.Say(t, "by id", webtest.Call{Method: "GET", Path: user, Token: token})
	client.Say(t, "by e-mail", webtest.Call{Method: "GET", Path: "/users/by-email?email=user@example.com", Token: token})
	client.Say(t, "with a slash at the end", webtest.Call{Method: "GET", Path: user + "/", Token: token})
	client.Say(t, "no token", webtest.Call{Method: "GET", Path: user})
	client.Say(t, "somebody else", webtest.Call{Method: "GET", Path: "/users/01890a5d-ac96-774b-bcce-b302099a8057", Token: token})
	client.Say(t, "no address", webtest.Call{Method: "GET", Path: "/users/by-email", Token: token})
	client.Say(t, "somebody else's address", webtest.Call{Method: "GET", Path: "/users/by-email?email=other@example.com", Token: token})
	client.Golden(t, "document")
}

func TestTheExchangesOfRegistering(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	client.Say(t, "the first owner", post("/users", with(map[string]string{"email": "owner@example.com", "role": "BO"})))
	client.Say(t, "a second owner", post("/users", with(map[string]string{"email": "second@example.com", "role": "BO"})))
	token, _ := signIn(t, client, "owner@example.com")
	byOwner := post("/users", with(map[string]string{"email": "second@example.com", "role": "BO"}))
	byOwner.Token = token
	client.Say(t, "a second owner, by the first", byOwner)
	client.Say(t, "an address that is taken, in another spelling", post("/users", with(map[string]string{"email": " Owner@Example.com "})))
	client.Say(t, "everything wrong", post("/users", map[string]string{"email": "x", "password": "short", "role": "XX"}))
	client.Say(t, "a long password", post("/users", with(map[string]string{"password": string(make73())})))
	client.Say(t, "no JSON", post("/users", "{"))
	client.Say(t, "a number for an address", post("/users", `{"email":7}`))
	client.Say(t, "a password that is too long to be anybody's", post("/auth/login", map[string]string{"email": "owner@example.com", "password": string(make73())}))
	client.Say(t, "a form", webtest.Call{Method: "POST", Path: "/users", Type: "application/x-www-form-urlencoded", Body: "email=x"})
	client.Golden(t, "register")
}

func make73() []byte {
	b := make([]byte, 73)
	for i := range b {
		b[i] = 'x'
	}
	return b
}

func TestTheExchangesOfSessions(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	id, access, refresh := register(t, client, "user@example.com", "CU", "")
	client.Say(t, "a wrong password", post("/auth/login", map[string]string{"email": "user@example.com", "password": "wrong"}))
	client.Say(t, "nobody", post("/auth/login", map[string]string{"email": "nobody@example.com", "password": "wrong"}))
	client.Say(t, "no password", post("/auth/login", map[string]string{"email": "user@example.com"}))
	again := client.Say(t, "refresh", post("/auth/refresh", map[string]string{"refresh_token": refresh}))
	client.Say(t, "refresh with an access token", post("/auth/refresh", map[string]string{"refresh_token": access}))
	client.Say(t, "ask with a refresh token", webtest.Call{Method: "GET", Path: "/users/" + id, Token: again.Field(t, "refresh_token")})
	client.Say(t, "refresh with the spent token", post("/auth/refresh", map[string]string{"refresh_token": refresh}))
	client.Say(t, "refresh with the good one, after that", post("/auth/refresh", map[string]string{"refresh_token": again.Field(t, "refresh_token")}))
	client.Say(t, "ask, after that", webtest.Call{Method: "GET", Path: "/users/" + id, Token: again.Field(t, "access_token")})
	access, _ = signIn(t, client, "user@example.com")
	client.Say(t, "sign out", webtest.Call{Method: "POST", Path: "/auth/logout", Token: access})
	client.Say(t, "sign out again", webtest.Call{Method: "POST", Path: "/auth/logout", Token: access})
	client.Golden(t, "sessions")
}

func TestTheExchangesOfUsers(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	ownerID, owner, _ := register(t, client, "owner@example.com", "BO", "")
	userID, user, _ := register(t, client, "user@example.com", "CU", "")
	put := func(id, token string, body any) webtest.Call {
		return webtest.Call{Method: "PUT", Path: "/users/" + id, Token: token, Body: body}
	}
	client.Say(t, "list", webtest.Call{Method: "GET", Path: "/users", Token: owner})
	client.Say(t, "second page", webtest.Call{Method: "GET", Path: "/users?page=2&page_size=1", Token: owner})
	client.Say(t, "those of one role", webtest.Call{Method: "GET", Path: "/users?role=CU", Token: owner})
	client.Say(t, "those of one role who may not sign in", webtest.Call{Method: "GET", Path: "/users?role=CU&is_active=false", Token: owner})
	client.Say(t, "no role", webtest.Call{Method: "GET", Path: "/users?role=XX&is_active=1", Token: owner})
	client.Say(t, "no page", webtest.Call{Method: "GET", Path: "/users?page=0&page_size=101", Token: owner})
	client.Say(t, "list as a customer", webtest.Call{Method: "GET", Path: "/users", Token: user})
	client.Say(t, "change phone and address", put(userID, user, map[string]string{"phone": "+1", "email": "new@example.com"}))
	client.Say(t, "change nothing", put(userID, user, "{}"))
	client.Say(t, "role is nothing that can be changed", put(userID, user, map[string]string{"role": "BO"}))
	client.Say(t, "an address that is taken", put(userID, user, map[string]string{"email": "owner@example.com"}))
	client.Say(t, "change somebody else", put(ownerID, user, map[string]string{"phone": "+1"}))
	client.Say(t, "change the password without the current one", put(userID, user, map[string]string{"password": "password456"}))
	client.Say(t, "change the password", put(userID, user, map[string]string{"password": "password123", "current_password": "password123"}))
	client.Say(t, "put oneself out", put(userID, user, `{"is_active":false}`))
	client.Say(t, "an owner puts himself out", put(ownerID, owner, `{"is_active":false}`))
	client.Say(t, "an owner puts a customer out", put(userID, owner, `{"is_active":false}`))
	client.Say(t, "ask, after that", webtest.Call{Method: "GET", Path: "/users/" + userID, Token: user})
	client.Say(t, "sign in, after that", post("/auth/login", map[string]string{"email": "new@example.com", "password": "password123"}))
	client.Say(t, "and lets him in again", put(userID, owner, `{"is_active":true}`))
	client.Say(t, "delete the last owner", webtest.Call{Method: "DELETE", Path: "/users/" + ownerID, Token: owner})
	client.Say(t, "delete", webtest.Call{Method: "DELETE", Path: "/users/" + userID, Token: owner})
	client.Say(t, "the address stays taken", post("/users", with(map[string]string{"email": "new@example.com"})))
	client.Golden(t, "users")
}

// Who asks for problems gets each refusal as one, with all that is wrong.
func TestTheExchangesOfProblems(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	_, owner, _ := register(t, client, "owner@example.com", "BO", "")
	say := func(title string, call webtest.Call) {
		call.Header = map[string]string{"Accept": "application/json, application/problem+json"}
		client.Say(t, title, call)
	}
	say("what is no refusal is as ever", webtest.Call{Method: "GET", Path: "/users", Token: owner})
	say("no JSON", post("/users", "{"))
	say("everything wrong", post("/users", map[string]string{"email": "x", "password": "short", "role": "XX"}))
	say("a number for an address", post("/users", `{"email":1234567.5}`))
	say("other things for texts", post("/users", `{"email":1,"password":"x","phone":[],"role":{}}`))
	say("an address that is taken", post("/users", with(map[string]string{"email": "owner@example.com"})))
	say("a form", webtest.Call{Method: "POST", Path: "/users", Type: "application/x-www-form-urlencoded", Body: "email=x"})
	say("no token", webtest.Call{Method: "GET", Path: "/users"})
	say("no such page", webtest.Call{Method: "GET", Path: "/users?page=0&page_size=101", Token: owner})
	say("no address", webtest.Call{Method: "GET", Path: "/users/by-email?email=x", Token: owner})
	say("nobody", webtest.Call{Method: "GET", Path: "/users/01890a5d-ac96-774b-bcce-b302099a8057", Token: owner})
	say("no such path", webtest.Call{Method: "GET", Path: "/users/1/2"})
	say("no such method", webtest.Call{Method: "PATCH", Path: "/users"})
	client.Golden(t, "problem")
}

// The tests would notice a document that does not say what is said.
func TestAWrongDocumentIsNoticed(t *testing.T) {
	t.Parallel()
	_, client, surface := start(t)
	right, err := openapi.Document("", "", surface)
	if err != nil {
		t.Fatal(err)
	}
	call := post("/users", example)
	a := client.Do(t, call)
	for _, wrong := range []string{`"is_active"`, `"201"`, `"application/json"`, `"X-Request-Id"`} {
		document, err := openapitest.New([]byte(strings.ReplaceAll(string(right), wrong, `"other"`)))
		if err != nil {
			t.Fatal(err)
		}
		if err := document.Check(webtest.Said(t, call, a)); err == nil {
			t.Errorf("a document without %s is as good", wrong)
		}
	}
}

// Whoever registers while readers stand still gets the documented answer, from the folded state.
func TestAnswersWhileReadersStandStill(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	stack.StopProjector()
	stack.Fence.Bound = 0
	a := client.Do(t, post("/users", example))
	if a.Status != 201 || a.Header.Get("X-Read-Model") != "pending" || a.Header.Get("X-Event-Position") != "1" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Text)
	}
	if a.Field(t, "email") != "user@example.com" {
		t.Error(a.Text)
	}
}

func TestATokenOfAnotherRealmIsNothingHere(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	id, here, _ := register(t, client, "user@example.com", "CU", "")
	caller, err := stack.Identity.Authenticate(t.Context(), "accounts", here)
	if err != nil {
		t.Fatal(err)
	}
	for realm, status := range map[string]int{"accounts": 200, "elsewhere": 401} {
		caller.Realm = realm // All else is the same: the user, and a session that lives.
		token, _, err := stack.Identity.Tokens.Sign(commands.AccessToken, caller, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		a := client.Do(t, webtest.Call{Method: "GET", Path: "/users/" + id, Token: token})
		if a.Status != status {
			t.Errorf("%s: %d %s", realm, a.Status, a.Text)
		}
	}
}
