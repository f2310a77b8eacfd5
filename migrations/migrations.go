// Package migrations holds the schema of the truth and brings databases to it. Two schemas belong
// together: the one that is named, and that name with _keys, so that a backup can leave keys out.
//
// Each file is one transaction that also records its version, so a migration that is interrupted has
// not happened; what Postgres refuses inside a transaction cannot be in a file. Each file also runs
// alone, once its schema is there:
//
//	PGOPTIONS='-c search_path=gesta' psql -1 -f 0001_events.up.sql
package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/golang-migrate/migrate/v4"
	driver "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

//go:embed *.sql
var files embed.FS

// DefaultSchema is the schema's name where nobody chose another.
const DefaultSchema = "gesta"

// Progress is how far a schema has come.
type Progress struct {
	Version uint // the last migration that was run; zero when none was
	Latest  uint // the last migration this binary knows
	Dirty   bool // another tool was interrupted within a migration; nothing here leaves this behind
}

// Up creates the schema when it is absent and runs every migration it has not seen. Two may do so at
// once: one waits for the other, as long as ctx lasts. A schema that is newer than this binary is
// refused, for the rules in here may not be the ones it keeps. A login that may not migrate is told who may.
func Up(ctx context.Context, databaseURL, schema string) error {
	err := inTransaction(ctx, databaseURL, schema, createSchema)
	if err == nil {
		err = migrateTo(ctx, databaseURL, schema, (*migrate.Migrate).Up)
	}
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) && refusal.Code == insufficientPrivilege {
		err = errors.Join(Check(ctx, databaseURL, schema), err)
	}
	return err
}

// insufficientPrivilege is what Postgres says to a login that may not migrate.
const insufficientPrivilege = "42501"

// Check refuses a schema that this binary was not written for. It needs no more rights than the app's.
func Check(ctx context.Context, databaseURL, schema string) error {
	at, err := Status(ctx, databaseURL, schema)
	switch {
	case err != nil:
		return err
	case at.Version > at.Latest:
		return fmt.Errorf("migrations: %w", newer(schema, at.Version))
	case at.Version < at.Latest:
		return fmt.Errorf("migrations: schema %s has version %d, older than this binary needs (%d); "+
			"run 'gesta migrate up' as the owner of its tables (MIGRATE_DATABASE_URL)", schema, at.Version, at.Latest)
	}
	return nil
}

func newer(schema string, version uint) error {
	return fmt.Errorf("schema %s has version %d, newer than this binary knows (%d); run a newer gesta, or let that one "+
		"take it back with 'gesta migrate down'", schema, version, Latest())
}

// Down undoes the last migrations: as many as steps says, or as there are. It takes what they made
// with all it holds; the empty schema stays.
func Down(ctx context.Context, databaseURL, schema string, steps int) error {
	if steps < 1 {
		return fmt.Errorf("migrations: cannot undo %d migrations", steps)
	}
	progress, err := Status(ctx, databaseURL, schema)
	if err != nil || progress.Version == 0 {
		return err
	}
	return migrateTo(ctx, databaseURL, schema, func(m *migrate.Migrate) error {
		err := m.Steps(-steps)
		if short := (migrate.ErrShortLimit{}); errors.As(err, &short) {
			return nil
		}
		return err
	})
}

// Status tells how far a schema has come; one that is absent has version zero. It changes nothing
// and needs no more rights than the app's.
func Status(ctx context.Context, databaseURL, schema string) (Progress, error) {
	progress := Progress{Latest: Latest()}
	err := inTransaction(ctx, databaseURL, schema, func(ctx context.Context, tx pgx.Tx, schema string) error {
		return tx.QueryRow(ctx, "select version, dirty from "+versionTable(schema)).Scan(&progress.Version, &progress.Dirty)
	})
	if unrecorded(err) {
		err = nil
	}
	return progress, err
}

// unrecorded recognises the absence of versions: no row, no table, no schema.
func unrecorded(err error) bool {
	var refusal *pgconn.PgError
	return errors.Is(err, pgx.ErrNoRows) || errors.As(err, &refusal) && refusal.Code == "42P01"
}

