package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/eventstore"
)

// Ask sends questions in one round trip, and ahead of them the precondition of ctx if that is still to be
// asked for: where it is not met, its refusal is all that is answered. The pool may be any of the store's
// own database.
func Ask(ctx context.Context, pool *pgxpool.Pool, questions *pgx.Batch) error {
	return ask(ctx, through(pool), questions)
}

// sender sends questions in one round trip and waits until their answers are dealt with.
type sender func(context.Context, *pgx.Batch) error

func through(pool *pgxpool.Pool) sender {
	return func(ctx context.Context, questions *pgx.Batch) error { return pool.SendBatch(ctx, questions).Close() }
}

func ask(ctx context.Context, send sender, questions *pgx.Batch) error {
	p, err := eventstore.Unasked(ctx)
	if p != nil {
		if s, ours := p.Store.(*Store); ours {
			return s.askBehind(ctx, p, send, questions)
		}
		err = eventstore.Met(ctx)
	}
	if err != nil {
		return err
	}
	return send(ctx, questions)
}

// askBehind sends questions behind a precondition. When the server does not answer, that is what came of the
// precondition: to ask once more would make everybody wait for twice as long. When it finds something wrong,
// that may lie in the questions: the precondition is then asked on its own before anything is said.
func (s *Store) askBehind(ctx context.Context, p *eventstore.Precondition, send sender, questions *pgx.Batch) error {
	err := send(ctx, s.ahead(p, questions))
	unasked, refused := eventstore.Unasked(ctx)
	switch {
	case refused != nil:
		return refused
	case unasked != nil && err != nil && !isAnswer(err):
		return p.Fail(failed("holder", err))
	}
	return err
}

// ahead puts the precondition before other questions.
func (s *Store) ahead(p *eventstore.Precondition, questions *pgx.Batch) *pgx.Batch {
	all := &pgx.Batch{}
	all.Queue(s.isHeldSQL, [16]byte(p.Claim.Scope), [16]byte(p.Claim.Name)).Query(func(rows pgx.Rows) error {
		held := rows.Next()
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		return p.Judge(held)
	})
	all.QueuedQueries = append(all.QueuedQueries, questions.QueuedQueries...)
	return all
}

// isAnswer tells what the server finds wrong from a server that does not answer.
func isAnswer(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer)
}

// rowsOf asks one question.
func rowsOf[T any](ctx context.Context, send sender, scan pgx.RowToFunc[T], sql string, args ...any) (all []T, err error) {
	questions := &pgx.Batch{}
	queueRows(questions, &all, scan, sql, args...)
	err = ask(ctx, send, questions)
	return all, err
}

// queueRows puts a question into a batch, and its answer where it is told to.
func queueRows[T any](questions *pgx.Batch, into *[]T, scan pgx.RowToFunc[T], sql string, args ...any) {
	questions.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, scan)
		return err
	})
}
