package projections

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
)

// Verification is what is found when the read models are held against the history.
type Verification struct {
	Position    int64              // at which the last rows were compared
	Tables      []string           // that were compared
	Differences []Difference       // rows that are not what the history says: the first ones
	Parked      []Parked           // streams whose events are held: what the history says of them is not all to be seen
	Stale       bool               // some read models wait for a rebuild, and were not compared
	Forked      *checkpoint.Forked // not nil when the read models are of another history, and were not compared

	at eventstore.Mark // where they were when it began
}

// Sound tells that readers see what the history says, all of it.
func (v Verification) Sound() bool {
	return len(v.Differences) == 0 && len(v.Parked) == 0 && !v.Stale && v.Forked == nil
}

// errNoModels says that there is nothing to verify yet.
var errNoModels = errors.New("projections: there are no read models that can be verified")

// Verify builds the read models a second time from the history, into tables that go with the connection,
// and compares them with those that are read, which may move on meanwhile. It changes nothing. Of p it
// needs the database, the rules, the store and the log.
func Verify(ctx context.Context, p *Projector) (v Verification, err error) {
	careful := &atomic.Bool{}
	for {
		v, err = p.verify(ctx, careful)
		if !errors.Is(err, errUnfit) { // All was lost with the connection; with care it won't be again.
			return v, err
		}
	}
}

func (p *Projector) verify(ctx context.Context, careful *atomic.Bool) (v Verification, err error) {
	conn, err := p.connect(ctx, "pg_temp")
	if err != nil {
		return v, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	shadow := p.models(conn)
	shadow.unkept, shadow.careful, shadow.log = true, careful, slog.New(slog.DiscardHandler)
	c := &comparison{conn: conn, store: p.Store, old: ReadSchema(p.Schema), new: "pg_temp", shadow: shadow}
	if v, err = p.look(ctx, c); err != nil || v.Forked != nil {
		return v, err
	}
	if v.Tables, err = c.build(ctx, v.at); err == nil {
		err = c.tables(ctx, v.Tables)
	}
	v.Position, v.Differences = shadow.at.Position, c.found
	if forked := (*checkpoint.Forked)(nil); errors.As(err, &forked) {
		v.Forked, err = forked, nil
	}
	return v, err
}

// look finds out what can be compared: the read models must be of this history, and made by these rules.
func (p *Projector) look(ctx context.Context, c *comparison) (v Verification, err error) {
	err = pgx.BeginTxFunc(ctx, c.conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local search_path = `+pgx.Identifier{c.old}.Sanitize()); err != nil {
			return err
		}
		if v.at, err = markIn(ctx, tx, c.old); err != nil {
			return err
		}
		if v.Parked, err = parked(ctx, tx, "order by position"); err != nil {
			return err
		}
		v.Position = v.at.Position
		err = checkpoint.Verify(ctx, p.Store, v.at)
		if errors.As(err, &v.Forked) {
			return nil
		}
		return errors.Join(err, c.shadow.begin(ctx, tx))
	})
	if isMissing(err) || errors.Is(err, pgx.ErrNoRows) || errors.Is(err, errOutdated) {
		err = errNoModels
	}
	v.Stale = c.shadow.stale
	clear(c.shadow.parked) // Which are parked is found out again.
	return v, err
}

// build makes the tables a second time and fills them up to where the read models were.
func (c *comparison) build(ctx context.Context, to eventstore.Mark) (tables []string, err error) {
	err = pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
		for _, one := range c.shadow.projections {
			made, err := newTables(ctx, tx, one)
			if err != nil {
				return err
			}
			tables = append(tables, made...)
		}
		return nil
	})
	if err == nil {
		err = c.shadow.follow(ctx, c.store, to)
	}
	return tables, err
}
