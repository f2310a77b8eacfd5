package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gesta/eventstore/checkpoint"
)

func (p *Projector) shadowSchema() string { return shadowSchema(p.Schema) }

// oldSchemas is how the names of those begin that were replaced.
func (p *Projector) oldSchemas() string { return ReadSchema(p.Schema) + "_old_" }

// How often a rebuild says how far it has come.
const noteEvery = 250 * time.Millisecond

// errStandStill refuses to compare with read models that do not move.
var errStandStill = errors.New("the read models stand still and can't be compared: only a rebuild with replace can take their place")

// rebuilds does what is asked for, until ctx ends. Failures are logged and tried again, from where they
// happened.
func (t *term) rebuilds(ctx context.Context) {
	var known string
	for ctx.Err() == nil {
		err := t.rebuildTurn(ctx)
		if ctx.Err() == nil && err.Error() != known {
			known = err.Error()
			t.Log.Warn("rebuild of the read models stopped, trying again", "error", err)
		}
		rest(ctx, restAfterFailure)
	}
}

// rebuildTurn works on a connection until something goes wrong.
func (t *term) rebuildTurn(ctx context.Context) error {
	conn, err := t.connect(ctx, t.shadowSchema())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		one, found, err := t.requests(conn).next(ctx)
		switch {
		case err != nil:
			return err
		case found:
			err = (&rebuild{term: t, conn: conn, request: one}).do(ctx)
		default:
			err = t.sweep(ctx, conn)
			rest(ctx, watchEvery)
		}
		if err != nil {
			return err
		}
	}
}

func (p *Projector) requests(db querier) Rebuilds { return Rebuilds{DB: db, Schema: p.Schema} }

// rebuild is one request being done.
type rebuild struct {
	*term
	conn    *pgx.Conn
	request Rebuild
	shadow  *models
	noted   time.Time
}

// do brings the request to its end, unless an error is such that it may succeed later.
func (b *rebuild) do(ctx context.Context) error {
	differences, err := b.run(ctx)
	switch {
	case len(differences) > 0:
		b.Log.Warn("the rebuilt read models differ from the old ones, which are kept", "rows", len(differences), "first", differences[0].String())
		return b.giveUp(ctx, Different, RebuildDetail{Differences: differences})
	case isFinal(err):
		b.Log.Error("the read models can't be rebuilt", "error", err)
		return b.giveUp(ctx, Failed, RebuildDetail{Error: err.Error()})
	}
	return err
}

// isFinal tells what will be no better the next time: tables that can't be made, or nothing to compare
// with.
func isFinal(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, errNoKey) || errors.Is(err, errStandStill) ||
		errors.Is(err, errTables) && errors.As(err, &pg) && strings.HasPrefix(pg.Code, "42")
}

// run fills the shadow, compares it and puts it in the place of the old read models. What it answers are
// differences because of which it has not.
func (b *rebuild) run(ctx context.Context) ([]Difference, error) {
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	if err := b.fill(ctx); err != nil {
		return nil, err
	}
	if !b.request.Replace {
		differences, err := b.compare(ctx)
		if err != nil || len(differences) > 0 {
			return differences, err
		}
	}
	return nil, b.swap(ctx)
}

// open goes on with the shadow that was begun for this request by the same rules, or begins one.
func (b *rebuild) open(ctx context.Context) error {
	err := b.resume(ctx)
	if !errors.Is(err, errOutdated) {
		return err
	}
	err = pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) (err error) {
		if err = create(ctx, tx, b.shadowSchema(), b.Projections, b.request.ID); err == nil {
			err = b.takeShadow(ctx, tx)
		}
		return err
	})
	if err == nil {
		b.Log.Info("read models are built anew", "rebuild", b.request.ID, "replace", b.request.Replace)
	}
	return err
}

// resume answers errOutdated when there is nothing to go on with.
func (b *rebuild) resume(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) (err error) {
		err = b.takeShadow(ctx, tx)
		if err == nil && (b.shadow.stale || b.shadow.rebuild != b.request.ID) {
			err = errOutdated
		}
		return err
	})
	if err != nil {
		return err
	}
	if forked := (*checkpoint.Forked)(nil); errors.As(checkpoint.Verify(ctx, b.Store, b.shadow.at), &forked) {
		return errOutdated
	}
	return nil
}

func (b *rebuild) takeShadow(ctx context.Context, tx pgx.Tx) (err error) {
	if b.shadow, err = b.takeOver(ctx, tx, b.conn); err == nil {
		b.shadow.careful = &b.term.careful
	}
	return err
}

// fill writes what the store has, until it has hardly more.
func (b *rebuild) fill(ctx context.Context) error {
	if err := b.note(ctx, Filling); err != nil {
		return err
	}
	for {
		events, err := after(ctx, b.Store, b.shadow.at, maxBatch)
		if err != nil {
			return err
		}
		if err := b.shadow.apply(ctx, events); err != nil || len(events) < maxBatch {
			return err
		}
		if time.Since(b.noted) > noteEvery {
			if err := b.note(ctx, Filling); err != nil {
				return err
			}
		}
	}
}

// note says how far the rebuild is.
func (b *rebuild) note(ctx context.Context, state RebuildState) error {
	head, err := b.Store.Head(ctx)
	if err != nil {
		return err
	}
	b.noted = time.Now()
	b.request.State, b.request.Position, b.request.Target = state, b.shadow.at.Position, head.Position
	return b.requests(b.conn).note(ctx, b.request, b.fingerprint())
}

