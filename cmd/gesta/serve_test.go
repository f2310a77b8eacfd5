package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/relay/natsembed"
	"gesta/eventstore/wait"
	"gesta/migrations"
)

// installation is a Postgres and a NATS of an operator's own.
type installation struct {
	owner string // database URL of the owner
	env   []string
	nc    *nats.Conn
}

func install(t *testing.T) installation {
	t.Helper()
	ns, err := natsembed.Start(natsembed.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Stop)
	return installOn(t, ns.URL())
}

// installOn is an installation on a NATS that may come and go.
func installOn(t *testing.T, natsURL string) installation {
	t.Helper()
	nc, err := nats.Connect(natsURL, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	owner := pgtest.Database(t)
	return installation{owner: owner, nc: nc, env: []string{
		"DATABASE_URL=" + pgtest.AppLogin(t, owner), "MIGRATE_DATABASE_URL=" + owner, "NATS_URL=" + natsURL,
		"JWT_SECRET=0123456789012345678901234567890123456789",
		"GESTA_MASTER_KEY=" + testMasterKey,
	}}
}

// serve starts a process with some of the roles.
func (i installation) serve(t *testing.T, roles string) (*process, client) {
	t.Helper()
	return i.serveAt(t, "127.0.0.1:0", roles)
}

func (i installation) serveAt(t *testing.T, address, roles string) (*process, client) {
	t.Helper()
	p := start(t, i.env, "serve", "--listen", address, "--roles", roles)
	p.await(`("msg":"serving")`)
	return p, client{t, "http://" + p.await(`"addresses":\["([^"]+)"`)}
}

// settles writes until who writes finds it in the read models, and answers how often: that they are made takes its time.
func (c client) settles() (written int) {
	c.t.Helper()
	wait.Until(c.t, "who writes has to wait for the read models, and they come", func() bool {
		written++
		a := c.expect(201, "POST", "/users", "", registration(fmt.Sprintf("settles%d@example.com", written)))
		return a.header.Get("X-Read-Model") == ""
	})
	return written
}

// Who writes to one process reads from it what another one projects.
func TestReadYourWritesAcrossProcesses(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api")
	_, other := i.serve(t, "api")
	_, worker := i.serve(t, "relay,projector,policies")
	worker.expect(200, "GET", "/readyz", "", nil)
	worker.servesNothing("/users")
	worker.servesNothing("/docs")
	api.settles()
	for n := range 20 {
		email := fmt.Sprintf("user%d@example.com", n)
		user := api.expect(201, "POST", "/users", "", registration(email))
		token := api.expect(200, "POST", "/auth/login", "", credentials(email)).field("access_token")
		for _, c := range []client{api, other} {
			c.expect(200, "GET", "/users/"+user.field("id"), token, nil)
			changed := c.expect(200, "PUT", "/users/"+user.field("id"), token, map[string]string{"phone": strconv.Itoa(n) + c.base})
			if changed.header.Get("X-Read-Model") != "" || changed.field("phone") != strconv.Itoa(n)+c.base {
				t.Fatalf("%v %s", changed.header, changed.text)
			}
		}
	}
	positions(t, api)
}

// positions hands a write's position to another reader.
func positions(t *testing.T, c client) {
	t.Helper()
	written := c.expect(201, "POST", "/users", "", registration("position@example.com"))
	position := written.header.Get("X-Event-Position")
	token := c.expect(200, "POST", "/auth/login", "", credentials("position@example.com")).field("access_token")
	for header, status := range map[string]int{position: 200, "1000000": 400, "-1": 400, "x": 400, "0": 200} {
		r := c.request("GET", "/users/"+written.field("id"), token, nil)
		r.Header.Set("X-Min-Position", header)
		if a := c.send(r); a.status != status {
			t.Errorf("X-Min-Position %s: %d %s", header, a.status, a.text)
		}
	}
}

// While nobody projects, what is written is answered from the history; after that it is there to read.
func TestWritesGoOnWhileNobodyProjects(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api")
	user := api.expect(201, "POST", "/users", "", registration("early@example.com"))
	if user.header.Get("X-Read-Model") != "pending" || user.field("email") != "early@example.com" {
		t.Errorf("%v %s", user.header, user.text)
	}
	token := api.expect(200, "POST", "/auth/login", "", credentials("early@example.com")).field("access_token")
	if a := api.expect(503, "GET", "/users/"+user.field("id"), token, nil); a.header.Get("Retry-After") == "" || a.field("error") == "" {
		t.Errorf("%v %s", a.header, a.text)
	}
	i.serve(t, "projector")
	wait.Until(t, "the user is there to read", func() bool {
		return api.do("GET", "/users/"+user.field("id"), token, nil).status == 200
	})
}

// Everything derived can be thrown away: it comes back, the same rows and the same bytes.
func TestEverythingDerivedComesBack(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector")
	signUps(api, 30)
	head := i.level(t, api)
	rows, messages := i.rows(t), i.messages(t, head)

	p.stop()
	i.exec(t, `truncate gesta_read.users`)
	i.exec(t, `update gesta_read.checkpoints set position = 0, event_id = '00000000-0000-0000-0000-000000000000'`)
	i.deleteStream(t)
	_, api = i.serve(t, "api,relay,projector")
	i.level(t, api)
	unchanged(t, "read models", rows, i.rows(t))
	unchanged(t, "messages", messages, i.messages(t, head))

	i.exec(t, `drop schema gesta_read cascade`)
	mustGesta(t, i.env, "projections", "rebuild")
	unchanged(t, "read models after losing their schema", rows, i.rows(t))
}

// unchanged checks that something is as it was.
func unchanged(t *testing.T, what string, before, after any) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("%s (-before +after):\n%s", what, diff)
	}
}

