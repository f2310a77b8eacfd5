package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore/postgres/pgtest"
)

// TestStatementsCanBePrepared prepares every statement there is, in the name of the app.
func TestStatementsCanBePrepared(t *testing.T) {
	t.Parallel()
	url := pgtest.AppLogin(t, pgtest.Database(t))
	a := idle(t, url, nil)
	if len(a.link.statements) < 15 {
		t.Errorf("the appender knows %d statements", len(a.link.statements))
	}
	conn := connected(t, url)
	files, err := fs.Glob(readSQL, "sql/read/*.sql")
	if err != nil || len(files) < 6 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, f := range files {
		text, err := readSQL.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Prepare(t.Context(), f, string(text)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// TestPlansAreGoodForEver wants no statement of the appender to walk a table that grows, though it is
// planned while all of them are empty.
func TestPlansAreGoodForEver(t *testing.T) {
	t.Parallel()
	a := idle(t, pgtest.Database(t), nil)
	for name, s := range a.link.statements {
		if len(s.ParamOIDs) == 0 && name != "lock" {
			continue
		}
		nulls := strings.TrimSuffix(strings.Repeat("null,", len(s.ParamOIDs)), ",")
		if nulls != "" {
			nulls = "(" + nulls + ")"
		}
		plan := explain(t, a.link.conn, fmt.Sprintf("explain execute %s%s", name, nulls))
		if walk := walks(plan); walk != "" {
			t.Errorf("%s walks a table: %s\n%s", name, walk, plan)
		}
	}
}

// walks answers a line of a plan that reads a whole table or index: a scan of one that is neither
// stopped by a limit nor led by a condition.
func walks(plan string) string {
	lines := strings.Split(plan, "\n")
	for i, line := range lines {
		scan := strings.Contains(line, " using ") || strings.Contains(line, "Seq Scan on ") ||
			strings.Contains(line, "Bitmap Index") || strings.Contains(line, "hashed")
		limited := i > 0 && strings.Contains(lines[i-1], "Limit")
		led := i+1 < len(lines) && strings.Contains(lines[i+1], "Index Cond")
		if scan && !limited && !led {
			return line
		}
	}
	return ""
}

func explain(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	rows, err := conn.Query(context.WithoutCancel(t.Context()), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(lines, "\n")
}
