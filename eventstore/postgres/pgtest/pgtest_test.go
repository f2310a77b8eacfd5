package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"gesta/eventstore/postgres/cluster"
	"gesta/migrations"
)

func TestMain(m *testing.M) { Main(m) }

// must makes a test fail when a call does.
func must[T any](answer T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

func TestEachDatabaseIsNewAndMigrated(t *testing.T) {
	for range 2 {
		url := Database(t)
		Exec(t, url, "insert into gesta.idempotency values ('only', 'k', '', '{}')")
		if rows := Rows(t, url, "select scope from gesta.idempotency"); len(rows) != 1 {
			t.Errorf("it holds %v", rows)
		}
		progress, err := migrations.Status(t.Context(), url, migrations.DefaultSchema)
		if err != nil || progress.Version != progress.Latest {
			t.Errorf("its schema is at %+v (%v)", progress, err)
		}
	}
}

func TestAnUnmigratedDatabaseIsEmpty(t *testing.T) {
	if schemas := Rows(t, Unmigrated(t), "select nspname::text from pg_namespace where nspname like 'gesta%'"); len(schemas) > 0 {
		t.Errorf("it holds %v", schemas)
	}
}

func TestDatabasesAndLoginsGoWithTheirTestWhoeverIsConnected(t *testing.T) {
	var name, login string
	t.Run("one test", func(t *testing.T) {
		url := AppLogin(t, Database(t))
		name, login = databaseOf(url), Connect(t, url).Config().User
		Exec(t, url, "create schema gesta_read")
	})
	admin := must(server())(t)
	if left := Rows(t, admin, "select datname::text from pg_database where datname = $1", name); len(left) > 0 {
		t.Errorf("left: database %v", left)
	}
	if left := Rows(t, admin, "select rolname::text from pg_roles where rolname = $1", login); len(left) > 0 {
		t.Errorf("left: login %v", left)
	}
}

func TestManyDatabasesAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { AppLogin(t, Database(t)) })
	}
	all.Wait()
}

// TestManyProcessesShareATemplate makes a template as several processes would, where one was killed
// while it did.
func TestManyProcessesShareATemplate(t *testing.T) {
	admin, name := must(server())(t), "gesta_template_test_"+random()
	Exec(t, admin, "create database "+name+"_new")
	t.Cleanup(func() { remove(t, admin, name) })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := makeTemplate(context.Background(), admin, name); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := execute(t.Context(), inDatabase(admin, name), "select 1"); err == nil {
		t.Error("a template lets people in")
	}
	if left := Rows(t, admin, "select datname::text from pg_database where datname = $1", name+"_new"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// verdict is what a test was told.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func verdictOn(err error) *verdict {
	v := &verdict{}
	var judged sync.WaitGroup
	judged.Go(func() { need(v, func() (string, error) { return "", err }) })
	judged.Wait()
	return v
}

func TestWithoutPostgres(t *testing.T) {
	t.Setenv("CI", "")
	if v := verdictOn(cluster.ErrNoPostgres); !strings.Contains(v.skipped, "install") || v.failed != "" {
		t.Errorf("on a laptop: %+v", v)
	}
	if v := verdictOn(os.ErrPermission); v.skipped != "" || v.failed == "" {
		t.Errorf("with one that does not work: %+v", v)
	}
	t.Setenv("CI", "true")
	if v := verdictOn(cluster.ErrNoPostgres); v.skipped != "" || v.failed == "" {
		t.Errorf("in CI: %+v", v)
	}
}

func TestOnlyURLsNameAServer(t *testing.T) {
	for text, valid := range map[string]bool{
		"postgres://u:p@127.0.0.1:5432/postgres": true, "postgresql://u@h/d": true, "host=127.0.0.1": false, "http://h": false,
	} {
		if got := checkURL(text) == nil; got != valid {
			t.Errorf("%s: valid is %v", text, got)
		}
	}
}

// TestMainEndsItsServer runs one test of this binary in a process of its own, which starts a server.
func TestMainEndsItsServer(t *testing.T) {
	need(t, server)
	temporary := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAnUnmigratedDatabaseIsEmpty$", "-test.v")
	cmd.Env = append(os.Environ(), "TEST_DATABASE_URL=", "TMPDIR="+temporary, "CI=true")
	said, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(said, []byte("--- PASS")) {
		t.Fatalf("%v:\n%s", err, said)
	}
	if left := must(os.ReadDir(temporary))(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
