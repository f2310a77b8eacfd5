package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gesta/eventstore/wait"
)

// caused is an event of a request's tree, as the auditor sees it.
type caused struct {
	ID, Position, Stream, Type, Actor, Causation string
	Data                                         map[string]any
	Caused                                       []caused
}

// flat are all events of a tree, each ahead of those that it has caused.
func flat(roots []caused) (all []caused) {
	for _, one := range roots {
		all = append(append(all, one), flat(one.Caused)...)
	}
	return all
}

func typesOf(all []caused) (types []string) {
	for _, one := range all {
		types = append(types, one.Type)
	}
	return types
}

// inspector makes somebody of the realm audit by the command line, and signs in.
func (i installation) inspector(t *testing.T, c client, role string) (token string) {
	t.Helper()
	const password = "a long password 1"
	email := role + "@inspectors.example"
	if out, err := gesta(t, i.env, password+"\n", "admin", "create", "--realm", "audit", "--role", role, "--email", email, "--password-stdin"); err != nil {
		t.Fatal(out, err)
	}
	return c.expect(201, "POST", "/audit/v1/sessions", "", map[string]string{"email": email, "password": password}).field("access_token")
}

// tree waits until a request's events are indexed, and reads them. What policies add to it comes later.
func (c client) tree(token string, request answer, events int) []caused {
	c.t.Helper()
	id := request.header.Get("X-Request-Id")
	var tree struct{ Roots []caused }
	wait.Until(c.t, "the request is indexed", func() bool {
		a := c.do("GET", "/audit/v1/requests/"+id, token, nil)
		tree.Roots = nil
		return a.status == 200 && json.Unmarshal([]byte(a.text), &tree) == nil && len(flat(tree.Roots)) >= events
	})
	return tree.Roots
}

// A customer's life, as its user lives it and as the auditor reads it back: each request with all that it led to, who
// did it, what it changed, and the proof, which holds where there is no Gesta.
func TestAnAuditorReadsALifeBack(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api")
	_, _ = i.serve(t, "relay,projector,policies,audit")
	registered := api.expect(201, "POST", promenadeUsers+"/register", "", map[string]string{
		"email": "ann@example.com", "name": "Ann", "password": "Pass123!",
	})
	token, user := registered.inside("data.access_token"), registered.inside("data.user.id")
	created := api.expect(201, "POST", promenadeCustomers, token, map[string]any{"name": "John Doe", "email": "john@example.com"})
	customer := created.inside("data.id")
	stream := "crm.customer/" + customer
	auditor, officer := i.inspector(t, api, "auditor"), i.inspector(t, api, "officer")

	if tree := api.tree(auditor, registered, 3); !slices.Contains(typesOf(flat(tree)), "identity.user.registered") {
		t.Errorf("%+v", tree)
	}
	var steps []answer
	for _, step := range []struct {
		act, fact string
		body      any
	}{
		{"qualify", "crm.customer.qualified", nil},
		{"convert", "crm.customer.converted", nil},
		{"churn", "crm.customer.churned", map[string]string{"reason": "Price too high"}},
	} {
		did := api.expect(200, "POST", promenadeCustomers+"/"+customer+"/"+step.act, token, step.body)
		all := flat(api.tree(auditor, did, 1))
		if len(all) != 1 || all[0].Type != step.fact || all[0].Stream != stream || all[0].Actor != "user/"+user {
			t.Errorf("%s: %+v", step.act, all)
		}
		steps = append(steps, did)
	}
	api.readsTimelines(auditor, officer, user, stream)
	churned := steps[2].header.Get("X-Event-Position")
	for position, status := range map[string]int{churned: 200, "1000000": 400} {
		r := api.request("GET", "/audit/v1/events?limit=1&order=desc&type=crm.customer.*", auditor, nil)
		r.Header.Set("X-Min-Position", position)
		if a := api.send(r); a.status != status {
			t.Errorf("X-Min-Position %s: %d %s", position, a.status, a.text)
		}
	}
	i.provesOffline(t, api, auditor, churned)
}

