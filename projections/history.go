package projections

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
)

// History answers who did what, and when: it finds events by what their metadata say, and shows them as they are stored.
// Its tables are no read models. A scribe writes them, and leaves nothing out: not the events of streams that are parked,
// nor those of types that nobody here knows. Appends don't wait for it, and it follows them within some 200 ms.
type History struct {
	DB    *postgres.Lookups // of any search path
	Truth string            // the schema
}

// HistoryFollower is the name the scribe's checkpoint goes by.
const HistoryFollower = "history"

// HistoryQuery asks for a page of those events for which all holds that is not zero.
type HistoryQuery struct {
	Stream               domain.Stream
	Kind                 string // of the stream
	Type                 string // `*` stands for anything, as in `identity.user.*` or `*.created`
	Realm, Surface       string // NoRealm for what belongs to none
	Actor                string // as in "user/01J…", "system"; a ULID alone is an actor of any kind
	Request, Correlation id.ID
	After, Before        int64     // positions, exclusive
	From, To             time.Time // of recording; To is exclusive

	Descending bool // the last events first
	Limit      int  // of the page; DefaultHistoryLimit for 0, at most MaxHistoryLimit

	related id.ID // what a request led to
}

// NoRealm asks for what belongs to no realm, such as what operators do at the command line.
const NoRealm = "-"

// keptRealm is how the index spells a realm.
func keptRealm(realm string) string {
	if realm == NoRealm {
		return ""
	}
	return kept(realm)
}

// How many events are on a page.
const (
	DefaultHistoryLimit = 100
	MaxHistoryLimit     = 1000

	// maxHistoryBytes is about as much as is kept of a page in memory: events may be of 256 KiB.
	maxHistoryBytes = 8 << 20
)

// HistoryPage is a part of what was asked for.
type HistoryPage struct {
	Events  []eventstore.Recorded
	More    bool  // There are further ones.
	Indexed int64 // Up to here all events were looked at; a page may have some beyond.
}

// errForeignIndex tells that the index has followed another history than the store has now.
var errForeignIndex = &domain.Fault{
	Kind: domain.Unavailable, Code: "history_forked", Text: "the index of the history is of another history: 'gesta audit rebuild --only history' makes it anew", Retry: time.Minute,
}

// Events answers a page, in one round trip.
func (h History) Events(ctx context.Context, q HistoryQuery) (HistoryPage, error) {
	var p HistoryPage
	batch := &pgx.Batch{}
	h.queueIndexed(batch, &p.Indexed)
	h.queueEvents(batch, &p, q)
	err := postgres.Ask(ctx, h.DB.Pool, batch)
	return p, understood(err)
}

// Stream answers a page of a stream's events, of whatever kind it is, as of now: the index is not asked, and what it would
// be asked for is none of the question. Indexed is 0.
func (h History) Stream(ctx context.Context, q HistoryQuery) (p HistoryPage, err error) {
	batch := &pgx.Batch{}
	h.queueEvents(batch, &p, HistoryQuery{Stream: q.Stream, After: q.After, Before: q.Before, Descending: q.Descending, Limit: q.Limit})
	return p, understood(postgres.Ask(ctx, h.DB.Pool, batch))
}

// Beyond asks for what follows a page; where nothing does yet, for what is to come.
func (q HistoryQuery) Beyond(p HistoryPage) HistoryQuery {
	switch n := len(p.Events); {
	case q.Descending && n > 0:
		q.Before = p.Events[n-1].Position
	case q.Descending:
	case p.More:
		q.After = p.Events[n-1].Position
	default:
		q.After = max(q.After, p.Indexed)
		if n > 0 {
			q.After = max(q.After, p.Events[n-1].Position)
		}
	}
	return q
}

func (q HistoryQuery) limit() int {
	return min(cmp.Or(max(q.Limit, 0), DefaultHistoryLimit), MaxHistoryLimit)
}

// queueIndexed is asked ahead of the events: those up to there are there by then.
func (h History) queueIndexed(batch *pgx.Batch, into *int64) {
	sql := `select c.position, c.position = 0 or exists (select from ` + h.table("events") + ` e
		where e.position = c.position and e.event_id = c.event_id) from ` + h.table("checkpoints") + ` c where follower = $1`
	batch.Queue(sql, HistoryFollower).Query(func(rows pgx.Rows) error {
		ours := true
		_, err := pgx.ForEachRow(rows, []any{into, &ours}, func() error { return nil })
		if err == nil && !ours {
			err = errForeignIndex
		}
		return err
	})
}

// queueEvents asks for one event more than are on the page, which tells that there are more.
func (h History) queueEvents(batch *pgx.Batch, p *HistoryPage, q HistoryQuery) {
	limit := q.limit()
	sql, args := h.sql(q, limit+1)
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		p.Events = []eventstore.Recorded{}
		for size := 0; rows.Next(); {
			if p.More = len(p.Events) == limit || size > maxHistoryBytes; p.More {
				break
			}
			e, err := postgres.ScanEvent(rows)
			if err != nil {
				return err
			}
			p.Events = append(p.Events, e)
			size += len(e.Data) + len(e.Secret) + len(e.Meta)
		}
		rows.Close()
		return rows.Err()
	})
}

func (h History) table(name string) string { return pgx.Identifier{h.Truth, name}.Sanitize() }

// Indexed is the position up to which events are found.
func (h History) Indexed(ctx context.Context) (at int64, err error) {
	batch := &pgx.Batch{}
	h.queueIndexed(batch, &at)
	return at, understood(h.DB.Ask(ctx, batch))
}
