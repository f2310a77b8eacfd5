package projections

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// hoursBegin finds hours that do not begin where the index says so.
func (c *historyCheck) hoursBegin(ctx context.Context) error {
	begun, err := collect(ctx, c.History, pgx.RowTo[bool], `select exists (select from `+c.table("events")+` e where e.position = o.first and date_trunc('hour', e.recorded_at, 'UTC') = o.hour)
		and not exists (select from `+c.table("events")+` e where e.position = o.first - 1 and e.recorded_at >= o.hour)
		from `+c.table("history_hours")+` o where first <= $1`, c.until)
	if err != nil {
		return err
	}
	if int64(len(begun)) != c.begun {
		c.say("%d hours begin in the index, of %d", len(begun), c.begun)
	}
	if slices.Contains(begun, false) {
		c.say("an hour does not begin where the index says so")
	}
	return nil
}

// hourCounts compares hours that are over: to these nothing is added any more.
func (c *historyCheck) hourCounts(ctx context.Context, before string) error {
	over := map[historyCount]int64{}
	var realms, keys []string
	for n, events := range c.hours {
		if n.key < before {
			over[n], realms, keys = events, append(realms, n.realm), append(keys, n.key)
			delete(c.hours, n)
		}
	}
	counted, err := c.counters(ctx, `select field, realm, key, events from `+c.table("history_counts")+`
		join unnest($1::text[], $2::text[]) as of (realm, key) using (realm, key) where field = 'hour'`, realms, keys)
	c.compare(over, counted)
	return err
}

func (c *historyCheck) counters(ctx context.Context, sql string, args ...any) (map[historyCount]int64, error) {
	all := map[historyCount]int64{}
	_, err := collect(ctx, c.History, func(row pgx.CollectableRow) (n historyCount, err error) {
		var events int64
		err = row.Scan(&n.field, &n.realm, &n.key, &events)
		all[n] = events
		return n, err
	}, sql, args...)
	return all, err
}

func (c *historyCheck) compare(want, got map[historyCount]int64) {
	for n, events := range want {
		if got[n] != events {
			c.say("events by %s in realm %q, %s: %d are counted, of %d", n.field, n.realm, n.key, got[n], events)
		}
	}
	for n, events := range got {
		if _, known := want[n]; !known && events != 0 {
			c.say("events by %s in realm %q, %s: %d are counted, of none", n.field, n.realm, n.key, events)
		}
	}
}

// typeCounts compares what the index had when it was looked at: what came later is taken off.
func (c *historyCheck) typeCounts(ctx context.Context) error {
	counted, err := c.counters(ctx, `with later as materialized (select k.realm, k.type as key, count(*) as n
			from `+c.table("history")+` h join `+c.table("history_classes")+` k using (class) where h.position > $1 group by 1, 2)
		select c.field, c.realm, c.key, c.events - coalesce(later.n, 0)
		from `+c.table("history_counts")+` c left join later on later.realm = c.realm and later.key = c.key where c.field = 'type'`, c.until)
	if err != nil {
		return err
	}
	c.compare(c.types, counted)
	return c.hourCounts(ctx, hourOf(time.Now().Add(-2*time.Hour)))
}

// actorCounts counts again, by the index whose rows were compared.
func (c *historyCheck) actorCounts(ctx context.Context) error {
	var last historyCount
	for {
		page, err := collect(ctx, c.History, pgx.RowToStructByPos[struct{ Realm, Key string }], `select realm, key from `+c.table("history_counts")+`
			where field = 'actor' and (realm, key) > ($1, $2) order by realm, key limit $3`, last.realm, last.key, checkedActors)
		if err != nil || len(page) == 0 {
			return err
		}
		var realms, keys, classes []string
		var actors []*[16]byte
		for _, one := range page {
			class, actor := splitActor(one.Key)
			realms, keys = append(realms, one.Realm), append(keys, one.Key)
			classes, actors = append(classes, class), append(actors, nullable(actor))
			last = historyCount{"", one.Realm, one.Key}
		}
		if err := c.recount(ctx, realms, keys, classes, actors); err != nil {
			return err
		}
	}
}

func (c *historyCheck) recount(ctx context.Context, realms, keys, classes []string, actors []*[16]byte) error {
	h, k := c.table("history"), c.table("history_classes")
	wrong, err := collect(ctx, c.History, pgx.RowToStructByPos[struct {
		Realm, Key string
		N, Of      int64
	}], `select of.realm, of.key, c.events, recounted.n
		from unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) as of (realm, key, class, actor)
		join `+c.table("history_counts")+` c on c.field = 'actor' and c.realm = of.realm and c.key = of.key
		cross join lateral (select coalesce(sum(case when of.actor is null
				then (select count(*) from `+h+` h where h.class > 0 and h.class = k.class and h.actor is null)
				else (select count(*) from `+h+` h where h.class = k.class and h.actor = of.actor) end), 0)::bigint as n
			from `+k+` k where k.realm = of.realm and k.actor = of.class) recounted
		where c.events <> recounted.n`, realms, keys, classes, actors)
	for _, one := range wrong {
		c.say("events by actor in realm %q, %s: %d are counted, of %d", one.Realm, one.Key, one.N, one.Of)
	}
	return err
}

// sums finds what is counted, and was not looked for: nothing is counted twice, and nothing that is not there.
func (c *historyCheck) sums(ctx context.Context) error {
	type sums struct{ At, Last, Types, Hours, Actors, Later int64 }
	counts := c.table("history_counts")
	of := func(field string) string {
		return `coalesce((select sum(events) from ` + counts + ` where field = '` + field + `'), 0)::bigint`
	}
	all, err := collect(ctx, c.History, pgx.RowToStructByPos[sums], `select coalesce((select position from `+c.table("checkpoints")+` where follower = $1), 0),
		coalesce((select max(position) from `+c.table("history")+`), 0), `+of("type")+`, `+of("hour")+`, `+of("actor")+`,
		(select count(*) from `+c.table("history")+` h join `+c.table("history_classes")+` k using (class)
			where h.position > $2 and (h.actor is not null or k.actor <> ''))`, HistoryFollower, c.until)
	if err != nil {
		return err
	}
	s := all[0]
	if s.Last != s.At {
		c.say("the index ends at position %d, and says that it has come to %d", s.Last, s.At)
	}
	for what, n := range map[string]int64{"type": s.Types, "hour": s.Hours} {
		if n != s.At {
			c.say("by %s %d events are counted, of %d", what, n, s.At)
		}
	}
	if want := c.actors + s.Later; s.Actors != want {
		c.say("by actor %d events are counted, of %d", s.Actors, want)
	}
	return nil
}
