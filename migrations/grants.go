package migrations

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// grants are what the app does to each table: it adds facts and never changes one, and it locks the
// head, for which Postgres asks the right to update.
var grants = []struct{ schema, table, rights string }{
	{"", "events", "select, insert"},
	{"", "head", "select, update"},
	{"", "claims", "select, insert, delete"},
	{"", "subject_streams", "select, insert"},
	{"", "idempotency", "select, insert, delete"},
	{"", "checkpoints", "select, insert, update"},
	{"", "timers", "select, insert, update, delete"},
	{"", "rebuilds", "select, insert, update"},
	{"", "history_classes", "select, insert"},
	{"", "history", "select, insert"},
	{"", "history_hours", "select, insert"},
	{"", "history_counts", "select, insert, update"},
	{"", "proof_tiles", "select, insert, update"},
	{"", "proof_log", "select, insert, update"},
	{"", "schema_migrations", "select"},
	{keys, "subject_keys", "select, insert, update"},
	{keys, "house_keys", "select, insert, update"},
}

// keys follows a schema's name to name the schema of its keys.
const keys = "_keys"

// GrantApp gives an existing login what the app needs of a schema that is up to date, and no more: it
// can neither change nor remove a fact. It may create schemas, for the projector makes the read
// models' own, and temporary tables, in which read models are verified. Granting twice is fine.
func GrantApp(ctx context.Context, ownerURL, schema, login string) error {
	return inTransaction(ctx, ownerURL, schema, func(ctx context.Context, tx pgx.Tx, schema string) error {
		if err := grant(ctx, tx, schema, login); err != nil {
			return fmt.Errorf("granting to %q: %w", login, err)
		}
		return nil
	})
}

func grant(ctx context.Context, tx pgx.Tx, schema, login string) error {
	if _, err := tx.Exec(ctx, takeTurns); err != nil {
		return err
	}
	var database string
	if err := tx.QueryRow(ctx, "select current_database()").Scan(&database); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, strings.Join(grantStatements(database, schema, login), "; "))
	return err
}

func grantStatements(database, schema, login string) []string {
	to := " to " + pgx.Identifier{login}.Sanitize()
	statements := []string{
		"grant create, temporary on database " + pgx.Identifier{database}.Sanitize() + to,
		"grant usage on schema " + pgx.Identifier{schema}.Sanitize() + to,
		"grant usage on schema " + pgx.Identifier{schema + keys}.Sanitize() + to,
	}
	for _, g := range grants {
		table := pgx.Identifier{schema + g.schema, g.table}.Sanitize()
		statements = append(statements, "grant "+g.rights+" on "+table+to)
	}
	return statements
}
