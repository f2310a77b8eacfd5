package projections

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"gesta/domain"
)

// poison is what is wrong with an event, in words that may be read by anybody.
type poison struct{ text string }

func (p *poison) Error() string { return p.text }

// unknownSchema is what is wrong with an event for as long as this program leads, and no newer one.
const unknownSchema = "its schema is newer than this program"

// poisonous are the classes of errors that lie in what is written: a value that is none, one that breaks a
// rule of its table, one that is too large for an index.
var poisonous = []string{"22", "23", "54"}

// isPoison tells that an event can't be written, however often it is tried.
func isPoison(err error) bool {
	if bad := (*poison)(nil); errors.As(err, &bad) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return slices.Contains(poisonous, pg.Code[:2])
	}
	return isUnencodable(err)
}

// isUnencodable finds values that don't fit their column, which the driver sees before Postgres does.
func isUnencodable(err error) bool {
	return err != nil && strings.Contains(err.Error(), "failed to encode args[")
}

// toldOf says what is wrong by names alone: Postgres' messages and details may hold what the event says.
func toldOf(err error) string {
	var bad *poison
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &bad):
		return bad.text
	case errors.As(err, &pg):
		return strings.TrimSpace("SQLSTATE " + pg.Code + named("table", pg.TableName) + named("column", pg.ColumnName) +
			named("constraint", pg.ConstraintName))
	}
	return "a value does not fit its column"
}

func named(what, name string) string {
	if name == "" {
		return ""
	}
	return " " + what + " " + name
}

// write runs the rule; one that panics has met an event it can't deal with.
func (r Rule) write(w Write, e domain.Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &poison{"the rule " + domain.Panicked(p)}
		}
	}()
	r.apply(w, e)
	return nil
}
