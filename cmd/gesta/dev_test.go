package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"

	"gesta/domain/id"
	"gesta/migrations"
)

// dev is a `gesta dev` in a folder, on ports of its own.
type dev struct {
	*process
	client
	nats string
}

func startDev(t *testing.T, env []string) dev {
	t.Helper()
	p := start(t, env, "dev", "--listen", "localhost:0", "--nats-listen", "127.0.0.1:0")
	p.await(`(Ctrl-C)`)
	return dev{
		process: p,
		client:  client{t, "http://localhost:" + p.await(`REST +http://localhost:(\d+)`)},
		nats:    p.await(`NATS +(nats://\S+)`),
	}
}

// A newcomer's walk: register, sign in, ask, refresh; hear of it; lose power; find everything again.
func TestDevStory(t *testing.T) {
	t.Parallel()
	env := []string{"GESTA_DATA=" + filepath.Join(t.TempDir(), "data")}
	d := startDev(t, env)
	heard := listen(t, d.nats, "gesta.events.accounts.identity.user.registered")

	user := d.expect(201, "POST", "/users", "", registration("test@example.com"))
	login := d.expect(200, "POST", "/auth/login", "", credentials("test@example.com"))
	path := "/users/" + user.field("id")
	d.expect(200, "GET", path, login.field("access_token"), nil)
	if a := d.expect(200, "HEAD", path+"/", login.field("access_token"), nil); a.text != "" {
		t.Errorf("HEAD answers %q", a.text)
	}
	refresh := login.field("refresh_token")
	d.expect(401, "POST", "/auth/refresh", "", map[string]string{"refresh_token": refresh + "\n"}) // It harms nobody.
	d.expect(200, "POST", "/auth/refresh", "", map[string]string{"refresh_token": refresh})

	message := next(t, heard)
	for !strings.Contains(message, ulid(t, user.field("id"))) {
		message = next(t, heard) // The demo users' events may still be on their way.
	}
	printed := mustGesta(t, env, "events", "export", "--type", "identity.user.registered")
	if lines := strings.Split(strings.TrimSpace(printed), "\n"); lines[len(lines)-1] != message {
		t.Errorf("NATS says %s\nevents export says %s", message, printed)
	}
	if strings.Contains(message, "password") || strings.Contains(printed, "$2a$") {
		t.Errorf("a secret is published: %s %s", message, printed)
	}
	d.checkOperations()
	d.checkCommands(t, env)

	d.kill()
	d = startDev(t, env)
	login = d.expect(200, "POST", "/auth/login", "", credentials("test@example.com"))
	d.expect(200, "GET", path, login.field("access_token"), nil)
	d.checkReadme(t)

	postmaster := pidOf(t, filepath.Join(strings.TrimPrefix(env[0], "GESTA_DATA="), "postgres", "data", "postmaster.pid"))
	installation{}.level(t, d.client)
	d.stop()
	if err := syscall.Kill(postmaster, 0); err == nil {
		t.Error("Postgres outlives gesta")
	}
	// Commands work on what is stopped as well.
	says(t, env, " 0 behind", "projections", "status")
	says(t, env, schemaAt(migrations.Latest())+" dirty false", "migrate", "status")
	refuses(t, env, "--lose-the-history", "migrate", "down", "--steps", "99")
	mustGesta(t, env, "migrate", "down", "--steps", "99", "--lose-the-history")
	says(t, env, schemaAt(0), "migrate", "status")
}

func schemaAt(version uint) string {
	return fmt.Sprintf("version %d of %d", version, migrations.Latest())
}

