package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/cmd/gesta/loadgen"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

// at is the same installation on another database.
func (i installation) at(t *testing.T, owner, app string) installation {
	t.Helper()
	i.owner, i.env = owner, slices.Clone(i.env)
	for n, e := range i.env {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "DATABASE_URL":
			i.env[n] = name + "=" + app
		case "MIGRATE_DATABASE_URL":
			i.env[n] = name + "=" + owner
		}
	}
	return i
}

// empty is an installation whose database nobody has migrated.
func empty(t *testing.T) installation {
	t.Helper()
	i, owner := install(t), pgtest.Unmigrated(t)
	config, err := pgx.ParseConfig(owner)
	if err != nil {
		t.Fatal(err)
	}
	login := config.Database + "_app" // Logins of that name go with the database.
	app, err := withLogin(owner, login, "password")
	if err != nil {
		t.Fatal(err)
	}
	if err := makeLogin(context.Background(), owner, login, "password"); err != nil {
		t.Fatal(err)
	}
	return i.at(t, owner, app)
}

// Five processes that start on an empty database at once all serve.
func TestManyStartOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	i := empty(t)
	var all []*process
	for range 5 {
		all = append(all, start(t, i.env, "serve", "--listen", "127.0.0.1:0", "--roles", "api,relay,projector"))
	}
	for n, p := range all {
		api := client{t, "http://" + p.await(`"addresses":\["([^"]+)"`)}
		api.expect(201, "POST", "/users", "", registration(fmt.Sprintf("starter%d@example.com", n)))
	}
}

// Who starts while another migrates waits for it, and can be told to end meanwhile.
func TestWhoStartsWhileAnotherMigratesWaits(t *testing.T) {
	t.Parallel()
	i := empty(t)
	other := pgtest.Connect(t, i.owner)
	// The migrating one holds this lock from before it looks whether there is a schema.
	if _, err := other.Exec(t.Context(), `begin; select pg_advisory_xact_lock(hashtextextended('gesta schema and grants', 0))`); err != nil {
		t.Fatal(err)
	}
	told, patient := start(t, i.env, "serve", "--listen", "127.0.0.1:0"), start(t, i.env, "serve", "--listen", "127.0.0.1:0")
	wait.Until(t, "they wait for the lock", func() bool {
		return len(pgtest.Rows(t, i.owner, `select mode from pg_locks where locktype = 'advisory' and not granted
			and database = (select oid from pg_database where datname = current_database())`)) == 2
	})
	told.signal(syscall.SIGTERM)
	told.awaitExit(0)
	if strings.Contains(patient.said(), "serving") {
		t.Error("it serves from an empty database")
	}
	_ = other.Close(t.Context()) // Which lets go of the lock.
	patient.await(`("msg":"serving")`)
}

// Who gets one connection and then no other for a while waits for it.
func TestWhoStartsWhilePostgresIsBusyWaits(t *testing.T) {
	t.Parallel()
	i := install(t)
	login, err := loginOf(strings.TrimPrefix(i.env[0], "DATABASE_URL="))
	if err != nil {
		t.Fatal(err)
	}
	i.exec(t, "alter role "+login+" connection limit 1")
	p := start(t, i.env, "serve", "--listen", "127.0.0.1:0")
	p.await(`("msg":"waiting for Postgres")`)
	i.exec(t, "alter role "+login+" connection limit -1")
	p.await(`("msg":"serving")`)
}

// A process goes on while a newer one migrates the schema under it; no older one starts from then on,
// whatever it is to do.
func TestANewerSchema(t *testing.T) {
	t.Parallel()
	i := install(t)
	_, api := i.serve(t, "api,relay,projector")
	user := api.expect(201, "POST", "/users", "", registration("older@example.com"))
	i.exec(t, `alter table gesta.events add column later text; alter table gesta.claims add column later text;
		create table gesta.later (id int); update gesta.schema_migrations set version = 4711`)
	for n := range 3 { // Statements that were prepared before are used again.
		token := api.expect(200, "POST", "/auth/login", "", credentials("older@example.com")).field("access_token")
		api.expect(200, "PUT", "/users/"+user.field("id"), token, map[string]string{"phone": fmt.Sprint(n)})
		api.expect(201, "POST", "/users", "", registration(fmt.Sprintf("later%d@example.com", n)))
	}
	api.expect(200, "GET", "/readyz", "", nil)
	for _, command := range [][]string{
		{"serve", "--listen", "127.0.0.1:0"},
		{"migrate", "up"},
		{"events", "export"},
		{"events", "tail"},
		{"projections", "status"},
		{"projections", "rebuild"},
		{"seed", "--demo-passwords"},
		{"admin", "create", "--realm", "accounts", "--role", "BO", "--email", "a@example.com", "--password-stdin"},
	} {
		_, err := gesta(t, i.env, "password\n", command...)
		if err == nil || !strings.Contains(err.Error(), "has version 4711, newer than this binary knows (") || !strings.Contains(err.Error(), "run a newer gesta") {
			t.Errorf("%v: %v", command, err)
		}
	}
}

