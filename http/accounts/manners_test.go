package accounts_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore/postgres"
	"gesta/http/accounts"
	"gesta/http/web"
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
	first := client.Say(t, "register under a key", under("first", post("/users", example)))
	client.Say(t, "the same again", under("first", post("/users", example)))
	client.Say(t, "something else under the same key", under("first", post("/users", with(map[string]string{"phone": "+1"}))))
	client.Say(t, "the same without a key", post("/users", example))
	client.Say(t, "the same under another key", under("second", post("/users", example)))
	client.Say(t, "that refusal again, which was not kept", under("second", post("/users", with(map[string]string{"email": "second@example.com"}))))
	client.Say(t, "no key", under("é", post("/users", example)))
	token, _ := signIn(t, client, "user@example.com")
	me := webtest.Call{Method: "PUT", Path: "/users/" + first.Field(t, "id"), Token: token, Body: map[string]string{"email": "new@example.com", "phone": "+1"}}
	client.Say(t, "the user changes", me)
	client.Say(t, "whoever knows the request hears of that no more", under("first", post("/users", example)))
	out := webtest.Call{Method: "POST", Path: "/auth/logout", Token: token}
	client.Say(t, "sign out under a key", under("out", out))
	client.Say(t, "the same again", under("out", out))
	client.Say(t, "under another key", under("again", out))
	login := post("/auth/login", map[string]string{"email": "new@example.com", "password": "password123"})
	client.Say(t, "a sign-in knows no keys", under("first", login))
	if a := client.Do(t, given("If-Match", "*", login)); a.Status != 412 {
		t.Errorf("a condition that can't be judged: %d %s", a.Status, a.Text)
	}
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
	client.Say(t, "a weak one will do for that", given("If-None-Match", "W/"+changed.Header.Get("ETag"), put))
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

// key is said once.
type key struct {
	ID     string `json:"id"`
	Secret string `json:"secret,omitempty"`
}

// Rows that are not of accounts: about the caller, about a thing under another name, and one that says a secret.
func elsewhere(i *commands.Identity, realm identity.Realm) web.Surface {
	change := func(r *web.Request, in struct{ Phone value.Phone }) (commands.Change, error) {
		return commands.Change{Realm: realm, By: r.Caller, User: r.Caller.User, Phone: &in.Phone}, nil
	}
	phone := func(u identity.User) map[string]string { return map[string]string{"phone": string(u.Phone)} }
	make := func(ctx context.Context, c commands.Change) (key, error) {
		u, err := i.Change(ctx, c)
		return key{u.ID.String(), "a secret"}, err
	}
	again := func(_ context.Context, c commands.Change, _ commands.Made) (key, error) {
		return key{ID: c.User.String()}, nil
	}
	prices := web.Reads(func(*web.Request) (map[string]int, error) { return map[string]int{"tea": 3}, nil })
	same := func(_ context.Context, p map[string]int) (map[string]int, error) { return p, nil }
	s := accounts.New(accounts.App{Identity: i}, realm)
	s.Prefixes, s.Exchanges, s.Routes = []string{"/elsewhere"}, nil, []web.Route{
		web.Put("/elsewhere/me", web.SignedIn, web.Handle(web.Takes(change), i.Change, phone)).OfCaller("identity.user"),
		web.Put("/elsewhere/users/:user_id", web.SignedIn, web.Handle(web.Takes(change), i.Change, phone)).OfParam("identity.user", "user_id"),
		web.Put("/elsewhere/any", web.SignedIn, web.Handle(web.Takes(change), i.Change, phone)),
		web.Get("/elsewhere/prices", web.Anyone, web.Handle(prices, same, func(p map[string]int) map[string]int { return p })).Cacheable(time.Hour),
		web.Post("/elsewhere/keys", web.SignedIn, web.Make(web.Takes(change), make, again, func(k key) key { return k })).SaysSecrets(),
	}
	return s
}

// Whatever a path calls a thing, a change is held against its tag; a row that can't do that refuses. What is said once is
// left out of a repetition.
func TestMannersAreColumns(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	other := stack.Client(t, surface, elsewhere(stack.Identity, accounts.Realm(identity.SignUpFirst)))
	id, token, _ := register(t, client, "user@example.com", "CU", "")
	for n, path := range []string{"/elsewhere/me", "/elsewhere/users/" + id} {
		put := func(tag string) webtest.Answer {
			return other.Do(t, given("If-Match", tag, webtest.Call{Method: "PUT", Path: path, Token: token, Body: map[string]string{"phone": path}}))
		}
		now := client.Do(t, webtest.Call{Method: "GET", Path: "/users/" + id, Token: token}).Header.Get("ETag")
		if a := put(now); a.Status != 200 || a.Header.Get("ETag") == "" || a.Header.Get("ETag") == now {
			t.Errorf("%d: %d %v %s", n, a.Status, a.Header, a.Text)
		}
		if a := put(now); a.Status != 412 {
			t.Errorf("%d: %d %s", n, a.Status, a.Text)
		}
	}
	if a := other.Do(t, given("If-Match", "*", webtest.Call{Method: "PUT", Path: "/elsewhere/any", Token: token, Body: "{}"})); a.Status != 412 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	price := webtest.Call{Method: "GET", Path: "/elsewhere/prices", Header: map[string]string{"X-Request-Id": "mine"}}
	kept := other.Do(t, price)
	if kept.Status != 200 || kept.Header.Get("Cache-Control") != "public, max-age=3600" || other.Do(t, given("If-None-Match", kept.Header.Get("ETag"), price)).Status != 304 {
		t.Errorf("%d %v", kept.Status, kept.Header)
	}
	if a := other.Do(t, given("If-Match", `"x"`, price)); a.Status != 412 {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	for _, secret := range []bool{true, false} {
		call := under("k", post("/elsewhere/keys", map[string]string{"phone": "1"}))
		call.Token = token
		if a := other.Do(t, call); a.Status != 201 || strings.Contains(a.Text, "secret") != secret {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	}
}
