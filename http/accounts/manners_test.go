package accounts_test

import (
	"sync"
	"testing"

	"gesta/commands"
	"gesta/eventstore/postgres"
	"gesta/http/accounts"
	"gesta/http/web/webtest"
	"gesta/projections"
)

// under puts a request under a key.
func under(key string, c webtest.Call) webtest.Call {
	c.Header = map[string]string{"Idempotency-Key": key}
	return c
}

func given(name, value string, c webtest.Call) webtest.Call {
	c.Header = map[string]string{name: value}
	return c
}

func TestTheExchangesOfRepeating(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	client.Say(t, "register under a key", under("first", post("/users", example)))
	client.Say(t, "the same again", under("first", post("/users", example)))
	client.Say(t, "something else under the same key", under("first", post("/users", with(map[string]string{"phone": "+1"}))))
	client.Say(t, "the same without a key", post("/users", example))
	client.Say(t, "the same under another key", under("second", post("/users", example)))
	client.Say(t, "that refusal again, which was not kept", under("second", post("/users", with(map[string]string{"email": "second@example.com"}))))
	client.Say(t, "no key", under("é", post("/users", example)))
	token, _ := signIn(t, client, "user@example.com")
	out := webtest.Call{Method: "POST", Path: "/auth/logout", Token: token}
	client.Say(t, "sign out under a key", under("out", out))
	client.Say(t, "the same again", under("out", out))
	client.Say(t, "under another key", under("again", out))
	login := post("/auth/login", map[string]string{"email": "user@example.com", "password": "password123"})
	client.Say(t, "a sign-in knows no keys", under("first", login))
	client.Golden(t, "repeats")
}

func TestTheExchangesOfConditions(t *testing.T) {
	t.Parallel()
	_, client, _ := start(t)
	registered := client.Say(t, "register", post("/users", example))
	path := "/users/" + registered.Field(t, "id")
	token, _ := signIn(t, client, "user@example.com")
	get := webtest.Call{Method: "GET", Path: path, Token: token}
	put := webtest.Call{Method: "PUT", Path: path, Token: token, Body: map[string]string{"phone": "+1"}}
	first := registered.Header.Get("ETag")
	client.Say(t, "signing in makes no new revision", given("If-None-Match", `"x", W/`+first, get))
	client.Say(t, "nor is another one there", given("If-Match", `"x"`, get))
	changed := client.Say(t, "change what is there", given("If-Match", first, put))
	client.Say(t, "change what was there", given("If-Match", first, put))
	client.Say(t, "change what there is, whatever it is", given("If-Match", `*`, put))
	client.Say(t, "change it unless it is what it is", given("If-None-Match", changed.Header.Get("ETag"), put))
	client.Say(t, "it has changed", given("If-None-Match", first, get))
	client.Say(t, "it has not", given("If-None-Match", changed.Header.Get("ETag"), get))
	client.Say(t, "found by its address it is the same", webtest.Call{
		Method: "GET", Path: "/users/by-email?email=user@example.com", Token: token, Header: map[string]string{"If-None-Match": changed.Header.Get("ETag")},
	})
	_, owner, _ := register(t, client, "owner@example.com", "BO", "")
	client.Say(t, "delete what was there", given("If-Match", first, webtest.Call{Method: "DELETE", Path: path, Token: owner}))
	client.Say(t, "delete what is there", given("If-Match", changed.Header.Get("ETag"), webtest.Call{Method: "DELETE", Path: path, Token: owner}))
	client.Golden(t, "conditions")
}

// Many clients register at once through two replicas, each request several times: it happens once, and all hear
// of the same user.
func TestRepeatsAtOnceThroughReplicas(t *testing.T) {
	t.Parallel()
	stack, one, _ := start(t)
	clients := []*webtest.Client{one, replica(t, stack)}
	for n := range 10 {
		var all sync.WaitGroup
		answers := make([]webtest.Answer, 8)
		call := under("k", post("/users", with(map[string]string{"email": string(rune('a'+n)) + "@example.com"})))
		call.Header["Idempotency-Key"] = string(rune('a' + n))
		for i := range answers {
			all.Go(func() { answers[i] = clients[i%2].Do(t, call) })
		}
		all.Wait()
		made := 0
		for _, a := range answers {
			if a.Status != 201 || a.Text != answers[0].Text {
				t.Errorf("%d %s, and %s", a.Status, a.Text, answers[0].Text)
			}
			if a.Header.Get("Idempotency-Replayed") == "" {
				made++
			}
		}
		if made != 1 {
			t.Errorf("%d say that they made it", made)
		}
	}
}

// replica serves the surface by another process' executor over the same store.
func replica(t *testing.T, stack *webtest.Stack) *webtest.Client {
	was := stack.Identity
	own := *was
	own.Executor = commands.NewExecutor(was.Executor.Store, was.Executor.Vault.Over(was.Executor.Store), was.Executor.Claims)
	own.Executor.Settle = was.Executor.Settle
	other := *stack
	other.Identity = &own
	realm := accounts.Realm("bootstrap")
	return other.Client(t, accounts.New(accounts.App{
		Identity: &own, Users: projections.Users{DB: &postgres.Lookups{Pool: stack.Reads}, Realm: realm.Name},
	}, realm))
}
