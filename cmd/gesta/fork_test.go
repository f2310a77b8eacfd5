package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"gesta/eventstore"
	"gesta/eventstore/postgres"
	"gesta/eventstore/relay"
	"gesta/eventstore/wait"
)

func (c client) register(names ...string) {
	c.t.Helper()
	for _, n := range names {
		c.expect(201, "POST", "/users", "", registration(n+"@example.com"))
	}
}

// awaitForked waits until health and metrics name the fork and what repairs it.
func (c client) awaitForked() {
	c.t.Helper()
	wait.Until(c.t, "the relay says that it is forked", func() bool {
		relay := c.role("relay")
		text, _ := relay["error"].(string)
		return relay["forked"] == true && strings.Contains(text, "gesta events fork-epoch") &&
			strings.Contains(c.expect(200, "GET", "/metrics", "", nil).text, "\ngesta_relay_forked 1\n")
	})
}

// forkedBy makes an installation whose store was put back to a backup, after more was published. It
// answers the messages that were.
func forkedBy(t *testing.T, schemas []string) (i installation, b backup, common uint64, published []string) {
	t.Helper()
	i = install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	api.register("before1", "before2")
	common = i.level(t, api)
	p.stop()
	b = i.backup(t, schemas...)
	p, api = i.serve(t, "api,relay,projector,audit")
	api.register("lost1", "lost2", "lost3")
	published = i.messages(t, i.level(t, api))
	p.stop()
	i.restore(t, b, schemas...)
	return i, b, common, published
}

// A restored store behind the stream: nothing is published until the fork is repaired, while everything
// runs; and again after a second restore, which takes the fact of the first fork with it.
func TestARestoredStoreIsRepairedWhileItServes(t *testing.T) {
	t.Parallel()
	i, b, common, published := forkedBy(t, wholeDatabase)
	for _, epoch := range []string{"2", "3"} {
		p, api := i.serve(t, "api,relay,projector,audit")
		api.awaitForked()
		api.register("after" + epoch)
		unchanged(t, "the stream", published, i.messages(t, uint64(len(published))))
		refuses(t, i.env, "the stream shows", "events", "fork-epoch", "--common", "1")
		out := mustGesta(t, i.env, "events", "fork-epoch")
		if !strings.Contains(out, "epoch "+epoch+" begins after position "+fmt.Sprint(common)) {
			t.Error(out)
		}
		i.checkEpochs(t, api, common, epoch)
		says(t, i.env, "nothing was changed", "events", "fork-epoch")
		i.checkEpochs(t, api, common, epoch)
		api.register("late" + epoch)
		published = i.messages(t, i.level(t, api))
		p.stop()
		i.restore(t, b, wholeDatabase...)
	}
}

// checkEpochs waits until all is level, and compares stream and export: the same bodies, in the first
// epoch up to the common position and in the new one after it.
func (i installation) checkEpochs(t *testing.T, api client, common uint64, epoch string) {
	t.Helper()
	head := i.level(t, api)
	messages := i.messages(t, head)
	printed := strings.Split(strings.TrimSpace(mustGesta(t, i.env, "events", "export")), "\n")
	if len(printed) != int(head) {
		t.Fatalf("%d events are printed, %d are in the stream", len(printed), head)
	}
	for n, m := range messages {
		want := `"epoch":"1"`
		if uint64(n) >= common {
			want = `"epoch":"` + epoch + `"`
		}
		if !strings.Contains(m, printed[n]) || !strings.Contains(printed[n], want) {
			t.Errorf("position %d: stream %s\nexport %s", n+1, m, printed[n])
		}
	}
	if !strings.Contains(strings.Join(printed[common:], "\n"), `"type":"store.epoch.forked"`) {
		t.Errorf("no event tells of epoch %s", epoch)
	}
}