// readsTimelines reads the same life by its stream and by its actor, at any moment of it.
func (c client) readsTimelines(auditor, officer, user, stream string) {
	c.t.Helper()
	type page struct{ Events []caused }
	read := func(path, token string) (p page, text string) {
		a := c.expect(200, "GET", "/audit/v1"+path, token, nil)
		if err := json.Unmarshal([]byte(a.text), &p); err != nil {
			c.t.Fatal(err)
		}
		return p, a.text
	}
	life, masked := read("/streams/"+stream, auditor)
	if got := typesOf(life.Events); !slices.Equal(got, []string{"crm.customer.created", "crm.customer.qualified", "crm.customer.converted", "crm.customer.churned"}) {
		c.t.Errorf("%v", got)
	}
	if strings.Contains(masked, "John") || strings.Contains(masked, "Price") || !strings.Contains(masked, "[personal]") {
		c.t.Errorf("an auditor sees what is personal: %s", masked)
	}
	if _, clear := read("/streams/"+stream, officer); !strings.Contains(clear, "John Doe") || !strings.Contains(clear, "Price too high") {
		c.t.Errorf("an officer does not: %s", clear)
	}
	done, _ := read("/actors/promenade/"+user, auditor)
	if got := typesOf(done.Events); !slices.Contains(got, "crm.customer.churned") || !slices.Contains(got, "identity.user.registered") {
		c.t.Errorf("%v", got)
	}
	found, _ := read("/events?type=crm.customer.*&stream="+stream+"&order=desc&limit=1", auditor)
	if got := typesOf(found.Events); !slices.Equal(got, []string{"crm.customer.churned"}) {
		c.t.Errorf("%v", got)
	}
	for n, status := range map[int]string{0: "lead", 1: "prospect", 2: "customer", 3: "churned"} {
		then := c.expect(200, "GET", "/audit/v1/streams/"+stream+"/state?at="+life.Events[n].Position, auditor, nil)
		if then.inside("state.status") != status {
			c.t.Errorf("at %s: %s", life.Events[n].Position, then.text)
		}
	}
	diff := c.expect(200, "GET", "/audit/v1/streams/"+stream+"/diff?from="+life.Events[1].Position, auditor, nil)
	if !strings.Contains(diff.text, `"/status"`) || !strings.Contains(diff.text, `"churned"`) || strings.Contains(diff.text, "Price") {
		c.t.Errorf("%s", diff.text)
	}
	wait.Until(c.t, "what was read is recorded", func() bool {
		recorded, _ := read("/events?type=audit.history.read&limit=1000", auditor)
		var parts []any
		for _, e := range recorded.Events {
			parts = append(parts, e.Data["part"])
		}
		return !slices.ContainsFunc([]any{"request", "stream", "actor", "events", "state", "diff"}, func(part any) bool { return !slices.Contains(parts, part) })
	})
}

// provesOffline exports the life, and verifies it where there is neither a database nor a server.
func (i installation) provesOffline(t *testing.T, api client, auditor, position string) {
	t.Helper()
	var proof answer
	wait.Until(t, "the last event is signed", func() bool {
		proof = api.do("GET", "/audit/v1/proof/inclusion?position="+position, auditor, nil)
		return proof.status == http.StatusOK
	})
	dir := t.TempDir()
	bundle, key := filepath.Join(dir, "life.bundle"), filepath.Join(dir, "gesta.key")
	mustGesta(t, i.env, "audit", "export", "--from", "1", "--to", position, "--out", bundle)
	text := mustGesta(t, i.env, "audit", "key")
	if served := api.expect(200, "GET", "/audit/v1/key", auditor, nil).text; served != text {
		t.Errorf("%q is served, %q printed", served, text)
	}
	if err := os.WriteFile(key, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := []string{"GESTA_DATA=" + filepath.Join(dir, "nothing"), "NATS_URL=nats://127.0.0.1:1"}
	says(t, nowhere, "0 findings", "audit", "verify", "--bundle", bundle, "--key", "@"+key)
	whole, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	forged := strings.Replace(string(whole), "crm.customer.churned", "crm.customer.charmed", 1)
	if err := os.WriteFile(bundle, []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := gesta(t, nowhere, "", "audit", "verify", "--bundle", bundle, "--key", "@"+key); err == nil || !strings.Contains(out, "WRONG") {
		t.Errorf("a forged bundle is taken: %s", out)
	}
}
