package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
)

// HistoryCount is how many events there are of something: of a type, a realm, an actor, or an hour, which is spelled in
// UTC as in "2026-01-31T15:00:00Z". Events that belong to no realm are counted under an empty one.
type HistoryCount struct {
	Key    string
	Events int64
}

// Summary is a page of counts, by key.
type Summary struct {
	Counts  []HistoryCount
	More    bool
	Indexed int64 // These are the events up to here.
}

// SummaryQuery asks how many events there are by something: type, realm, actor or hour.
type SummaryQuery struct {
	By    string
	Realm *string // nil for all of them
	After *string // the last key of the page before; nil for the first page
	Limit int     // DefaultHistoryLimit for 0, at most MaxHistoryLimit
}

// errSummary refuses what is not counted.
var errSummary = &domain.Fault{Kind: domain.Invalid, Code: "not_counted", Text: "events are counted by type, realm, actor or hour"}

// Summary reads counters. Of keys that are many, each realm has a part of the page at most.
func (h History) Summary(ctx context.Context, q SummaryQuery) (Summary, error) {
	var s Summary
	sql, limit := h.summarySQL(q.By), HistoryQuery{Limit: q.Limit}.limit()
	if sql == "" {
		return s, errSummary
	}
	batch := &pgx.Batch{}
	h.queueIndexed(batch, &s.Indexed)
	batch.Queue(sql, q.Realm, q.After, limit+1).Query(func(rows pgx.Rows) (err error) {
		s.Counts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[HistoryCount])
		return err
	})
	err := h.DB.Ask(ctx, batch)
	if s.More = len(s.Counts) > limit; s.More {
		s.Counts = s.Counts[:limit]
	}
	return s, understood(err)
}

func (h History) summarySQL(by string) string {
	counts, classes := h.table("history_counts"), h.table("history_classes")
	switch by {
	case "type", "actor", "hour":
		return fmt.Sprintf(`select key, sum(events)::bigint from (select distinct realm from %s where $1::text is null or realm = $1) of
			cross join lateral (select key, events from %s c where c.field = '%s' and c.realm = of.realm and c.key > coalesce($2::text, '')
				order by key limit $3) page
			group by key order by key limit $3`, classes, counts, by)
	case "realm":
		return fmt.Sprintf(`select of.realm, (select sum(events)::bigint from %s c where c.field = 'type' and c.realm = of.realm)
			from (select distinct realm collate "C" as realm from %s) of
			where ($1::text is null or of.realm = $1) and ($2::text is null or of.realm > $2) order by of.realm limit $3`, counts, classes)
	}
	return ""
}