// checkOperations looks at health and metrics, and that the README knows each metric.
func (d dev) checkOperations() {
	d.client.t.Helper()
	if a := d.expect(200, "GET", "/healthz", "", nil); a.text != "ok" {
		d.client.t.Errorf("healthz: %q", a.text)
	}
	if a := d.expect(200, "GET", "/readyz", "", nil); a.fields["ready"] != true {
		d.client.t.Errorf("readyz: %s", a.text)
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		d.client.t.Fatal(err)
	}
	if a := d.expect(200, "GET", "/docs", "", nil); !strings.Contains(a.text, "/docs/page.js") {
		d.client.t.Errorf("docs: %s", a.text)
	}
	metrics := d.expect(200, "GET", "/metrics", "", nil).text
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (gesta_\w+)`).FindAllStringSubmatch(metrics, -1) {
		if !strings.Contains(string(text), m[1]) {
			d.client.t.Errorf("the README does not know the metric %s", m[1])
		}
	}
}

// checkCommands uses the command line beside the running server.
func (d dev) checkCommands(t *testing.T, env []string) {
	t.Helper()
	if _, err := gesta(t, env, "secret-of-bo\n", "admin", "create", "--realm", "accounts", "--role", "BO",
		"--email", "bo@example.com", "--password-stdin"); err != nil {
		t.Fatal(err)
	}
	login := d.expect(200, "POST", "/auth/login", "", map[string]string{"email": "bo@example.com", "password": "secret-of-bo"})
	d.expect(200, "GET", "/users", login.field("access_token"), nil)
	before := mustGesta(t, env, "events", "export")
	says(t, env, "gesta-demo", "seed")
	if after := mustGesta(t, env, "events", "export"); after != before {
		t.Error("a second seed changed something")
	}
	mustGesta(t, env, "projections", "rebuild")
	d.expect(200, "GET", "/users", login.field("access_token"), nil)
	refuses(t, env, "pattern", "events", "tail", "--type", "[")
	refuses(t, env, "parked", "projections", "retry", "identity.user/"+demoUsers[0].id().String())
	d.expect(200, "PUT", "/users/"+demoUsers[0].id().UUID(), login.field("access_token"), map[string]bool{"is_active": false})
	if out := mustGesta(t, env, "seed"); strings.Contains(out, "accounts") {
		t.Errorf("a login that does not work is said: %s", out)
	}
	refuses(t, env, "another gesta runs", "dev", "--listen", "localhost:0", "--nats-listen", "127.0.0.1:0")
	if _, err := gesta(t, env, "short\n", "admin", "create", "--realm", "accounts", "--role", "BO",
		"--email", "x@example.com", "--password-stdin"); err == nil {
		t.Error("a short password was taken")
	}
}

// checkReadme runs the README's program for subscribers as it stands there.
func (d dev) checkReadme(t *testing.T) {
	t.Helper()
	listener := startProgram(t, readmeProgram(t, "listen", d.nats), t.TempDir())
	defer listener.kill()
	for i := 0; !strings.Contains(listener.said(), "identity.user.registered"); i++ {
		d.expect(201, "POST", "/users", "", registration("listener"+strconv.Itoa(i)+"@example.com"))
		if i == 1000 {
			t.Fatal("the README's program hears nothing")
		}
	}
}

// readmeProgram builds the program that the README has under a name, for another NATS, with other things replaced as well.
func readmeProgram(t *testing.T, name, natsURL string, replaced ...string) (binary string) {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)`" + name + "\\.go`.*?```go\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatalf("the README has no program %s", name)
	}
	program := strings.NewReplacer(append(replaced, "nats://127.0.0.1:4222", natsURL)...).Replace(string(m[1]))
	file := filepath.Join(t.TempDir(), name+".go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", binary, file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// startProgram runs a program in a folder until it is killed.
func startProgram(t *testing.T, binary, dir string, env ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary), end: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = dir, p, p, append(os.Environ(), env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.end) }()
	t.Cleanup(p.kill)
	return p
}

func listen(t *testing.T, url, subject string) *nats.Subscription {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return sub
}

// ulid spells an id as events do.
func ulid(t *testing.T, uuid string) string {
	t.Helper()
	i, err := id.ParseUUID(uuid)
	if err != nil {
		t.Fatal(err)
	}
	return i.String()
}

func next(t *testing.T, sub *nats.Subscription) string {
	t.Helper()
	m, err := sub.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Data)
}