// compare holds the tables of unchanged projections against the old ones.
func (b *rebuild) compare(ctx context.Context) ([]Difference, error) {
	unchanged, err := b.unchanged(ctx)
	if err != nil || len(unchanged) == 0 {
		return nil, err
	}
	if err := b.note(ctx, Comparing); err != nil {
		return nil, err
	}
	tables, err := tablesOf(ctx, b.conn, unchanged)
	c := &comparison{conn: b.conn, store: b.Store, old: ReadSchema(b.Schema), new: b.shadowSchema(), shadow: b.shadow}
	for _, table := range tables {
		if err == nil && len(c.found) < maxDifferences {
			err = b.patiently(ctx, func() error { return c.table(ctx, table) })
		}
	}
	return c.found, err
}

// patiently waits for the old read models where they are behind the new ones.
func (b *rebuild) patiently(ctx context.Context, compare func() error) error {
	for began := time.Now(); ; {
		err := compare()
		var forked *checkpoint.Forked
		switch {
		case errors.As(err, &forked):
			return errStandStill
		case !errors.Is(err, errBehind):
			return err
		case b.standsStill(began):
			return errStandStill
		}
		rest(ctx, pollWhileWaited)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// How long tables may be missing: a schema that is lost as a whole is soon made again.
const missingPatience = 3 * time.Second

// standsStill tells failures that don't pass from those that do.
func (b *rebuild) standsStill(since time.Time) bool {
	err, forked := b.Err(), (*checkpoint.Forked)(nil)
	return errors.As(err, &forked) || errors.Is(err, errOutdated) || isMissing(err) && time.Since(since) > missingPatience
}

// unchanged answers the projections that are kept true meanwhile; none when there is nothing to compare
// with. Streams that are parked are tried again first: what was wrong may be what has changed.
func (b *rebuild) unchanged(ctx context.Context) ([]string, error) {
	for began := time.Now(); ctx.Err() == nil; {
		names, there := b.moving()
		switch {
		case there:
			return names, b.tryParked(ctx)
		case errors.Is(b.Err(), errOutdated):
			return nil, nil
		case b.standsStill(began):
			return nil, errStandStill
		}
		rest(ctx, pollWhileWaited)
	}
	return nil, ctx.Err()
}

// moving answers the projections that are kept true, if any are.
func (b *rebuild) moving() (names []string, there bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live == nil {
		return nil, false
	}
	for _, p := range b.live.projections {
		names = append(names, p.Name)
	}
	return names, true
}

func (b *rebuild) tryParked(ctx context.Context) error {
	_, err := b.conn.Exec(ctx, `update `+pgx.Identifier{ReadSchema(b.Schema), "parked"}.Sanitize()+` set retry = true`)
	if err != nil {
		return err
	}
	return b.release(ctx)
}

// tablesOf answers the tables of some projections.
func tablesOf(ctx context.Context, db querier, projections []string) ([]string, error) {
	rows, _ := db.Query(ctx, `select t from built, unnest(tables) t where projection = any ($1) order by t`, projections)
	return pgx.CollectRows(rows, pgx.RowTo[string]) // An error of Query comes again here.
}

// swap puts the shadow in the place of the old read models, while nobody writes either. Whoever reads
// sees the old ones or the new ones, which are as far or further.
func (b *rebuild) swap(ctx context.Context) error {
	if err := b.fill(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.catchUp(ctx); err != nil {
		return err
	}
	b.request.State, b.request.Position, b.request.Target = Done, b.shadow.at.Position, b.shadow.at.Position
	if err := pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error { return b.rename(ctx, tx) }); err != nil {
		return err
	}
	b.Log.Info("the rebuilt read models are in place", "rebuild", b.request.ID, "position", b.shadow.at.Position)
	if b.live != nil {
		b.shadow.db = b.term.conn
		b.live = b.shadow
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
	if _, err := tx.Exec(ctx, sql); err != nil {
		return err
	}
	return b.requests(tx).note(ctx, b.request, b.fingerprint())
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

// giveUp ends the request and lets go of the shadow.
func (b *rebuild) giveUp(ctx context.Context, state RebuildState, detail RebuildDetail) error {
	b.request.State, b.request.Detail = state, detail
	if err := b.requests(b.conn).note(ctx, b.request, b.fingerprint()); err != nil {
		return err
	}
	return b.drop(ctx, b.conn, b.shadowSchema())
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

// drop waits only shortly for those who still read: it comes back later.
func (t *term) drop(ctx context.Context, conn *pgx.Conn, schema string) error {
	_, err := conn.Exec(ctx, `begin; set local lock_timeout = '1s'; drop schema if exists `+pgx.Identifier{schema}.Sanitize()+` cascade; commit`)
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

// fingerprint is that of all projections together.
func (p *Projector) fingerprint() string {
	by := fingerprints(p.Projections)
	text := hash(bookkeeping)
	for _, name := range slices.Sorted(maps.Keys(by)) {
		text += fmt.Sprintf("%q %s", name, by[name])
	}
	return hash(text)
}

// isAsked tells whether there is a rebuild to do, over a connection of its own.
func (p *Projector) isAsked(ctx context.Context) bool {
	conn, err := p.connect(ctx, p.shadowSchema())
	if err != nil {
		return false
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, asked, err := p.requests(conn).next(ctx)
	return asked && err == nil
}