// The truth alone was restored and has grown past what followers saw: relay and projector stop, requests
// go on, and the command repairs it while nobody serves, in two runs if need be.
func TestARestoredStoreThatHasGrownIsRepaired(t *testing.T) {
	t.Parallel()
	i, _, common, published := forkedBy(t, truthAlone)
	p, api := i.serve(t, "api,relay,projector,audit")
	for n := range 6 {
		a := api.expect(201, "POST", "/users", "", registration(fmt.Sprintf("after%d@example.com", n)))
		if a.header.Get("X-Read-Model") != "pending" {
			t.Errorf("the read models follow another history: %v", a.header)
		}
	}
	api.awaitForked()
	detail := api.detail()
	if head, _ := detail["head"].(float64); int(head) <= len(published) {
		t.Fatalf("the store has not grown past the stream: %v", detail)
	}
	wait.Until(t, "the projector says so too", func() bool {
		text, _ := api.detail()["projector_error"].(string)
		return strings.Contains(text, "gesta events fork-epoch")
	})
	unchanged(t, "the stream", published, i.messages(t, uint64(len(published))))
	p.stop()
	i.raiseAlone(t)
	if out := mustGesta(t, i.env, "events", "fork-epoch"); strings.Contains(out, "begins") || !strings.Contains(out, "filled anew") {
		t.Errorf("the second half: %s", out)
	}
	_, api = i.serve(t, "api,relay,projector,audit")
	i.checkEpochs(t, api, common, "2")
	if rows := strings.Join(i.rows(t), "\n"); strings.Contains(rows, "lost1@") || !strings.Contains(rows, "after5@") {
		t.Errorf("read models: %s", rows)
	}
}

// Whoever restores under a process that serves loses nothing more by it: what it knew of the lost history is
// not decided upon, and what it appends is kept.
func TestARestoreUnderneathIsRepaired(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	user := api.expect(201, "POST", "/users", "", registration("before@example.com")).field("id")
	token := api.expect(200, "POST", "/auth/login", "", credentials("before@example.com")).field("access_token")
	common := i.level(t, api)
	p.stop()
	b := i.backup(t)
	_, api = i.serve(t, "api,relay,projector")
	signing, signer := i.serve(t, "audit")
	lost := api.expect(200, "POST", "/auth/login", "", credentials("before@example.com")).field("access_token")
	api.expect(200, "PUT", "/users/"+user, lost, map[string]string{"phone": "3"})
	api.register("lost1", "lost2")
	head := i.level(t, api)
	wait.Until(t, "what will be lost is signed", func() bool { return strings.HasPrefix(i.checkpoint(t), fmt.Sprintf("gesta\n%d\n", head)) })
	i.restore(t, b, wholeDatabase...)

	wait.Until(t, "the session of the lost history is over", func() bool {
		return api.do("PUT", "/users/"+user, lost, map[string]string{"phone": "2"}).status == 401
	})
	api.expect(200, "PUT", "/users/"+user, token, map[string]string{"phone": "3"})
	api.register("lost1", "after")
	api.awaitForked()
	wait.Until(t, "it is signed no more", func() bool {
		return strings.Contains(signer.do("GET", "/metrics", "", nil).text, "\ngesta_proof_refused 1\n")
	})
	signing.stop()
	mustGesta(t, i.env, "events", "fork-epoch")
	i.env = append(i.env, "GESTA_AUDIT_ORIGIN=gesta-2")
	i.serve(t, "audit")
	i.checkEpochs(t, api, common, "2")
	if rows := strings.Join(i.rows(t), "\n"); !strings.Contains(rows, "after@") || strings.Contains(rows, "lost2@") {
		t.Errorf("read models: %s", rows)
	}
	if is := api.expect(200, "GET", "/users/"+user, token, nil).field("phone"); is != "3" {
		t.Errorf("the phone number that was acknowledged after the restore is %q", is)
	}
	i.verify(t)
}

