package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gesta/domain/id"
	"gesta/eventstore"
)

// ReadSchema names the schema of the read models that belong to a schema of the truth.
func ReadSchema(truth string) string { return truth + "_read" }

// follower is the name the projector's checkpoint goes by.
const follower = "projector"

// The checkpoint lies beside the read models, so that it moves in their transaction and goes where
// they go. advance refuses when another projector has moved it: what that one wrote must not be
// written again.
const checkpointTable = `
create table checkpoints (
	follower    text        not null primary key,
	position    bigint      not null,
	event_id    uuid        not null,
	fingerprint text        not null,
	moved_at    timestamptz not null default now()
);
create function advance(who text, from_position bigint, from_event uuid, to_position bigint, to_event uuid)
returns void language plpgsql as $$
begin
	update checkpoints set position = to_position, event_id = to_event, moved_at = now()
	where follower = who and position = from_position and event_id = from_event;
	if not found then
		raise exception 'the checkpoint of % is not at %', who, from_position using errcode = 'GE002';
	end if;
end $$;
`

// prepare makes the read schema be what the projections say: created when it is not there, begun anew
// when it was built by other ones. It answers where they stand.
func (p *Projector) prepare(ctx context.Context, conn *pgx.Conn) (m eventstore.Mark, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var built string
		m, built, err = p.checkpoint(ctx, tx)
		if err != nil || built == fingerprint(p.Projections) {
			return err
		}
		p.Log.Info("read models are built from the beginning", "schema", ReadSchema(p.Schema))
		m = eventstore.Mark{}
		return p.create(ctx, tx)
	})
	return m, err
}

// checkpoint answers the zero Mark and no fingerprint where nothing was ever built.
func (p *Projector) checkpoint(ctx context.Context, tx pgx.Tx) (m eventstore.Mark, built string, err error) {
	var there bool
	err = tx.QueryRow(ctx, `select to_regclass($1) is not null`, ReadSchema(p.Schema)+".checkpoints").Scan(&there)
	if err != nil || !there {
		return m, "", err
	}
	var event [16]byte
	err = tx.QueryRow(ctx, `select position, event_id, fingerprint from checkpoints where follower = $1`, follower).
		Scan(&m.Position, &event, &built)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	m.Event = id.Event{ID: event}
	return m, built, err
}

func (p *Projector) create(ctx context.Context, tx pgx.Tx) error {
	schema := pgx.Identifier{ReadSchema(p.Schema)}.Sanitize()
	sql := fmt.Sprintf("drop schema if exists %s cascade; create schema %s;", schema, schema) + checkpointTable
	for _, one := range p.Projections {
		sql += one.Tables + ";"
	}
	if _, err := tx.Exec(ctx, sql); err != nil {
		return fmt.Errorf("projections: create tables: %w", err)
	}
	_, err := tx.Exec(ctx, `insert into checkpoints (follower, position, event_id, fingerprint) values ($1, 0, $2, $3)`,
		follower, [16]byte{}, fingerprint(p.Projections))
	return err
}

// Reset empties every read model and sets the checkpoint to the beginning, in one transaction. Whoever
// projects at the moment finds its checkpoint moved, and begins anew.
func (p *Projector) Reset(ctx context.Context) error {
	conn, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := p.prepare(ctx, conn); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// The checkpoint comes first, as it does in every batch: in another order the two could deadlock.
		_, err := tx.Exec(ctx, `update checkpoints set position = 0, event_id = $1, moved_at = now()`, [16]byte{})
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, truncateAll)
		return err
	})
}

const truncateAll = `do $$ declare t text; begin
	for t in select tablename from pg_tables where schemaname = current_schema() and tablename <> 'checkpoints' loop
		execute format('truncate %I', t);
	end loop;
end $$`
