package projections

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore/checkpoint"
)

// compare holds the tables of unchanged projections against the old ones.
func (b *rebuild) compare(ctx context.Context) ([]Difference, error) {
	unchanged, err := b.unchanged(ctx)
	if err != nil || len(unchanged) == 0 {
		return nil, err
	}
	b.request.State = Comparing
	if err := b.note(ctx); err != nil {
		return nil, err
	}
	tables, err := tablesOf(ctx, b.conn, unchanged)
	if err != nil {
		return nil, err
	}
	c := &comparison{
		conn: b.conn, store: b.Store, shadow: b.shadow, wait: b.patience(), yield: b.yield,
		old: ReadSchema(b.Schema), new: b.shadowSchema(),
	}
	err = c.tables(ctx, tables)
	if forked := (*checkpoint.Forked)(nil); errors.As(err, &forked) {
		err = errStandStill
	}
	return c.found, err
}

// patience waits for the old read models where they are behind the new ones.
func (b *rebuild) patience() func(context.Context) error {
	began := time.Now()
	return func(ctx context.Context) error {
		if b.standsStill(began) {
			return errStandStill
		}
		rest(ctx, pollWhileWaited)
		return ctx.Err()
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
	for wait := b.patience(); ; {
		names, there := b.moving()
		switch {
		case there:
			return names, b.tryParked(ctx)
		case errors.Is(b.Err(), errOutdated):
			return nil, nil
		}
		if err := wait(ctx); err != nil {
			return nil, err
		}
	}
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
