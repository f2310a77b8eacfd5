package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
	"gesta/eventstore/postgres"
)

// Page is a part of a list: the first page is 1.
type Page struct{ Number, Size int }

// Offset is how many rows come before the page.
func (p Page) Offset() int { return (p.Number - 1) * p.Size }

// Of is on how many pages of that size so many rows are.
func (p Page) Of(total int) int { return (total + p.Size - 1) / max(1, p.Size) }

// Open connects to the read models that belong to a schema of the truth, in the same database.
func Open(ctx context.Context, url, schema string, tracers ...pgx.QueryTracer) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["search_path"] = ReadSchema(schema)
	// Questions are answered from indexes, whatever they ask for. To plan each of them anew took as long as all else, once
	// tables were so large that the planner hoped for something from it; and to compile what it took for dear, a hundred
	// times as long. A plan ends when the server has looked anew at how large a table is.
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	config.ConnConfig.RuntimeParams["jit"] = "off"
	if len(tracers) > 0 {
		config.ConnConfig.Tracer = multitracer.New(tracers...)
	}
	postgres.Impatient(config)
	config.AfterConnect = (&arrival{events: pgx.Identifier{schema, "events"}.Sanitize()}).await
	return pgxpool.NewWithConfig(ctx, config)
}

// one reads one row, or answers none when there is no such row.
func one[T any](ctx context.Context, db *postgres.Lookups, none error, sql string, args ...any) (row T, err error) {
	questions := &pgx.Batch{}
	questions.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		row, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
		return err
	})
	err = db.Ask(ctx, questions)
	if errors.Is(err, pgx.ErrNoRows) {
		return row, none
	}
	return row, understood(err)
}

// understood tells a database that is away, or has no read models yet, from a mistake and a refusal.
func understood(err error) error {
	var pg *pgconn.PgError
	var refusal *domain.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return err
	case errors.As(err, &pg) && !isPassing(pg.Code) && !isMissing(err):
		return err
	}
	return fmt.Errorf("%w (%w)", domain.ErrUnavailable, err)
}

// isPassing tells the classes of errors that mean "not now": connection, resources, intervention.
func isPassing(code string) bool {
	class := code[:2]
	return class == "08" || class == "53" || class == "57"
}

// isMissing tells that a table or a column is not there, before the projector has made it, or not as it
// was, when the projector has just put other ones in its place.
func isMissing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains([]string{"42P01", "42703", "3F000", "0A000"}, pg.Code)
}