func pidOf(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// A command finds an installation and makes none; what it could not print is no success.
func TestCommandsOnWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	env := []string{"GESTA_DATA=" + filepath.Join(t.TempDir(), "data")}
	for _, command := range [][]string{{"events", "export"}, {"verify"}, {"migrate", "up"}, {"seed"}} {
		refuses(t, env, "there is nothing of gesta in", command...)
	}
	hardened := append(slices.Clone(env), "GESTA_PROFILE=hardened")
	d := startDev(t, hardened)
	d.expect(201, "POST", "/users", "", registration(string(demoUsers[0].email)))
	refuses(t, env, "already registered", "seed")
	installation{}.level(t, d.client)
	d.stop()
	if _, err := gesta(t, env, "secret-of-cu\n", "admin", "create", "--realm", "accounts", "--role", "CU",
		"--email", "later@example.com", "--password-stdin"); err != nil {
		t.Fatal(err)
	}
	mustGesta(t, env, "verify") // What dev has yet to publish and to project is not wrong.
	refuses(t, env, "--common", "events", "fork-epoch", "--force")

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	cmd := exec.Command(os.Args[0], "migrate", "status")
	cmd.Env, cmd.Stdout = append(append(os.Environ(), asGesta+"=1"), env...), full
	if err := cmd.Run(); err == nil {
		t.Error("what could not be printed is a success")
	}

	if err := os.WriteFile(filepath.Join(strings.TrimPrefix(env[0], "GESTA_DATA="), "jwt-secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, env, "jwt-secret", "migrate", "status")
}

// Settings that can't be right refuse to start, and say so without saying any secret.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	key := "GESTA_MASTER_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	secret := "JWT_SECRET=0123456789012345678901234567890123456789"
	database := "DATABASE_URL=postgres://nobody:hush@127.0.0.1:1/none?connect_timeout=1"
	for _, c := range []struct {
		env  []string
		says string
	}{
		{[]string{}, "DATABASE_URL"},
		{[]string{database, key, "JWT_SECRET=too-short"}, "JWT_SECRET must have at least 32 characters"},
		{[]string{database, secret}, "GESTA_MASTER_KEY"},
		{[]string{database, secret, "GESTA_MASTER_KEY=c2hvcnQ="}, "GESTA_MASTER_KEY"},
		{[]string{database, secret, key, "BCRYPT_COST=3"}, "BCRYPT_COST"},
		{[]string{database, secret, key, "BCRYPT_COST=17"}, "BCRYPT_COST"},
		{[]string{database, secret, key, "GESTA_MAX_REQUESTS=9223372036854775807"}, "GESTA_MAX_REQUESTS"},
		{[]string{database, secret, key, "GESTA_DRAIN=-1s"}, "GESTA_DRAIN"},
		{[]string{database, secret, key, "GESTA_STREAM_REPLICAS=6"}, "GESTA_STREAM_REPLICAS"},
		{[]string{database, secret, key, "ACCOUNTS_ACCESS_TTL=0s"}, "tokens of accounts"},
		{[]string{database, secret, key, "GESTA_PROFILE=other"}, "profile"},
		{[]string{database, secret, key, "GESTA_PROFILE=hardened", "GESTA_SMTP_FROM=a@example.com", "GESTA_SMTP_URL=smtp://user:hush@mail.example.com:x"}, "GESTA_SMTP_URL"},
		{[]string{database, secret, key, "GESTA_SMTP_URL=smtps://user:hush@mail.example.com", "GESTA_SMTP_FROM=nobody"}, "GESTA_SMTP_FROM"},
		{[]string{database, secret, key, "GESTA_MAX_REQUESTS=0"}, "GESTA_MAX_REQUESTS"},
		{[]string{database, secret, key, "ACCOUNTS_FAILED_SIGN_INS=5"}, "failed-sign-ins"},
		{[]string{"DATABASE_URL=postgres://nobody:a@hush@127.0.0.1:1/none", secret, key}, "%40"},
		{[]string{"DATABASE_URL=postgres://nobody:hush@127.0.0.1:x/none", secret, key}, "invalid port"},
		{[]string{database, "MIGRATE_DATABASE_URL=postgres://nobody:a@hush@127.0.0.1:1/none", secret, key}, "%40"},
		{[]string{database, "GESTA_ROLES=policies"}, "JWT_SECRET"},
		{[]string{database, "GESTA_ROLES=relay", "GESTA_WAIT=0s"}, "127.0.0.1"},
		{[]string{database, secret, key, "GESTA_WAIT=0s"}, "127.0.0.1"},
	} {
		_, err := gesta(t, c.env, "", "serve", "--listen", "localhost:0")
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v", c.env, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "too-short")) {
			t.Errorf("a secret is told: %v", err)
		}
	}
}