// Where the owner has not migrated yet, who has the app's login alone says what is to be done.
func TestAnOlderSchema(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.exec(t, `truncate gesta.schema_migrations`)
	i.env = slices.DeleteFunc(i.env, func(e string) bool { return strings.HasPrefix(e, "MIGRATE_DATABASE_URL=") })
	for _, command := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"events", "export"}} {
		_, err := gesta(t, i.env, "", command...)
		if err == nil || !strings.Contains(err.Error(), "has version 0, older than this binary needs") || !strings.Contains(err.Error(), "gesta migrate up") {
			t.Errorf("%v: %v", command, err)
		}
	}
}

// A Postgres that answers nobody any more piles up nothing: every request is answered in its time, most
// at once, and all is well when it goes on.
func TestAPostgresThatStandsStill(t *testing.T) {
	t.Parallel()
	i := install(t)
	proxy, app := pgtest.NewProxy(t, strings.TrimPrefix(i.env[0], "DATABASE_URL="))
	i = i.at(t, i.owner, app)
	i.env = append(i.env, "GESTA_MAX_REQUESTS=20", "GESTA_LOG_LEVEL=error")
	_, address := i.serveQuietly(t)
	l := mixed(t, address)
	proxy.Stall()
	all := l.Send(60, 300, 3*time.Second)
	for _, s := range all {
		if s.Err != nil || !isRefusal(s.Answer) || s.Took > 13*time.Second {
			t.Fatalf("%v: %d %s after %v", s.Err, s.Answer.Status, s.Answer.Text, s.Took)
		}
	}
	if half := loadgen.Within(.5, all, loadgen.Took); half > time.Second {
		t.Errorf("half of the requests took more than %v", half)
	}
	health := loadgen.Client{Address: address}
	defer health.Close()
	if a, err := health.Send(loadgen.Message("GET", "/healthz", "", nil)); err != nil || a.Status != 200 {
		t.Errorf("healthz: %v %d", err, a.Status)
	}
	if a, err := health.Send(loadgen.Message("GET", "/readyz", "", nil)); err != nil || a.Status != 503 {
		t.Errorf("readyz: %v %d", err, a.Status)
	}
	proxy.Flow()
	untilNormal(t, l)
	t.Logf("%d refused within %v (p50), %v (p99)", len(all), loadgen.Within(.5, all, loadgen.Took), loadgen.Within(.99, all, loadgen.Took))
}

// Who starts before its Postgres waits for it.
func TestServeWaitsForItsPostgres(t *testing.T) {
	t.Parallel()
	i := install(t)
	proxy, app := pgtest.NewProxy(t, strings.TrimPrefix(i.env[0], "DATABASE_URL="))
	i = i.at(t, i.owner, app)
	proxy.Stall()
	told, patient := start(t, i.env, "serve", "--listen", "127.0.0.1:0"), start(t, i.env, "serve", "--listen", "127.0.0.1:0")
	told.await(`("msg":"waiting for Postgres")`)
	patient.await(`("msg":"waiting for Postgres")`)
	told.signal(syscall.SIGTERM)
	told.awaitExit(0)
	proxy.Flow()
	patient.await(`("msg":"serving")`)
}

// A second signal ends a process at once, whatever it has left to do.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env = append(slices.Clone(i.env), "GESTA_DRAIN=1h")
	p, api := i.serve(t, "api,relay,projector")
	p.signal(syscall.SIGTERM)
	p.await(`("msg":"draining")`)
	if a := api.expect(503, "GET", "/readyz", "", nil); !strings.Contains(a.text, "draining") {
		t.Error(a.text)
	}
	api.expect(201, "POST", "/users", "", registration("late@example.com"))
	p.signal(syscall.SIGTERM)
	p.awaitExit(-1)
}

// A leader that ends lets another lead at once, and what it has done is kept.
func TestAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	i := install(t)
	first, api := i.serve(t, "api,relay,projector")
	api.expect(201, "POST", "/users", "", registration("one@example.com"))
	i.level(t, api)
	_, standby := i.serve(t, "api,relay,projector")
	first.signal(syscall.SIGTERM)
	first.awaitExit(0)
	ended := time.Now()
	wait.Until(t, "the standby leads", func() bool {
		return strings.Contains(standby.expect(200, "GET", "/readyz", "", nil).text, `"leading":true`)
	})
	if took := time.Since(ended); took > 5*time.Second {
		t.Errorf("it took over after %v", took)
	}
	if a := standby.expect(201, "POST", "/users", "", registration("two@example.com")); a.header.Get("X-Read-Model") != "" {
		wait.Until(t, "it projects", func() bool {
			return standby.do("POST", "/users", "", registration(fmt.Sprint(time.Now().UnixNano(), "@example.com"))).header.Get("X-Read-Model") == ""
		})
	}
	i.level(t, standby)
}
