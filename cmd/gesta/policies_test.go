package main

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

// published is what stories look at of a published event.
type published struct {
	ID, Type, Subject, Actor, Correlation, Causation string
	Position, Version                                string
	Data                                             map[string]any
}

func publishedOf(t *testing.T, text string) (p published) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

// exported are the events of some types, as `events export` prints them.
func (i installation) exported(t *testing.T, types string) (all []published) {
	t.Helper()
	for line := range strings.Lines(mustGesta(t, i.env, "events", "export", "--type", types)) {
		all = append(all, publishedOf(t, line))
	}
	return all
}

// reacted waits until the policies are where the history ends.
func reacted(t *testing.T, c client) {
	t.Helper()
	wait.Until(t, "the policies are level", func() bool {
		return c.role("policies")["lag"] == float64(0)
	})
}

func guess(t *testing.T, c client, email string) answer {
	t.Helper()
	return c.expect(401, "POST", "/auth/login", "", map[string]string{"email": email, "password": "guess"})
}

func (i installation) subscribe(t *testing.T, subject string) *nats.Subscription {
	t.Helper()
	sub, err := i.nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return sub
}

// Five wrong passwords within a minute are a fact of their own, once; four are not.
func TestGuessingPasswordsIsSuspected(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api,relay,projector,policies")
	user := api.expect(201, "POST", "/users", "", registration("ann@example.com"))
	suspicions := i.subscribe(t, "gesta.events.accounts.identity.sign_in.suspected")
	for range 4 {
		guess(t, api, "ann@example.com")
	}
	reacted(t, api)
	if got := i.exported(t, "identity.sign_in.suspected"); len(got) != 0 {
		t.Errorf("four failures are suspected: %+v", got)
	}
	for range 5 {
		guess(t, api, "ann@example.com")
	}
	heard := publishedOf(t, next(t, suspicions))
	reacted(t, api)
	failed, suspected := i.exported(t, "identity.sign_in.failed"), i.exported(t, "identity.sign_in.suspected")
	if len(failed) != 5 || len(suspected) != 1 {
		t.Fatalf("%d failures and %d suspicions", len(failed), len(suspected))
	}
	if diff := cmp.Diff(heard, suspected[0]); diff != "" {
		t.Errorf("heard and exported:\n%s", diff)
	}
	if s, last := suspected[0], failed[4]; s.Causation != last.ID || s.Correlation != last.Correlation ||
		s.Subject != last.Subject || s.Actor != "policy/suspect_sign_in" {
		t.Errorf("%+v follows %+v", s, last)
	}
	if failed[0].Data["user_id"] == "" || failed[0].Actor != "" || strings.Contains(mustGesta(t, i.env, "events", "export", "--type", "identity.sign_in.*"), "@") {
		t.Errorf("%+v of %s", failed[0], user.text)
	}
	checkFailing(t, i, api)
}

// checkFailing finds a reaction that fails by name, where an operator would look.
func checkFailing(t *testing.T, i installation, c client) {
	t.Helper()
	i.exec(t, `insert into gesta.timers (policy, event_id, position, due_at) select 'unheard_of', event_id, position, now() from gesta.events where position = 1`)
	wait.Until(t, "readyz names what fails", func() bool {
		return strings.Contains(c.expect(200, "GET", "/readyz", "", nil).text, `"policy":"unheard_of","position":1`)
	})
	metrics := c.expect(200, "GET", "/metrics", "", nil).text
	for _, line := range []string{"gesta_policies_failing 1", "gesta_policies_lag 0", `gesta_policies_reactions_total{outcome="done",policy="suspect_sign_in"} 5`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no metric says %s", line)
		}
	}
}

// A refused sign-in answers the same whether the address is known or not, however many try at once.
func TestARefusedSignInTellsNothing(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api,projector,policies")
	_, other := i.serve(t, "api")
	api.expect(201, "POST", "/users", "", registration("ann@example.com"))
	same := func(a answer) string {
		for _, own := range []string{"Date", "X-Request-Id"} {
			a.header.Del(own)
		}
		header, err := json.Marshal(a.header)
		if err != nil {
			t.Fatal(err)
		}
		return string(header) + a.text
	}
	for range 7 {
		known, unknown := same(guess(t, api, "ann@example.com")), same(guess(t, api, "bob@example.com"))
		if known != unknown || strings.Contains(known, "Position") {
			t.Errorf("%s\n%s", known, unknown)
		}
	}
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() {
			wrong := map[string]string{"email": "carl@example.com", "password": "guess"}
			if a := []client{api, other}[n%2].do("POST", "/auth/login", "", wrong); a.status != 401 {
				t.Errorf("%d %s", a.status, a.text)
			}
		})
	}
	all.Wait()
	if failed := i.exported(t, "identity.sign_in.failed"); len(failed) != 15 {
		t.Errorf("%d failures are recorded of three addresses", len(failed))
	}
}

// A time that comes while no policies run is kept by whoever runs them next; whatever is derived can be
// built anew, or lost, without anybody reacting again.
func TestASuspicionEndsInItsTime(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env = append(slices.Clone(i.env), "ACCOUNTS_FAILED_SIGN_INS=2/2s")
	_, api := i.serve(t, "api,relay,projector")
	worker, health := i.serve(t, "policies")
	var suspected []published
	for len(suspected) == 0 {
		guess(t, api, "ann@example.com")
		guess(t, api, "ann@example.com")
		reacted(t, health)
		suspected = i.exported(t, "identity.sign_in.suspected")
	}
	worker.kill()
	until, _ := suspected[0].Data["until"].(string)
	due, err := time.Parse(time.RFC3339, until)
	if err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "its time comes", func() bool { return time.Now().After(due) })
	worker, health = i.serve(t, "policies")
	var ended []published
	wait.Until(t, "the suspicion ends", func() bool {
		ended = i.exported(t, "identity.sign_in.suspicion_ended")
		return len(ended) > 0
	})
	if len(ended) != 1 || ended[0].Causation != suspected[0].ID || ended[0].Actor != "policy/end_suspicion" {
		t.Errorf("%+v ends %+v", ended, suspected)
	}
	reacted(t, health)
	before := mustGesta(t, i.env, "events", "export")

	mustGesta(t, i.env, "projections", "rebuild")
	reacted(t, health)
	worker.kill()
	i.exec(t, `delete from gesta.checkpoints where follower = 'policies'`)
	i.exec(t, `truncate gesta.timers`)
	_, health = i.serve(t, "policies")
	reacted(t, health)
	wait.Until(t, "all timers are done", func() bool {
		return len(pgtest.Rows(t, i.owner, `select policy from gesta.timers where policy <> ''`)) == 0
	})
	if after := mustGesta(t, i.env, "events", "export"); after != before {
		t.Errorf("somebody has reacted again:\n%s", strings.TrimPrefix(after, before))
	}
}

func TestTheRuleOfFailuresIsASetting(t *testing.T) {
	t.Parallel()
	if r := parse(t).Accounts.FailedSignIns; r.Failures != 5 || r.Within != time.Minute {
		t.Errorf("%+v", r)
	}
	if r := parse(t, "--accounts-failed-sign-ins", "off").Accounts.FailedSignIns; !r.IsOff() {
		t.Errorf("%+v", r)
	}
}
