package projections

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
)

// historyCheck holds the index against the history, in pages, while both go on.
type historyCheck struct {
	History
	store  eventstore.Store
	report func(finding string)

	until  int64 // where the index was when it began
	at     int64 // up to here rows were compared
	types  map[historyCount]int64
	hours  map[historyCount]int64 // that are still to be compared
	actors int64                  // events that have one
	begun  int64                  // hours in which something was recorded
	hour   string                 // the last of them
}

// How many rows and counters are compared at once.
const (
	checkedRows   = 2000
	checkedHours  = 500
	checkedActors = 500
)

// Verify compares each row of the index, and each counter, with what is made of the events. It changes nothing, and says
// up to which position it has looked.
func (h History) Verify(ctx context.Context, store eventstore.Store, report func(finding string)) (until int64, err error) {
	c := &historyCheck{History: h, store: store, report: report, types: map[historyCount]int64{}, hours: map[historyCount]int64{}}
	if c.until, err = h.Indexed(ctx); err != nil {
		return 0, err
	}
	for c.at < c.until {
		events, err := store.Read(ctx, c.at, int(min(checkedRows, c.until-c.at)))
		if err != nil || len(events) == 0 {
			return c.at, err
		}
		if err := c.rows(ctx, events); err != nil {
			return c.at, err
		}
	}
	for _, compare := range []func(context.Context) error{c.hoursBegin, c.typeCounts, c.actorCounts, c.sums} {
		if err := compare(ctx); err != nil {
			return c.at, err
		}
	}
	return c.until, nil
}

func (c *historyCheck) say(format string, args ...any) { c.report(fmt.Sprintf(format, args...)) }

// collect asks one question.
func collect[T any](ctx context.Context, h History, scan pgx.RowToFunc[T], sql string, args ...any) (all []T, err error) {
	batch := &pgx.Batch{}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, scan)
		return err
	})
	return all, understood(postgres.Ask(ctx, h.DB.Pool, batch))
}

// placed is a row of the index.
type placed struct {
	position int64
	historyRow
}

func scanPlaced(row pgx.CollectableRow) (p placed, err error) {
	var actor, request, correlation *[16]byte
	err = row.Scan(&p.position, &p.class.Kind, &p.class.Type, &p.class.Realm, &p.class.Surface, &p.class.Actor, &actor, &request, &correlation)
	p.actor, p.request, p.correlation = orZero(actor), orZero(request), orZero(correlation)
	return p, err
}

func orZero(of *[16]byte) (i id.ID) {
	if of != nil {
		i = *of
	}
	return i
}

func (c *historyCheck) rows(ctx context.Context, events []eventstore.Recorded) error {
	last := events[len(events)-1].Position
	kept, err := collect(ctx, c.History, scanPlaced, `select h.position, k.stream_kind, k.type, k.realm, k.surface, k.actor, h.actor, h.request, h.correlation
		from `+c.table("history")+` h join `+c.table("history_classes")+` k using (class) where h.position > $1 and h.position <= $2`, c.at, last)
	if err != nil {
		return err
	}
	found := map[int64]historyRow{}
	for _, row := range kept {
		found[row.position] = row.historyRow
	}
	for _, e := range events {
		c.row(e, found)
	}
	for _, position := range slices.Sorted(maps.Keys(found)) {
		c.say("position %d is in the index, and is no event", position)
	}
	if c.at = last; len(c.hours) > checkedHours {
		return c.hourCounts(ctx, hourOf(events[len(events)-1].RecordedAt))
	}
	return nil
}

func (c *historyCheck) row(e eventstore.Recorded, found map[int64]historyRow) {
	want := historyRowOf(e)
	switch got, is := found[e.Position]; {
	case !is:
		c.say("position %d is not in the index", e.Position)
	case got != want:
		c.say("position %d is not in the index as what it is", e.Position)
	}
	delete(found, e.Position)
	if hour := hourOf(e.RecordedAt); hour != c.hour {
		c.hour = hour
		c.begun++
	}
	for _, n := range want.counts(e.RecordedAt) {
		switch n.field {
		case "type":
			c.types[n]++
		case "hour":
			c.hours[n]++
		default:
			c.actors++
		}
	}
}
