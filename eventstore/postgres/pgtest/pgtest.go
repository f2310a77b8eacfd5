// Package pgtest gives each test a Postgres database of its own.
//
// The server is the one TEST_DATABASE_URL names, as its superuser; several test processes may share
// it. Without the variable each test process starts a throw-away server when it first needs one, and
// ends it in Main, so every package that uses this one has:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// A package without it leaves the server's folder behind for a later run to sweep; the server itself
// ends with the process in any case. Where there is no Postgres, tests are skipped and say so, and
// fail when CI is set.
//
// Nothing but Connect and Proxy keeps a connection open: the server's 300 belong to the tests.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"gesta/migrations"

	"github.com/jackc/pgx/v5"
)

// patience bounds each thing a test asks of the server; a first start takes about a second.
const patience = 2 * time.Minute

// Database is the URL of a new database, migrated, in the name of the superuser. It goes at the end of
// the test, whoever is still connected.
func Database(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return create(ctx, t, need(t, template))
}

// Unmigrated is the URL of a new and empty database, in the name of the superuser. It goes at the end
// of the test, whoever is still connected.
func Unmigrated(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	need(t, server)
	return create(ctx, t, "template0")
}

// AppLogin is the URL of a Database in the name of a new login that may do what the app may. The login
// goes with the database.
func AppLogin(t testing.TB, databaseURL string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	login, password := databaseOf(databaseURL)+"_"+random(), rand.Text()
	err := execute(ctx, databaseURL, fmt.Sprintf("create role %s login password '%s'", login, password))
	if err == nil {
		err = migrations.GrantApp(ctx, databaseURL, migrations.DefaultSchema, login)
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return with(databaseURL, func(u *url.URL) { u.User = url.UserPassword(login, password) })
}

// create copies a template as files: with fsync off that is several times faster than through the log.
func create(ctx context.Context, t testing.TB, template string) string {
	t.Helper()
	name, admin := "gesta_test_"+random(), need(t, server)
	statement := fmt.Sprintf("create database %s template %s strategy file_copy", name, template)
	if err := execute(ctx, admin, statement); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { remove(t, admin, name) })
	return inDatabase(admin, name)
}

// remove drops a database and the logins that were made for it, whose names begin with its own.
func remove(t testing.TB, admin, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	logins, err := query(ctx, admin, "select rolname from pg_roles where starts_with(rolname, $1)", name+"_")
	if err == nil {
		err = execute(ctx, admin, "drop database "+name+" with (force)")
	}
	if err == nil && len(logins) > 0 {
		err = execute(ctx, admin, "drop role "+strings.Join(logins, ", "))
	}
	if err != nil {
		t.Errorf("pgtest: %v", err)
	}
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// query reads one column of text on a connection of its own.
func query(ctx context.Context, url, sql string, args ...any) ([]string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// random is a part of a name that needs no quoting.
func random() string { return strings.ToLower(rand.Text())[:12] }

func inDatabase(server, name string) string {
	return with(server, func(u *url.URL) { u.Path = "/" + name })
}

func databaseOf(databaseURL string) (name string) {
	with(databaseURL, func(u *url.URL) { name = strings.TrimPrefix(u.Path, "/") })
	return name
}

// with changes a URL that was parsed before.
func with(text string, change func(*url.URL)) string {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	change(u)
	return u.String()
}
