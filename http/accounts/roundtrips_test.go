package accounts_test

import (
	"fmt"
	"slices"
	"testing"

	"gesta/http/web/webtest"
)

// cast are those who ask: an owner who is not the only one, and a customer with two sessions.
type cast struct {
	owner, customer person
}

type person struct{ id, email, access, refresh string }

// visit is a request and how often it asks Postgres, the check of its session included, beside its append.
type visit struct {
	row, title string
	call       func(cast) webtest.Call
	status     int
	cold, warm int64 // round trips when no stream's state is known here, and when all are
}

var visits = []visit{
	{"POST /users", "in public", func(c cast) webtest.Call {
		return post("/users", with(map[string]string{"email": "new" + c.customer.email}))
	}, 201, 1, 1},
	{"POST /users", "an address that is taken", func(c cast) webtest.Call {
		return post("/users", with(map[string]string{"email": c.customer.email}))
	}, 409, 1, 1},
	{"POST /users", "an owner, in public", func(c cast) webtest.Call {
		return post("/users", with(map[string]string{"email": "new" + c.customer.email, "role": "BO"}))
	}, 403, 1, 1},
	{"POST /users", "an owner, by another", func(c cast) webtest.Call {
		call := post("/users", with(map[string]string{"email": "new" + c.customer.email, "role": "BO"}))
		call.Token = c.owner.access
		return call
	}, 201, 2, 1},
	{"POST /users", "under a key", func(c cast) webtest.Call {
		return under(c.customer.email, post("/users", with(map[string]string{"email": "new" + c.customer.email})))
	}, 201, 2, 2},
	{"GET /users", "", func(c cast) webtest.Call { return get("/users", c.owner) }, 200, 1, 1},
	{"GET /users", "as a customer", func(c cast) webtest.Call { return get("/users", c.customer) }, 403, 1, 1},
	{"GET /users/by-email", "", func(c cast) webtest.Call {
		return get("/users/by-email?email="+c.customer.email, c.customer)
	}, 200, 1, 1},
	{"GET /users/by-email", "without an address", func(c cast) webtest.Call { return get("/users/by-email", c.customer) }, 400, 1, 1},
	{"GET /users/:id", "", func(c cast) webtest.Call { return get("/users/"+c.customer.id, c.customer) }, 200, 1, 1},
	{"GET /users/:id", "somebody else", func(c cast) webtest.Call { return get("/users/"+c.owner.id, c.customer) }, 404, 1, 1},
	{"GET /users/:id", "without a token", func(c cast) webtest.Call { return get("/users/"+c.owner.id, person{}) }, 401, 0, 0},
	{"PUT /users/:id", "phone", func(c cast) webtest.Call {
		return put(c.customer, c.customer, map[string]string{"phone": "+1"})
	}, 200, 1, 1},
	{"PUT /users/:id", "address", func(c cast) webtest.Call {
		return put(c.customer, c.customer, map[string]string{"email": "new" + c.customer.email})
	}, 200, 1, 1},
	{"PUT /users/:id", "nothing", func(c cast) webtest.Call { return put(c.customer, c.customer, "{}") }, 200, 1, 1},
	{"PUT /users/:id", "no JSON", func(c cast) webtest.Call { return put(c.customer, c.customer, "{") }, 400, 1, 1},
	{"PUT /users/:id", "password", func(c cast) webtest.Call {
		return put(c.customer, c.customer, map[string]string{"password": "password456", "current_password": "password123"})
	}, 200, 2, 2},
	{"PUT /users/:id", "password, without the right one", func(c cast) webtest.Call {
		return put(c.customer, c.customer, map[string]string{"password": "password456", "current_password": "wrong"})
	}, 400, 1, 1},
	{"PUT /users/:id", "in again", func(c cast) webtest.Call { return put(c.customer, c.owner, `{"is_active":true}`) }, 200, 1, 1},
	{"PUT /users/:id", "a customer out", func(c cast) webtest.Call { return put(c.customer, c.owner, `{"is_active":false}`) }, 200, 2, 2},
	{"DELETE /users/:id", "a customer", func(c cast) webtest.Call {
		return webtest.Call{Method: "DELETE", Path: "/users/" + c.customer.id, Token: c.owner.access}
	}, 204, 2, 2},
	{"DELETE /users/:id", "an owner", func(c cast) webtest.Call {
		return webtest.Call{Method: "DELETE", Path: "/users/" + c.owner.id, Token: c.owner.access}
	}, 204, 2, 2},
	{"POST /auth/login", "", func(c cast) webtest.Call {
		return post("/auth/login", map[string]string{"email": c.customer.email, "password": "password123"})
	}, 200, 2, 2},
	{"POST /auth/login", "with a wrong password", func(c cast) webtest.Call {
		return post("/auth/login", map[string]string{"email": c.customer.email, "password": "wrong"})
	}, 401, 2, 2},
	{"POST /auth/login", "nobody", func(c cast) webtest.Call {
		return post("/auth/login", map[string]string{"email": "nobody" + c.customer.email, "password": "wrong"})
	}, 401, 2, 2},
	{"POST /auth/refresh", "", func(c cast) webtest.Call {
		return post("/auth/refresh", map[string]string{"refresh_token": c.customer.refresh})
	}, 200, 2, 0},
	{"POST /auth/refresh", "with no token", func(cast) webtest.Call {
		return post("/auth/refresh", map[string]string{"refresh_token": "x"})
	}, 401, 0, 0},
	{"POST /auth/logout", "", func(c cast) webtest.Call {
		return webtest.Call{Method: "POST", Path: "/auth/logout", Token: c.customer.access}
	}, 204, 1, 1},
}

