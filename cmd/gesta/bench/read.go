package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/feed"
	"gesta/eventstore/postgres"
	"gesta/eventstore/seal"
)

const (
	historySize = 1_000_000 // events that are read: more than Postgres keeps in its buffers
	projected   = 200_000   // events that are projected
	readPage    = 1000      // events that a follower asks for at once
)

// reads compares reading the history in order and decoded with reading it undecoded.
func (l *lab) reads(ctx context.Context) error {
	i, err := l.database(ctx)
	if err != nil {
		return err
	}
	s, err := postgres.Open(ctx, postgres.Options{URL: i.App, Schema: schema})
	if err != nil {
		return err
	}
	defer s.Close()
	v, err := vaultOf(ctx, s, i)
	if err == nil {
		err = fill(ctx, s, ink{Vault: v}, historySize)
	}
	if err != nil {
		return err
	}
	scanned, err := pool(ctx, i.App, 1)
	if err != nil {
		return err
	}
	defer scanned.Close()
	took, err := turns(ctx, rounds, 0, reading(s, v), collecting(scanned), scanning(scanned))
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d events in order, decoded, against ", historySize)
	l.rates("read", what+"pgx collecting the same pages without decoding", "events", took[0], took[1], atLeast(.6))
	l.rates("read", what+"one statement whose rows are scanned and thrown away", "events", took[0], took[2], shown)
	return nil
}

// reading reads all events once, as whoever catches up does: while one page is decoded, the next is read.
func reading(s eventstore.Store, v *seal.Vault) contestant {
	return whole(func(ctx context.Context) (n int, err error) {
		pages := feed.Pages{Read: func(ctx context.Context, last eventstore.Mark, limit int) ([]eventstore.Recorded, error) {
			return checkpoint.After(ctx, seal.Ahead{Store: s, Vault: v}, last, limit)
		}}
		for last := (eventstore.Mark{}); ; {
			events, err := pages.After(ctx, last, readPage)
			if err != nil || len(events) == 0 {
				return n, err
			}
			opened, err := v.Decode(ctx, events...)
			if err != nil {
				return n, err
			}
			for _, o := range opened {
				if o.Err != nil {
					return n, o.Err
				}
			}
			last = events[len(events)-1].Mark()
			n += len(events)
		}
	})
}

// eventRow is an event as pgx reads one.
type eventRow struct {
	Position   int64
	StreamKind string
	StreamID   [16]byte
	Version    int64
	EventID    [16]byte
	Type       string
	Schema     int
	Data       json.RawMessage
	Secret     json.RawMessage
	Metadata   json.RawMessage
	OccurredAt time.Time
	RecordedAt time.Time
}

// collecting is what comes before decoding, in the usual way: page by page, each a slice of structs.
func collecting(p *pgxpool.Pool) contestant {
	return whole(func(ctx context.Context) (n int, err error) {
		for after := int64(0); ; {
			rows, _ := p.Query(ctx, `select * from gesta.events where position > $1 order by position limit $2`, after, readPage) // Its error comes again.
			events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[eventRow])
			if err != nil || len(events) == 0 {
				return n, err
			}
			after = events[len(events)-1].Position
			n += len(events)
		}
	})
}

func scanning(p *pgxpool.Pool) contestant {
	return whole(func(ctx context.Context) (n int, err error) {
		rows, err := p.Query(ctx, `select * from gesta.events order by position`)
		if err != nil {
			return 0, err
		}
		var position, version int64
		var kind, typ string
		var stream, event [16]byte
		var number int
		var data, secret, meta []byte
		var occurred, recorded time.Time
		into := []any{&position, &kind, &stream, &version, &event, &typ, &number, &data, &secret, &meta, &occurred, &recorded}
		_, err = pgx.ForEachRow(rows, into, func() error { n++; return nil })
		return n, err
	})
}

// whole is a contestant whose turn is to do one thing to its end.
func whole(do func(context.Context) (n int, err error)) contestant {
	return func(ctx context.Context, _ time.Duration) (result, error) {
		begin := time.Now()
		n, err := do(ctx)
		return result{rate: float64(n) / time.Since(begin).Seconds()}, err
	}
}

// What a registration by HTTP says of itself, and a hash as long as any.
var (
	registrationMeta = json.RawMessage(`{"actor":"user/01J8Z3K5T9V7W2X4Y6Z8A0B1C2","realm":"accounts","surface":"accounts",` +
		`"request":"01J8Z3K5T9V7W2X4Y6Z8A0B1C2","correlation":"01J8Z3K5T9V7W2X4Y6Z8A0B1C2",` +
		`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`)
	passwordHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
)
