package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"gesta/eventstore/postgres/cluster"
	"gesta/migrations"

	"github.com/jackc/pgx/v5"
)

// Main runs a package's tests and then ends the server that was started for them, if one was. It is
// called by TestMain, which returns after it.
func Main(m *testing.M) {
	m.Run()
	if throwAway == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := throwAway.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
	}
}

// throwAway is this process's own server; nil while there is none.
var throwAway *cluster.Cluster

// server is the URL of the server's maintenance database; the server is found or started once.
var server = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		return given, checkURL(given)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	started, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return "", err
	}
	throwAway = started
	return started.URL("postgres"), nil
})

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("TEST_DATABASE_URL is not of the form postgres://user:password@host:port/database")
	}
	return nil
}

// need answers what the server offers, or ends the test: skipped where there is no Postgres, unless CI
// is set, and failed where there is one that does not work.
func need(t testing.TB, what func() (string, error)) string {
	t.Helper()
	answer, err := what()
	switch {
	case err == nil:
	case errors.Is(err, cluster.ErrNoPostgres) && os.Getenv("CI") == "":
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	default:
		t.Fatalf("pgtest: %v", err)
	}
	return answer
}

// template is the name of the migrated database that others are copied from. It is made once for each
// state of the migrations; processes that share the server take turns.
var template = sync.OnceValues(func() (string, error) {
	admin, err := server()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	name := "gesta_template_" + migrations.Hash()[:16]
	return name, makeTemplate(ctx, admin, name)
})

func makeTemplate(ctx context.Context, admin, name string) error {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "select pg_advisory_lock(hashtextextended($1, 0))", name); err != nil {
		return err
	}
	var made bool
	err = conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&made)
	if err != nil || made {
		return err
	}
	return buildTemplate(ctx, conn, inDatabase(admin, name+"_new"), name)
}

// buildTemplate gives the template its name when it is whole, and closes it: a copy can only be made
// while nobody is connected.
func buildTemplate(ctx context.Context, conn *pgx.Conn, unfinishedURL, name string) error {
	unfinished := name + "_new"
	for _, step := range []func() error{
		telling(ctx, conn, "drop database if exists "+unfinished+" with (force)"),
		telling(ctx, conn, "create database "+unfinished+" template template0 strategy file_copy"),
		func() error { return migrations.Up(ctx, unfinishedURL, migrations.DefaultSchema) },
		telling(ctx, conn, "alter database "+unfinished+" with allow_connections false"),
		telling(ctx, conn, "alter database "+unfinished+" rename to "+name),
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func telling(ctx context.Context, conn *pgx.Conn, statement string) func() error {
	return func() error {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		return nil
	}
}
