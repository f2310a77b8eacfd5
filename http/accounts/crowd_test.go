package accounts_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore/wait"
	"gesta/http/web/webtest"
)

// guest is a customer whose session ends at some time.
type guest struct {
	person
	ending, ended atomic.Bool
}

// Many ask at once, and some of them are put out meanwhile: who is out is told nothing and changes nothing
// from then on, and everybody else gets what is his own.
func TestACrowdOfWhichSomeAreSentAway(t *testing.T) {
	t.Parallel()
	stack, client, _ := start(t)
	_, owner, _ := register(t, client, "owner@example.com", "BO", "")
	guests := make([]*guest, 40)
	for n := range guests {
		g := &guest{}
		g.email = fmt.Sprintf("guest%d@example.com", n)
		g.id, g.access, g.refresh = register(t, client, g.email, "CU", "")
		guests[n] = g
	}
	foreign := foreignToken(t, stack)
	var asked atomic.Int64
	var done atomic.Bool
	var crowd sync.WaitGroup
	for worker := range 100 {
		crowd.Go(func() {
			for n := worker; !done.Load(); n++ {
				guests[n*7%len(guests)].ask(t, client, n, foreign)
				asked.Add(1)
			}
		})
	}
	enough := func(n int64) {
		until := asked.Load() + n
		wait.Until(t, "the crowd asks", func() bool { return asked.Load() >= until })
	}
	for n, g := range guests[:len(guests)/2] {
		enough(100)
		g.ending.Store(true)
		g.leave(t, client, n, owner)
		g.ended.Store(true)
	}
	enough(500)
	done.Store(true)
	crowd.Wait()
}

func (g *guest) leave(t *testing.T, client *webtest.Client, n int, owner string) {
	call := []webtest.Call{
		{Method: "POST", Path: "/auth/logout", Token: g.access},
		{Method: "DELETE", Path: "/users/" + g.id, Token: owner},
		{Method: "PUT", Path: "/users/" + g.id, Token: owner, Body: `{"is_active":false}`},
	}[n%3]
	if a := client.Do(t, call); a.Status/100 != 2 {
		t.Errorf("%s %s: %d %s", call.Method, call.Path, a.Status, a.Text)
	}
}

func (g *guest) ask(t *testing.T, client *webtest.Client, n int, foreign string) {
	call := []webtest.Call{
		{Method: "GET", Path: "/users/" + g.id, Token: g.access},
		{Method: "GET", Path: "/users/by-email?email=" + g.email, Token: g.access},
		{Method: "PUT", Path: "/users/" + g.id, Token: g.access, Body: fmt.Sprintf(`{"phone":"+%d"}`, n)},
		{Method: "GET", Path: "/users/" + g.id, Token: foreign},
	}[n%4]
	ended := g.ended.Load()
	a := client.Do(t, call)
	switch {
	case ended || n%4 == 3:
		if a.Status != 401 {
			t.Errorf("%s %s after the end: %d %s", call.Method, call.Path, a.Status, a.Text)
		}
	case a.Status == 200:
		if a.Field(t, "id") != g.id || a.Field(t, "email") != g.email {
			t.Errorf("%s %s as %s: %s", call.Method, call.Path, g.id, a.Text)
		}
	case a.Status != 401 || !g.ending.Load():
		t.Errorf("%s %s: %d %s", call.Method, call.Path, a.Status, a.Text)
	}
}

// foreignToken is a good one, of another realm.
func foreignToken(t *testing.T, stack *webtest.Stack) string {
	t.Helper()
	u := identity.UserID{ID: id.New(time.Now())}
	token, _, err := stack.Identity.Tokens.Sign(commands.AccessToken,
		identity.Caller{Realm: "elsewhere", User: u, Session: identity.SessionID{ID: id.New(time.Now())}, Role: "CU"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}
