package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gesta/eventstore/envelope"
	"gesta/eventstore/wait"
)

// replicas are two of everything that leads and three of what serves, each a process of its own.
type replicas struct {
	installation
	t       *testing.T
	apis    []client
	leaders map[string]*process // by role; the second of each stands by
	standby map[string]client
}

func startReplicas(t *testing.T) *replicas {
	t.Helper()
	r := &replicas{installation: install(t), t: t, leaders: map[string]*process{}, standby: map[string]client{}}
	r.env = append(slices.Clone(r.env), "ACCOUNTS_FAILED_SIGN_INS=1/1s")
	for range 3 {
		_, c := r.serve(t, "api")
		r.apis = append(r.apis, c)
	}
	for _, role := range []string{"relay", "projector", "policies"} {
		leader, first := r.serve(t, role)
		r.written("first-" + role + "@example.com")
		r.moves(first, role)
		r.leaders[role] = leader
		_, r.standby[role] = r.serve(t, role)
	}
	return r
}

// moves waits until the only process of a role is where the history ends: it leads.
func (r *replicas) moves(c client, role string) {
	r.t.Helper()
	wait.Until(r.t, role+" leads", func() bool {
		detail := c.detail()
		return at(detail[role]) == detail["head"]
	})
}

// written registers a user somewhere.
func (r *replicas) written(email string) answer {
	r.t.Helper()
	return r.apis[0].expect(201, "POST", "/users", "", registration(email))
}

// visit is one client's walk over all replicas: whatever one of them answers, the next one shows.
func (r *replicas) visit(n int) error {
	email := fmt.Sprintf("visitor%d@example.com", n)
	one, two, three := r.apis[n%3], r.apis[(n+1)%3], r.apis[(n+2)%3]
	user := one.do("POST", "/users", "", registration(email))
	login := two.do("POST", "/auth/login", "", credentials(email))
	path, token := "/users/"+user.field("id"), login.field("access_token")
	changed := three.do("PUT", path, token, map[string]string{"phone": strconv.Itoa(n)})
	plain := one.do("GET", path, token, nil)
	later := two.request("GET", path, token, nil)
	later.Header.Set("X-Min-Position", changed.header.Get("X-Event-Position"))
	waited := two.send(later)
	refused := three.do("POST", "/auth/login", "", map[string]string{"email": email, "password": "guess"})
	out := one.do("POST", "/auth/logout", token, nil)
	gone := two.do("GET", path, token, nil)
	for step, is := range []struct {
		a    answer
		want int
	}{{user, 201}, {login, 200}, {changed, 200}, {plain, 200}, {waited, 200}, {refused, 401}, {out, 204}, {gone, 401}} {
		if is.a.status != is.want || is.a.header.Get("X-Read-Model") != "" {
			return fmt.Errorf("visitor %d, step %d: %d %v %s", n, step, is.a.status, is.a.header, is.a.text)
		}
	}
	if plain.field("phone") != strconv.Itoa(n) || waited.text != plain.text {
		return fmt.Errorf("visitor %d sees %s, then %s", n, plain.text, waited.text)
	}
	return nil
}

// Visitors come in crowds, each one after the other.
const (
	crowds   = 6
	visitors = 25 // of each crowd
)

// visits has visitors come while something else happens, and waits for both.
func (r *replicas) visits(meanwhile func()) {
	r.t.Helper()
	var all sync.WaitGroup
	for crowd := range crowds {
		all.Go(func() {
			for n := range visitors {
				if err := r.visit(n*crowds + crowd); err != nil {
					r.t.Error(err)
				}
			}
		})
	}
	meanwhile()
	all.Wait()
}

// Two relays, projectors and policies, and three replicas of the API: nothing is doubled, reordered or
// overlooked, and when one that leads is killed the other goes on.
func TestTwoOfEverything(t *testing.T) {
	t.Parallel()
	r := startReplicas(t)
	r.visits(func() {
		for role := range r.leaders {
			r.takeOver(role)
		}
	})
	r.checkHistory()
	r.checkReactions()
}

// takeOver kills the leader, writes something, and waits until the other one has dealt with it.
func (r *replicas) takeOver(role string) {
	r.t.Helper()
	began := time.Now()
	r.leaders[role].kill()
	written := r.written("after-" + role + "@example.com").header.Get("X-Event-Position")
	position, err := strconv.ParseFloat(written, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	wait.Until(r.t, "the other "+role+" takes over", func() bool { return at(r.standby[role].role(role)) >= position })
	took := time.Since(began).Round(time.Millisecond)
	if r.t.Logf("the other %s took over after %s", role, took); took > 2*time.Second {
		r.t.Errorf("that is too long")
	}
}

// checkHistory compares the store, the stream and the read models.
func (r *replicas) checkHistory() {
	r.t.Helper()
	var head uint64
	all := r.exported(r.t, "*")
	versions, users := map[string]int{}, 0
	for n, e := range all {
		versions[e.Subject]++
		if e.Position != strconv.Itoa(n+1) || e.Version != strconv.Itoa(versions[e.Subject]) {
			r.t.Fatalf("event %d of the history is %+v", n+1, e)
		}
		if e.Type == "identity.user.registered" {
			users++
		}
	}
	wait.Until(r.t, "the stream is level", func() bool {
		s, err := r.stream(r.t).Stream(context.Background(), envelope.Stream)
		if err != nil {
			r.t.Fatal(err)
		}
		head = s.CachedInfo().State.LastSeq
		return head >= uint64(len(all))
	})
	for n, m := range r.messages(r.t, uint64(len(all))) {
		if !strings.Contains(m, `"id":"`+all[n].ID+`"`) || !strings.Contains(m, `"position":"`+all[n].Position+`"`) {
			r.t.Errorf("message %d is %s", n+1, m)
		}
	}
	wait.Until(r.t, "the read models are level", func() bool { return len(r.rows(r.t)) == users })
}

// checkReactions finds one suspicion for each failure, and one end of each.
func (r *replicas) checkReactions() {
	r.t.Helper()
	count := func(fact string) int { return len(r.exported(r.t, "identity.sign_in."+fact)) }
	const failures = crowds * visitors
	wait.Until(r.t, "all suspicions end", func() bool { return count("suspicion_ended") >= failures })
	reacted(r.t, r.standby["policies"])
	for _, fact := range []string{"failed", "suspected", "suspicion_ended"} {
		if n := count(fact); n != failures {
			r.t.Errorf("%d failures, %d times %s", failures, n, fact)
		}
	}
}
