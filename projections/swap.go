package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gesta/eventstore/checkpoint"
)

// swap puts the shadow in the place of the old read models, while nobody writes either. Whoever reads
// sees the old ones or the new ones, which are as far or further.
func (b *rebuild) swap(ctx context.Context) error {
	if err := b.fill(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live == nil && isMoved(b.Err()) {
		return errMoved // Who writes them now may be further, and so may be their readers.
	}
	if err := b.catchUp(ctx); err != nil {
		return err
	}
	b.request.State, b.request.Position, b.request.Target = Done, b.shadow.at.Position, b.shadow.at.Position
	if err := pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error { return b.rename(ctx, tx) }); err != nil {
		return err
	}
	b.Log.Info("the rebuilt read models are in place", "rebuild", b.request.ID, "position", b.shadow.at.Position)
	b.turns.Well()
	if b.live != nil {
		b.shadow.db, b.live = b.term.conn, b.shadow
		b.moved()
	}
	return nil
}

// catchUp moves the shadow to where the history ends now, and makes sure that readers are not taken back,
// as long as it is one history.
func (b *rebuild) catchUp(ctx context.Context) error {
	head, err := b.Store.Head(ctx)
	if err == nil {
		err = b.shadow.follow(ctx, b.Store, head.Mark)
	}
	if err != nil {
		return err
	}
	if b.live == nil || b.live.at.Position <= b.shadow.at.Position {
		return nil
	}
	err = checkpoint.Verify(ctx, b.Store, b.live.at)
	if forked := (*checkpoint.Forked)(nil); !errors.As(err, &forked) {
		return errors.Join(errors.New("projections: the rebuilt read models are behind"), err)
	}
	if !b.request.Replace {
		return errStandStill
	}
	return nil
}

// rename also makes sure that nobody else has taken over either of the two.
func (b *rebuild) rename(ctx context.Context, tx pgx.Tx) error {
	live, next := ReadSchema(b.Schema), b.shadowSchema()
	if err := b.requests(tx).note(ctx, b.request, b.fingerprint()); err != nil {
		return err
	}
	if err := isOurs(ctx, tx, next, b.shadow); err != nil {
		return err
	}
	if b.live != nil {
		if err := isOurs(ctx, tx, live, b.live); err != nil {
			return err
		}
	}
	old := fmt.Sprintf("%s%d", b.oldSchemas(), b.request.ID)
	sql := fmt.Sprintf(`do $$ begin if to_regnamespace('%[1]s') is not null then alter schema %[1]s rename to %[2]s; end if; end $$;
		alter schema %[3]s rename to %[1]s; set local synchronous_commit = on`, live, old, next)
	_, err := tx.Exec(ctx, sql)
	return err
}

// isOurs holds the checkpoint of a schema to the end of the transaction, if it is where we left it.
func isOurs(ctx context.Context, tx pgx.Tx, schema string, m *models) error {
	var ours bool
	err := tx.QueryRow(ctx, `select turn = $2 and position = $3 and event_id = $4 from `+pgx.Identifier{schema, "checkpoints"}.Sanitize()+
		` where follower = $1 for update`, follower, m.turn, m.at.Position, [16]byte(m.at.Event.ID)).Scan(&ours)
	if err == nil && !ours {
		err = errMoved
	}
	return err
}

// sweep drops what earlier rebuilds have left.
func (t *term) sweep(ctx context.Context, conn *pgx.Conn) error {
	rows, _ := conn.Query(ctx, `select nspname::text from pg_namespace where nspname = $1 or starts_with(nspname, $2)`,
		t.shadowSchema(), t.oldSchemas()) // An error of Query comes again when the rows are read.
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, schema := range left {
		if err == nil {
			err = t.drop(ctx, conn, schema)
		}
	}
	return err
}

// drop waits only shortly for those who still read: it comes back later. What somebody else rebuilds by now
// is left alone.
func (t *term) drop(ctx context.Context, conn *pgx.Conn, schema string) error {
	_, err := conn.Exec(ctx, fmt.Sprintf(`begin; set local lock_timeout = '1s'; lock table %[1]s in share mode;
		do $$ begin if not exists (select from %[1]s where %[2]s) then drop schema if exists %[3]s cascade; end if; end $$; commit`,
		t.requests(conn).table(), unfinished, pgx.Identifier{schema}.Sanitize()))
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		_, rollback := conn.Exec(ctx, `rollback`)
		if pg.Code == "55P03" {
			err = nil
		}
		err = errors.Join(err, rollback)
	}
	return err
}
