package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/feed"
)

// Difference is a row that is not what the history says. It names no values.
type Difference struct {
	Table   string   `json:"table"`
	Key     []string `json:"key"`               // of its primary key
	Columns []string `json:"columns,omitempty"` // that differ, when both have the row
	Only    string   `json:"only,omitempty"`    // "old" for a row that should not be there, "new" for a missing one
}

// String names the row and what is wrong with it.
func (d Difference) String() string {
	row := d.Table + " " + strings.Join(d.Key, " ")
	switch d.Only {
	case "old":
		return row + ": should not be there"
	case "new":
		return row + ": is missing"
	}
	return row + ": " + strings.Join(d.Columns, ", ")
}

// How many rows are compared in one transaction, and how many differences are enough.
const (
	compareChunk   = 500
	maxDifferences = 100
)

// errBehind says that the read models are not yet where those are that were built anew.
var errBehind = errors.New("projections: the read models are behind")

// comparison holds tables that are read against tables built anew. Each chunk is one short transaction:
// it sees the old tables at the position of their checkpoint, and moves the new ones to that position.
// So both are seen at the same place of the history while the old ones move on, and nobody holds a
// snapshot for long.
type comparison struct {
	conn     *pgx.Conn
	store    eventstore.Store
	old, new string                               // schemas
	shadow   *models                              // what writes the new ones, over conn
	wait     func(context.Context) error          // while the old ones are behind; nil not to
	yield    func(context.Context, time.Duration) // after each chunk, which took so long; nil not to
	found    []Difference
	still    bool // the old ones do not move
}

// tables compares one after the other, until enough differs.
func (c *comparison) tables(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := c.table(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// table compares one table.
func (c *comparison) table(ctx context.Context, name string) error {
	shape, err := shapeOf(ctx, c.conn, c.new, name)
	if err == nil {
		err = c.near(ctx)
	}
	if err != nil {
		return err
	}
	settled := false
	for from := []string(nil); len(c.found) < maxDifferences; {
		found := len(c.found)
		next, err := c.next(ctx, shape, from)
		if err != nil {
			return err
		}
		if len(c.found) > found && !settled {
			if err := c.settle(ctx); err != nil {
				return err
			}
			c.found, settled = c.found[:found], true
			continue
		}
		if settled = false; next == nil {
			return nil
		}
		from = next
	}
	return nil
}

// next compares the chunk that follows a key, and answers the key to go on after.
func (c *comparison) next(ctx context.Context, shape shape, from []string) (next []string, err error) {
	var worked time.Duration
	err = c.level(ctx, func(tx pgx.Tx) (err error) {
		began := time.Now()
		next, err = c.chunk(ctx, tx, shape, from)
		worked = time.Since(began)
		return err
	})
	if err == nil && next != nil && c.yield != nil {
		c.yield(ctx, worked)
	}
	return next, err
}

// settle waits until the old ones show all that the store has now, unless they stand still. Before that they may
// show somebody whose key is gone, and who can't be read any more by who builds the new ones.
func (c *comparison) settle(ctx context.Context) error {
	head, err := c.store.Head(ctx)
	if err != nil || c.still {
		return err
	}
	for enough := time.Now().Add(settleTime); time.Now().Before(enough); rest(ctx, settleEvery) {
		at, err := markIn(ctx, c.conn, c.old)
		if err != nil || at.Position >= head.Position || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	c.still = true
	return nil
}

const (
	settleTime  = 2 * time.Second
	settleEvery = 20 * time.Millisecond
)

// near moves the new ones so close to the old ones that little is left to do for the first chunk.
func (c *comparison) near(ctx context.Context) error {
	for {
		at, err := markIn(ctx, c.conn, c.old)
		if err != nil || at.Position-c.shadow.at.Position < maxBatch {
			return err
		}
		if err := c.shadow.follow(ctx, c.store, at); err != nil {
			return err
		}
	}
}

// level does something while both are at the same position.
func (c *comparison) level(ctx context.Context, do func(pgx.Tx) error) error {
	for {
		err := c.tryLevel(ctx, do)
		if errors.Is(err, errBehind) && c.wait != nil {
			if err = c.wait(ctx); err == nil {
				continue
			}
		}
		return err
	}
}

func (c *comparison) tryLevel(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, c.conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		at, err := markIn(ctx, tx, c.old)
		if err != nil {
			return err
		}
		if at.Position < c.shadow.at.Position {
			return errBehind
		}
		defer func(db database) { c.shadow.db = db }(c.shadow.db)
		c.shadow.db = tx
		if err := c.shadow.follow(ctx, c.store, at); err != nil {
			return err
		}
		return do(tx)
	})
}

// markIn reads where the read models of a schema are.
func markIn(ctx context.Context, db querier, schema string) (m eventstore.Mark, err error) {
	var event [16]byte
	err = db.QueryRow(ctx, `select position, event_id from `+pgx.Identifier{schema, "checkpoints"}.Sanitize()+
		` where follower = $1 order by position desc limit 1`, follower).Scan(&m.Position, &event)
	m.Event = id.Event{ID: event}
	return m, err
}

// follow moves models up to a mark, which must be one of the store's history.
func (m *models) follow(ctx context.Context, store eventstore.Store, to eventstore.Mark) error {
	for m.at.Position < to.Position {
		events, err := feed.Read(ctx, store, m.at, int(min(maxBatch, to.Position-m.at.Position)))
		if err == nil && len(events) == 0 {
			err = errors.Join(fmt.Errorf("projections: the store has nothing after position %d", m.at.Position), checkpoint.Verify(ctx, store, to))
		}
		if err == nil {
			err = m.apply(ctx, events)
		}
		if err != nil {
			return err
		}
	}
	if m.at != to {
		return &checkpoint.Forked{Seen: to, Stored: m.at}
	}
	return nil
}

// chunk compares the rows that follow a key, and answers the key to go on after; nil at the end.
func (c *comparison) chunk(ctx context.Context, tx pgx.Tx, s shape, from []string) (last []string, err error) {
	args := []any{}
	for _, k := range from {
		args = append(args, k)
	}
	// Tables that were just filled have no statistics: without this they might be read from end to end.
	if _, err := tx.Exec(ctx, `set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_seqscan = off`); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, s.sql(c.old, c.new, from != nil), args...)
	if err != nil {
		return nil, err
	}
	d, total, differs := Difference{Table: s.name}, 0, false
	_, err = pgx.ForEachRow(rows, []any{&d.Key, &d.Only, &d.Columns, &differs, &total}, func() error {
		if last = slices.Clone(d.Key); differs && len(c.found) < maxDifferences {
			c.found = append(c.found, Difference{Table: d.Table, Key: last, Only: d.Only, Columns: slices.Clone(d.Columns)})
		}
		return nil
	})
	if total < compareChunk {
		last = nil
	}
	return last, err
}