// level waits until all that runs is where the history ends, and all of that is signed, and answers that position.
func (i installation) level(t *testing.T, c client) (head uint64) {
	t.Helper()
	wait.Until(t, "all is level", func() bool {
		detail := c.detail()
		position, _ := detail["head"].(float64)
		head = uint64(position)
		return isLevel(detail) && isProven(detail)
	})
	return head
}

// isLevel tells whether the stream and the read models have all there is.
func isLevel(detail map[string]any) bool {
	head, up := detail["head"].(float64)
	return up && at(detail["relay"]) == head && at(detail["projector"]) == head
}

// isProven tells whether all there is is signed and in the index, where anybody sees to that.
func isProven(detail map[string]any) bool {
	audit, runs := detail["audit"].(map[string]any)
	proof, _ := audit["proof"].(map[string]any)
	head, _ := detail["head"].(float64)
	return !runs || at(proof) == head && proof["signed"] == head && at(audit["history"]) == head
}

func at(detail any) float64 {
	fields, _ := detail.(map[string]any)
	position, _ := fields["position"].(float64)
	return position
}

func (i installation) exec(t *testing.T, sql string) {
	t.Helper()
	pgtest.Exec(t, i.owner, sql)
}

func (i installation) rows(t *testing.T) []string {
	t.Helper()
	return pgtest.Rows(t, i.owner, `select u::text from gesta_read.users u order by id`)
}

func (i installation) stream(t *testing.T) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(i.nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// messages are the subjects, headers and bodies of the stream, by sequence.
func (i installation) messages(t *testing.T, last uint64) []string {
	t.Helper()
	s, err := i.stream(t).Stream(context.Background(), envelope.Stream)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]string, 0, last)
	for sequence := uint64(1); sequence <= last; sequence++ {
		m, err := s.GetMsg(context.Background(), sequence)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(m.Subject, m.Header, string(m.Data)))
	}
	return all
}

// With another key no name that is taken would be found; and published passwords are for demos.
func TestWhatAnInstallationRefuses(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, _ := i.serve(t, "api,relay,projector")
	p.stop()
	other := append(slices.Clone(i.env), "GESTA_MASTER_KEY=YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcy4=")
	refuses(t, other, "not the master key of this store", "serve", "--listen", "127.0.0.1:0")
	refuses(t, i.env, "--demo-passwords", "seed")
	refuses(t, append(slices.Clone(i.env), "GESTA_PROFILE=hardened"), "hardened", "seed", "--demo-passwords")
	mustGesta(t, i.env, "seed", "--demo-passwords")
	refuses(t, i.env, "--lose-the-history", "migrate", "down", "--steps", "99")
	down := mustGesta(t, i.env, "migrate", "down", "--steps", "99", "--lose-the-history")
	if out := mustGesta(t, i.env, "migrate", "status"); out != down || !strings.Contains(out, schemaAt(0)) {
		t.Errorf("down says %q, status %q", down, out)
	}
	if up := mustGesta(t, i.env, "migrate", "up"); !strings.Contains(up, schemaAt(migrations.Latest())) {
		t.Errorf("up says %q", up)
	}
}

// Who migrates by hand need not give the owner's password to what serves.
func TestServeWithTheAppsLoginAlone(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env = slices.DeleteFunc(i.env, func(e string) bool { return strings.HasPrefix(e, "MIGRATE_DATABASE_URL=") })
	p, api := i.serve(t, "api,relay,projector")
	api.expect(201, "POST", "/users", "", registration("app@example.com"))
	if strings.Contains(p.said(), "owns the events") {
		t.Error("the app's login is taken for the owner")
	}
}

// Processes share their settings, whatever they do with them, and count together.
func TestSettingsOfOtherRolesAreNoTrouble(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env = append(i.env, "RATE_LIMITS=accounts POST /auth/login=1/24h")
	p, worker := i.serve(t, "relay,projector,policies")
	worker.expect(200, "GET", "/readyz", "", nil)
	if strings.Contains(p.said(), "no rate limit") {
		t.Error("a process that serves nothing warns of what it serves")
	}
	p, api := i.serve(t, "api")
	if said := p.said(); !strings.Contains(said, "/auth/refresh: no rate limit") || strings.Contains(said, "/auth/login: no rate limit") {
		t.Error("the warning is not about the rows without a limit")
	}
	api.expect(401, "POST", "/auth/login", "", credentials("nobody@example.com"))
	if a := api.expect(429, "POST", "/auth/login", "", credentials("nobody@example.com")); a.header.Get("Retry-After") == "" || a.field("error") == "" {
		t.Errorf("%v %s", a.header, a.text)
	}
	_, other := i.serve(t, "api")
	other.expect(429, "POST", "/auth/login", "", credentials("nobody@example.com"))
}

// The app's login may add to the history and never change it; nor may the owner.
func TestNobodyChangesTheHistory(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api,projector")
	api.expect(201, "POST", "/users", "", registration("fact@example.com"))
	for _, url := range []string{i.owner, strings.TrimPrefix(i.env[0], "DATABASE_URL=")} {
		conn := pgtest.Connect(t, url)
		for _, sql := range []string{`update gesta.events set data = '{}'`, `delete from gesta.events`, `truncate gesta.events`} {
			if _, err := conn.Exec(context.Background(), sql); err == nil {
				t.Errorf("%s is done", sql)
			}
		}
	}
}