// The tail of the history was cut off by hand, and other events stand there now: the index that auditors ask, which had
// seen what is lost, is made anew.
func TestAnIndexOfWhatWasCutOffIsMadeAnew(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	api.register("stays", "cut1", "cut2")
	i.level(t, api)
	p.stop()
	i.exec(t, `alter table gesta.events disable trigger events_are_facts`)
	i.exec(t, `delete from gesta.events where position > (select max(position) - 2 from gesta.events)`)
	i.exec(t, `alter table gesta.events enable trigger events_are_facts`)
	p, api = i.serve(t, "api,relay,projector,audit")
	api.awaitForked()
	api.register("after1", "after2", "after3")
	if out := mustGesta(t, i.env, "events", "fork-epoch"); !strings.Contains(out, "the index of the history is made anew") {
		t.Error(out)
	}
	wait.Until(t, "the index is level", func() bool {
		index, _ := api.role("audit")["history"].(map[string]any)
		return index["lag"] == float64(0) && index["error"] == nil
	})
	says(t, i.env, "0 findings", "verify", "--only", "index")
	p.stop()
}

// raiseAlone is a fork-epoch that is cut off as soon as the new epoch is there.
func (i installation) raiseAlone(t *testing.T) {
	t.Helper()
	s := parse(t, "--database-url", i.env1(t, "DATABASE_URL="), "--nats-url", i.env1(t, "NATS_URL="))
	var out strings.Builder
	std := streams{strings.NewReader(""), &out, &out}
	err := s.with(t.Context(), std, func(a *app) error {
		line, err := a.line()
		if err != nil {
			return err
		}
		defer line.close()
		r := &repair{app: a, line: line, out: &out}
		if err := r.look(t.Context()); err != nil {
			return err
		}
		common, _, err := r.common(t.Context(), -1)
		if err != nil {
			return err
		}
		return r.raise(t.Context(), common)
	})
	if err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
}

// env1 is one setting of the installation.
func (i installation) env1(t *testing.T, name string) string {
	t.Helper()
	n := slices.IndexFunc(i.env, func(e string) bool { return strings.HasPrefix(e, name) })
	return strings.TrimPrefix(i.env[n], name)
}

// Without NATS nobody knows what was published, unless an operator does; where nothing is forked, nothing
// changes.
func TestForkEpochAsksWhoKnows(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector,audit")
	api.register("a", "b", "c")
	head := i.level(t, api)
	before := i.messages(t, head)
	says(t, i.env, "nothing was changed", "events", "fork-epoch")
	away := append(slices.Clone(i.env), "NATS_URL=nats://user:hush@127.0.0.1:1")
	_, err := gesta(t, away, "", "events", "fork-epoch")
	if err == nil || !strings.Contains(err.Error(), "only the stream knows") || strings.Contains(err.Error(), "hush") {
		t.Errorf("without NATS: %v", err)
	}
	unchanged(t, "messages", before, i.messages(t, i.level(t, api)))
	if _, err := gesta(t, i.env, "", "events", "fork-epoch", "--common", fmt.Sprint(head+1)); err == nil {
		t.Error("a position beyond the store's end is taken")
	}
	refuses(t, i.env, "--force", "events", "fork-epoch", "--common", "2")
	refuses(t, away, "--force", "events", "fork-epoch", "--common", "2")
	told := regexp.MustCompile(`epoch (\d+) begins after position 2`).FindStringSubmatch(mustGesta(t, away, "events", "fork-epoch", "--common", "2", "--force"))
	if told == nil || len(told[1]) < len("1700000000") {
		t.Fatalf("nobody knows which epochs there were, and the next is %v", told)
	}
	i.checkEpochs(t, api, 2, told[1])
	mustGesta(t, away, "events", "fork-epoch", "--common", "2") // changes nothing
	i.checkEpochs(t, api, 2, told[1])
	if now := i.level(t, api); now != head+1 {
		t.Errorf("the history has grown to %d", now)
	}
	i.foreign(t, api)
	p.stop()
}

