package projections

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore"
	"gesta/eventstore/postgres"
)

// ActorPage is a part of what somebody did, the last first, under a head that says what all of it is.
type ActorPage struct {
	HistoryPage
	Total       int64                // of all pages, as far as the index has come
	First, Last *eventstore.Recorded // nil where there are none
	Types       []HistoryCount       // by type; nil where there are more than are counted one by one
}

// maxCounted is how many events of an actor are counted by type: more would take longer than a page.
const maxCounted = 20_000

// Actor answers a page of the events by an actor in a realm, as in "user/01J…", "system", or a ULID alone for an actor of
// any kind. Before is the position where the page ends, exclusive, 0 for the first page. It is one round trip.
func (h History) Actor(ctx context.Context, realm, actor string, before int64, limit int) (ActorPage, error) {
	var p ActorPage
	var first, last HistoryPage
	q := HistoryQuery{Realm: realm, Actor: actor, Limit: 1}
	batch := &pgx.Batch{}
	h.queueIndexed(batch, &p.Indexed)
	h.queueEvents(batch, &first, q)
	q.Descending = true
	h.queueEvents(batch, &last, q)
	h.queueActorCounts(batch, &p, q)
	q.Before, q.Limit = before, limit
	h.queueEvents(batch, &p.HistoryPage, q)
	err := postgres.Ask(ctx, h.DB.Pool, batch)
	p.First, p.Last = firstOf(first), firstOf(last)
	return p, understood(err)
}

func firstOf(p HistoryPage) *eventstore.Recorded {
	if len(p.Events) == 0 {
		return nil
	}
	return &p.Events[0]
}

// queueActorCounts reads the total from the counters; only where that is not too much events are counted.
func (h History) queueActorCounts(batch *pgx.Batch, p *ActorPage, q HistoryQuery) {
	s := &historySQL{History: h, q: q}
	sql := s.actorCounts()
	batch.Queue(sql, s.args...).Query(func(rows pgx.Rows) error {
		var typ *string
		var n *int64
		_, err := pgx.ForEachRow(rows, []any{&p.Total, &typ, &n}, func() error {
			if typ != nil {
				p.Types = append(p.Types, HistoryCount{*typ, *n})
			}
			return nil
		})
		return err
	})
}

func (s *historySQL) actorCounts() string {
	class, individual := splitActor(s.q.Actor)
	condition, keys := "h.class > 0 and ", ""
	if individual.IsZero() {
		keys = "array[" + s.arg(kept(class)) + "::text]"
	} else {
		condition = "h.actor = " + s.uuid(individual) + " and "
		keys = fmt.Sprintf("array(select distinct actor || %s::text from %s where actor = %[3]s or %[3]s = '')",
			s.arg(individual.String()), s.table("history_classes"), s.arg(kept(class))+"::text") // Any kind where none is named.
	}
	return fmt.Sprintf(`with total as materialized (select coalesce(sum(events), 0)::bigint as n from %[1]s
			where field = 'actor' and realm = %[2]s and key = any(%[3]s))
		select total.n, types.type, types.n from total left join (
			select k.type, sum(c.n)::bigint as n from %[4]s k cross join lateral (
				select count(*) as n from %[5]s h where %[6]sh.class = k.class and (select n from total) <= %[7]d) c
			where c.n > 0 and %[8]s group by k.type) types on true order by types.type`,
		s.table("history_counts"), s.arg(keptRealm(s.q.Realm)), keys, s.table("history_classes"), s.table("history"),
		condition, maxCounted, strings.Join(s.classConditions(), " and "))
}