func get(path string, by person) webtest.Call {
	return webtest.Call{Method: "GET", Path: path, Token: by.access}
}

func put(who, by person, body any) webtest.Call {
	return webtest.Call{Method: "PUT", Path: "/users/" + who.id, Token: by.access, Body: body}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	stack.Connect(t)
	_, first, _ := register(t, client, "first@example.com", "BO", "")
	for n, v := range visits {
		for _, cold := range []bool{false, true} {
			call := v.call(newCast(t, client, fmt.Sprintf("%d-%t", n, cold), first))
			trips := v.warm
			if cold {
				stack.Forget()
				trips = v.cold
			}
			if a := client.Do(t, call); a.Status != v.status || a.RoundTrips != trips {
				t.Errorf("%s %s (cold: %t): %d after %d round trips: %s", v.row, v.title, cold, a.Status, a.RoundTrips, a.Text)
			}
		}
	}
	for _, r := range surface.Routes {
		if !slices.ContainsFunc(visits, func(v visit) bool { return v.row == r.Method+" "+r.Path }) {
			t.Errorf("nobody counts the round trips of %s %s", r.Method, r.Path)
		}
	}
}

func newCast(t *testing.T, client *webtest.Client, name, token string) (c cast) {
	c.owner.email, c.customer.email = "owner"+name+"@example.com", "customer"+name+"@example.com"
	c.owner.id, c.owner.access, c.owner.refresh = register(t, client, c.owner.email, "BO", token)
	c.customer.id, c.customer.access, c.customer.refresh = register(t, client, c.customer.email, "CU", "")
	signIn(t, client, c.customer.email)
	return c
}

// Who was signed out hears of nothing else, whatever is wrong with the request, and leaves nothing behind.
func TestNothingIsAnsweredToWhoWasSignedOut(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	stack.Connect(t)
	_, first, _ := register(t, client, "first@example.com", "BO", "")
	for n, v := range visits {
		c := newCast(t, client, fmt.Sprint(n), first)
		for _, who := range []person{c.owner, c.customer} {
			client.Do(t, webtest.Call{Method: "POST", Path: "/auth/logout", Token: who.access})
		}
		call := v.call(c)
		if call.Token == "" {
			call.Token = c.customer.access // Proof that is sent must be good, on public rows too.
		}
		call.Header = map[string]string{"X-Min-Position": "1000000"} // Nor may he keep anybody waiting.
		before := head(t, stack)
		if a := client.Do(t, call); a.Status != 401 || a.Text != `{"error":"invalid or expired token"}`+"\n" || a.RoundTrips > 1 {
			t.Errorf("%s %s: %d %s after %d round trips", v.row, v.title, a.Status, a.Text, a.RoundTrips)
		}
		if after := head(t, stack); after != before {
			t.Errorf("%s %s: %d events more", v.row, v.title, after-before)
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

// What is wrong with a question says nothing about the proof that goes with it.
func TestProofIsAskedForWhereTheQuestionFails(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	id, ended, _ := register(t, client, "user@example.com", "CU", "")
	lives, _ := signIn(t, client, "user@example.com")
	client.Do(t, webtest.Call{Method: "POST", Path: "/auth/logout", Token: ended})
	stack.StopProjector()
	if _, err := stack.Reads.Exec(t.Context(), "drop table users"); err != nil {
		t.Fatal(err)
	}
	for token, status := range map[string]int{lives: 503, ended: 401} {
		for range 3 { // Statements are known to the connection, and then not any more.
			if a := client.Do(t, webtest.Call{Method: "GET", Path: "/users/" + id, Token: token}); a.Status != status {
				t.Errorf("%d, not %d: %s", a.Status, status, a.Text)
			}
		}
	}
}