// foreign puts into the stream what is none of ours, which the same command heals.
func (i installation) foreign(t *testing.T, api client) {
	t.Helper()
	head := i.level(t, api)
	if _, err := i.stream(t).Publish(t.Context(), "gesta.events.a.b.c.d", nil); err != nil {
		t.Fatal(err)
	}
	api.awaitForked()
	if text, _ := api.role("relay")["error"].(string); !strings.Contains(text, "a message that is no event") {
		t.Errorf("the relay says %q", text)
	}
	var both sync.WaitGroup
	for range 2 { // Two at once take turns, and the second one changes nothing.
		both.Go(func() {
			if out, err := gesta(t, i.env, "", "events", "fork-epoch"); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	both.Wait()
	if now := i.level(t, api); now != head+1 {
		t.Errorf("%d events tell of the fork", now-head)
	}
	if m := i.messages(t, head+1); !strings.Contains(m[head], "store.epoch.forked") {
		t.Errorf("the message after the common position: %s", m[head])
	}
	if p, err := relay.Part(t.Context(), storeOf(t, i), i.stream(t)); err != nil || p.Forked {
		t.Errorf("%+v %v", p, err)
	}
}

func TestWhereHistoriesPart(t *testing.T) {
	t.Parallel()
	common := eventstore.Mark{Position: 7}
	for name, c := range map[string]struct {
		repair repair
		fork   bool
		err    error
	}{
		"nothing is forked":        {repair{}, false, nil},
		"the stream tells":         {repair{parting: relay.Parting{Forked: true, Told: true, Common: common}}, true, nil},
		"the stream does not tell": {repair{parting: relay.Parting{Forked: true}}, true, errNotTold},
		"the stream is not ours":   {repair{parting: relay.Parting{Forked: true, Told: true}}, true, errNothing},
		"the stream knows nothing": {repair{astray: []postgres.Stray{{Follower: "relay", Position: 7}}}, true, errUnseen},
		"the epoch is raised":      {repair{parting: relay.Parting{GivenUp: true}}, false, nil},
	} {
		m, fork, err := c.repair.common(t.Context(), -1)
		if fork != c.fork || !errors.Is(err, c.err) || fork && err == nil && m != common {
			t.Errorf("%s: %v %v %v", name, m, fork, err)
		}
	}
	r := repair{head: eventstore.Head{Mark: eventstore.Mark{Position: 9}}, astray: []postgres.Stray{{Follower: "relay", Position: 7}}}
	if _, _, err := r.common(t.Context(), 7); err == nil || !strings.Contains(err.Error(), "relay at position 7") {
		t.Errorf("a common position where another event was seen: %v", err)
	}
}

// A `gesta dev` whose Postgres folder was put back, repaired while it runs and while it does not.
func TestARestoredDevIsRepaired(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	env := []string{"GESTA_DATA=" + data}
	d := startDev(t, env)
	d.register("before")
	d.stop()
	saved := filepath.Join(t.TempDir(), "saved")
	shell(t, "cp", "-a", filepath.Join(data, "postgres"), saved)
	for n, running := range []bool{true, false} {
		d = startDev(t, env)
		d.register("lost1", "lost2")
		installation{}.level(t, d.client)
		d.stop()
		shell(t, "rm", "-r", filepath.Join(data, "postgres"))
		shell(t, "cp", "-a", saved, filepath.Join(data, "postgres"))
		env = []string{"GESTA_DATA=" + data, fmt.Sprintf("GESTA_AUDIT_ORIGIN=gesta-%d", n+2)}
		if running {
			d = startDev(t, env)
			d.awaitForked()
		}
		says(t, env, "filled anew", "events", "fork-epoch")
		if !running {
			d = startDev(t, env)
		}
		head := installation{}.level(t, d.client)
		lines := strings.Split(strings.TrimSpace(mustGesta(t, env, "events", "export")), "\n")
		if uint64(len(lines)) != head || strings.Contains(strings.Join(lines, ""), "lost1@") {
			t.Errorf("%d events of %d: %v", len(lines), head, lines)
		}
		d.stop()
	}
}

func shell(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

func storeOf(t *testing.T, i installation) eventstore.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Options{URL: i.owner})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}
