package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/feed"
)

// ReadSchema names the schema of the read models that belong to a schema of the truth.
func ReadSchema(truth string) string { return truth + "_read" }

// Schemas are those that Gesta makes beside a schema of the truth; those that a rebuild has replaced go by
// themselves.
func Schemas(truth string) []string { return []string{ReadSchema(truth), shadowSchema(truth)} }

// shadowSchema is where read models are built anew.
func shadowSchema(truth string) string { return ReadSchema(truth) + "_next" }

// follower is the name the projector's checkpoint goes by.
const follower = "projector"

// bookkeeping lies beside the read models, so that it moves in their transaction and goes where they go.
// advance refuses when another projector has taken over or moved on: what that one wrote must not be
// written again.
//
// The one row of checkpoints is keyed by its era as well, which changes with every 256th position, and asked for
// by it or as the last one. Each batch leaves a version of the row behind. Most are of the same key, and are
// removed in passing: an hour of batches leaves the table at some pages (with the position in the key, which every
// batch changes, it grew to 21 MB). But while a snapshot is open elsewhere, as that of a dump, none can be removed,
// and to find the row all of its key have to be passed: with the follower alone as the key, batches of one event
// fell from 13,000 a second to 1,400 within 30 s. Of an era there are no more than 256.
const bookkeeping = `
create table checkpoints (
	follower text        not null,
	position bigint      not null default 0,
	event_id uuid        not null default '00000000-0000-0000-0000-000000000000',
	turn     bigint      not null default 0,     -- grows with each projector that takes over, and each rebuild
	stale    boolean     not null default false, -- some read models stand still until they are rebuilt
	rebuild  bigint      not null default 0,     -- what made this schema; 0 for the first one
	moved_at timestamptz not null default now(),
	era      bigint      not null generated always as (position / 256) stored,
	primary key (follower, era)
);
create table built (
	projection  text   not null primary key,
	fingerprint text   not null,
	tables      text[] not null
);
create table parked (
	stream_kind text        not null,
	stream_id   uuid        not null,
	position    bigint      not null,
	event_id    uuid        not null,
	version     bigint      not null,
	type        text        not null,
	error       text        not null,
	parked_at   timestamptz not null default now(),
	retry       boolean     not null default false, -- to be tried again
	primary key (stream_id, stream_kind)
);
create index on parked (position) where retry;
create function advance(who text, whose bigint, from_position bigint, from_event uuid, to_position bigint, to_event uuid)
returns void language plpgsql as $$
begin
	update checkpoints set position = to_position, event_id = to_event, moved_at = now()
	where follower = who and era = from_position / 256 and turn = whose and position = from_position and event_id = from_event;
	if not found then
		raise exception 'the checkpoint of % is not at %, or no longer ours', who, from_position using errcode = 'GE002';
	end if;
end $$;
`

// errOutdated says that the read models were made by a projector that kept its books otherwise, or that
// the books are gone, or all of them.
var errOutdated = errors.New("projections: the read models can't be gone on with until they are rebuilt, " +
	"as they are by themselves or, where that has failed, by 'gesta projections rebuild'")

// errTables says that a projection's tables can't be made.
var errTables = errors.New("projections: create tables")

// errNoKey refuses tables that could not be compared with others.
var errNoKey = errors.New("projections: a table has no primary key")

// prepare takes the read schema over, and makes it where there is none.
func (p *Projector) prepare(ctx context.Context, conn *pgx.Conn) (m *models, err error) {
	schema := ReadSchema(p.Schema)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var there bool
		if err := tx.QueryRow(ctx, `select to_regnamespace($1) is not null`, schema).Scan(&there); err != nil {
			return err
		}
		if !there {
			if err := p.createFirst(ctx, tx, schema); err != nil {
				return err
			}
		}
		m, err = p.takeOver(ctx, tx, conn)
		return err
	})
	return m, err
}

// createFirst makes the read schema while so little has happened that it is filled at once. Later, readers
// would see it half filled.
func (p *Projector) createFirst(ctx context.Context, tx pgx.Tx, schema string) error {
	events, err := feed.Read(ctx, p.Store, eventstore.Mark{}, maxBatch+1)
	if err == nil && len(events) > maxBatch {
		err = errOutdated
	}
	if err == nil {
		err = create(ctx, tx, schema, p.Projections, 0)
	}
	if err != nil {
		return err
	}
	m := p.models(tx)
	if err := m.begin(ctx, tx); err != nil {
		return err
	}
	return m.apply(ctx, events)
}