// Hash is the hex SHA-256 of all migrations: databases made by the same ones are alike.
func Hash() string {
	h := sha256.New()
	for _, name := range names() {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err) // embedded files can be read
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // embedded folders can be read
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// Latest is the last migration that this binary knows.
func Latest() (version uint) {
	for _, name := range names() {
		if m, err := source.DefaultParse(name); err == nil {
			version = max(version, m.Version)
		}
	}
	return version
}

// A schema's name is so plain that it needs no quoting, and short enough for what is appended to it.
var validSchema = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func checkSchema(name string) error {
	if !validSchema.MatchString(name) {
		return fmt.Errorf("migrations: %q cannot name a schema: "+
			"a lower-case letter, then lower-case letters, digits and _, 40 at most", name)
	}
	return nil
}

func versionTable(schema string) string {
	return pgx.Identifier{schema, driver.DefaultMigrationsTable}.Sanitize()
}

// inTransaction does something to a schema on a connection of its own.
func inTransaction(
	ctx context.Context, databaseURL, schema string, do func(context.Context, pgx.Tx, string) error,
) error {
	if err := checkSchema(schema); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	defer conn.Close(ctx)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return do(ctx, tx, schema) })
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// takeTurns makes others wait until the transaction ends: two that create one schema, or grant on one
// table, at once fail in Postgres with errors that name its own tables.
const takeTurns = "select pg_advisory_xact_lock(hashtextextended('gesta schema and grants', 0))"

// createSchema asks first: a login that may not create schemas may still use one that is there.
func createSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	if _, err := tx.Exec(ctx, takeTurns); err != nil {
		return err
	}
	var exists bool
	err := tx.QueryRow(ctx, "select to_regnamespace($1) is not null", schema).Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = tx.Exec(ctx, "create schema "+pgx.Identifier{schema}.Sanitize())
	return err
}

// migrateTo lets golang-migrate work on a schema. That library knows no contexts, so the end of ctx
// cuts its connection.
func migrateTo(ctx context.Context, databaseURL, schema string, run func(*migrate.Migrate) error) error {
	db, err := open(ctx, databaseURL, schema)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	defer db.Close()
	stop, err := cutAtTheEndOf(ctx, db)
	if err == nil {
		defer stop()
		err = runOn(db, schema, run)
	}
	if err == nil || errors.Is(err, migrate.ErrNoChange) {
		return nil
	}
	return fmt.Errorf("migrations: %w", errors.Join(context.Cause(ctx), err))
}

// open allows one connection, and none once ctx has ended.
func open(ctx context.Context, databaseURL, schema string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize()
	db := stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(
		func(context.Context, *pgx.ConnConfig) error { return context.Cause(ctx) },
	))
	db.SetMaxOpenConns(1)
	return db, nil
}

func cutAtTheEndOf(ctx context.Context, db *sql.DB) (stop func() bool, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	err = conn.Raw(func(raw any) error {
		server := raw.(*stdlib.Conn).Conn().PgConn()
		stop = context.AfterFunc(ctx, func() { cut(server) })
		return nil
	})
	return stop, err
}

// cut asks the server to give up what it is doing, and hangs up.
func cut(server *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = server.CancelRequest(ctx)
	_ = server.Conn().Close()
}

func runOn(db *sql.DB, schema string, run func(*migrate.Migrate) error) error {
	ours, err := iofs.New(files, ".")
	if err != nil {
		return err
	}
	theirs, err := driver.WithInstance(db, &driver.Config{SchemaName: schema})
	if err != nil {
		return err
	}
	m, err := migrate.NewWithInstance("files", ours, "postgres", &atomic{Driver: theirs, schema: schema})
	if err != nil {
		return err
	}
	m.LockTimeout = 24 * time.Hour // ctx is the bound
	err = run(m)
	sourceErr, databaseErr := m.Close()
	return errors.Join(err, sourceErr, databaseErr)
}
