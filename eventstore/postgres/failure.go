package postgres

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gesta/domain"
	"gesta/eventstore"
)

// What Postgres says of an append that contradicts what is there, of what the login may not do, and
// of writes to a standby or a primary that has been demoted.
const (
	uniqueViolation       = "23505"
	refusedVersions       = "GE001" // raised by refuse_versions
	refusedSubjects       = "GE003" // raised by refuse_subjects
	insufficientPrivilege = "42501"
	readOnly              = "25006"
)

// awayClasses are the SQLSTATE classes that say nothing about the question and all about the server:
// connections, rollbacks for the sake of others, resources, operators, the system underneath.
var awayClasses = []string{"08", "40", "53", "57", "58"}

// unfitClasses say that Postgres can't keep what it is given: it is no such value, or exceeds a limit.
var unfitClasses = []string{"22", "54"}

// goneStates say that a table or its schema is not there, or not for this login: somebody is restoring it.
var goneStates = []string{"42P01", "3F000", insufficientPrivilege}

// wrap says what failed, as failed does, and as eventstore.ErrUnavailable also where tables are away that
// were there before.
func wrap(what string, err error) error {
	if slices.Contains(goneStates, sqlState(err)) {
		return fmt.Errorf("%w: %s: %w", eventstore.ErrUnavailable, what, err)
	}
	return failed(what, err)
}

// failed says what failed, as eventstore.ErrUnavailable where the database was away, and as
// eventstore.ErrMalformed where it can't keep what it was given; nil and refusals stay what they are.
func failed(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case isRefusal(err):
		return err
	case isAway(err):
		return fmt.Errorf("%w: %s: %w", eventstore.ErrUnavailable, what, err)
	case slices.Contains(unfitClasses, class(err)):
		return fmt.Errorf("%w: %s: %w", eventstore.ErrMalformed, what, err)
	default:
		return fmt.Errorf("postgres: %s: %w", what, err)
	}
}

// isAway tells failures of the connection and the server from answers of the database. Whatever isn't
// an answer of the server is a failure of the connection, unless it was read and not understood.
func isAway(err error) bool {
	var connect *pgconn.ConnectError
	var answer *pgconn.PgError
	var scan pgx.ScanArgError
	switch {
	case errors.As(err, &connect):
		return true
	case errors.As(err, &answer):
		return answer.SeverityUnlocalized == "FATAL" || answer.Code == readOnly || slices.Contains(awayClasses, class(err))
	default:
		return !errors.As(err, &scan)
	}
}

// isRefusal tells what the caller is refused with, whatever the database said.
func isRefusal(err error) bool {
	var refusal *domain.Fault
	return errors.As(err, &refusal)
}

// isContradiction reports whether a batch was rolled back because something in it contradicts what
// is there.
func isContradiction(err error) bool {
	code := sqlState(err)
	return code == uniqueViolation || code == refusedVersions || code == refusedSubjects
}

// sqlState is empty for what isn't an answer of the server; class is its first two characters.
func sqlState(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

func class(err error) string {
	code := sqlState(err)
	return code[:min(2, len(code))]
}