// create makes a schema and the tables in it, which search_path finds there; what was there goes.
func create(ctx context.Context, tx pgx.Tx, schema string, all []Projection, rebuild int64) error {
	name := pgx.Identifier{schema}.Sanitize()
	_, err := tx.Exec(ctx, "drop schema if exists "+name+" cascade; create schema "+name+";"+bookkeeping)
	if err != nil {
		return fmt.Errorf("projections: create %s: %w", schema, err)
	}
	for _, one := range all {
		if err := createTables(ctx, tx, one); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `insert into built (projection, fingerprint, tables) values ('', $1, '{}')`, hash(bookkeeping))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into checkpoints (follower, rebuild, turn) values ($1, $2, $2::bigint << 32)`, follower, rebuild)
	return err
}

// createTables makes a projection's tables and notes which they are.
func createTables(ctx context.Context, tx pgx.Tx, one Projection) error {
	tables, err := newTables(ctx, tx, one)
	if err == nil {
		_, err = tx.Exec(ctx, `insert into built (projection, fingerprint, tables) values ($1, $2, $3)`,
			one.Name, one.fingerprint(), tables)
	}
	return err
}

// newTables makes a projection's tables and answers which they are.
func newTables(ctx context.Context, tx pgx.Tx, one Projection) ([]string, error) {
	const tablesSQL = `select c.relname::text, exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
		from pg_class c where c.relnamespace = any (current_schemas(true)::regnamespace[])
		and c.relnamespace <> 'pg_catalog'::regnamespace and c.relkind in ('r', 'p')`
	before, err := keyed(ctx, tx, tablesSQL)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, one.Tables); err != nil {
		return nil, fmt.Errorf("%w of %s: %w", errTables, one.Name, err)
	}
	after, err := keyed(ctx, tx, tablesSQL)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(after, func(table string, _ bool) bool { _, old := before[table]; return old })
	for table, has := range after {
		if !has {
			return nil, fmt.Errorf("%w: %s", errNoKey, table)
		}
	}
	return slices.Sorted(maps.Keys(after)), nil
}

// keyed answers tables, and whether they have a primary key.
func keyed(ctx context.Context, db querier, sql string) (map[string]bool, error) {
	rows, err := db.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	tables := map[string]bool{}
	var table string
	var has bool
	_, err = pgx.ForEachRow(rows, []any{&table, &has}, func() error { tables[table] = has; return nil })
	return tables, err
}

// takeOver begins a turn of writing: whoever wrote before is refused from now on. What only a newer program
// can write is tried again, for this may be one.
func (p *Projector) takeOver(ctx context.Context, tx pgx.Tx, conn *pgx.Conn) (*models, error) {
	m := p.models(conn)
	var event [16]byte
	err := tx.QueryRow(ctx, `update checkpoints set turn = turn + 1 where follower = $1 returning position, event_id, turn, rebuild`,
		follower).Scan(&m.at.Position, &event, &m.turn, &m.rebuild)
	if errors.Is(err, pgx.ErrNoRows) || isMissing(err) {
		return nil, errOutdated
	}
	if err != nil {
		return nil, err
	}
	m.at.Event = id.Event{ID: event}
	if err := m.begin(ctx, tx); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `update checkpoints set stale = $2 where follower = $1 and stale <> $2`, follower, m.stale)
	if err == nil {
		_, err = tx.Exec(ctx, `update parked set retry = true where error = $1`, unknownSchema)
	}
	return m, err
}

func (p *Projector) models(db database) *models {
	return &models{
		db: db, log: p.Log, vault: p.Vault, projections: p.Projections, parked: map[domain.Stream]bool{}, careful: &p.careful,
	}
}

// begin finds out what can be written, and which streams are parked.
func (m *models) begin(ctx context.Context, tx pgx.Tx) error {
	built, err := builtBy(ctx, tx)
	if err != nil {
		return err
	}
	if built[""] != hash(bookkeeping) {
		return errOutdated
	}
	delete(built, "")
	wanted := fingerprints(m.projections)
	m.stale = !maps.Equal(built, wanted)
	m.projections = slices.DeleteFunc(slices.Clone(m.projections), func(p Projection) bool { return built[p.Name] != wanted[p.Name] })
	streams, err := parked(ctx, tx, "")
	for _, p := range streams {
		m.parked[p.Stream] = true
	}
	return err
}

// builtSQL is small, and has no index to go by.
const builtSQL = `select projection, fingerprint from built`

// builtBy answers the fingerprints that the tables were made by.
func builtBy(ctx context.Context, db querier) (map[string]string, error) {
	built := map[string]string{}
	rows, err := db.Query(ctx, builtSQL)
	if err == nil {
		var name, by string
		_, err = pgx.ForEachRow(rows, []any{&name, &by}, func() error { built[name] = by; return nil })
	}
	if isMissing(err) {
		return nil, errOutdated
	}
	return built, err
}
