package projections

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
)

// Hand writes read models by hand, batch by batch.
type Hand struct {
	*models
	conn *pgx.Conn
}

// ByHand begins to write what p would.
func ByHand(ctx context.Context, p *Projector) (*Hand, error) {
	if err := p.Begin(ctx); err != nil {
		return nil, err
	}
	conn, err := p.connect(ctx, ReadSchema(p.Schema))
	if err != nil {
		return nil, err
	}
	m, err := p.prepare(ctx, conn)
	return &Hand{models: m, conn: conn}, err
}

// Begin makes read models that nothing has been written to, as they are where the projector was there from
// the beginning.
func (p *Projector) Begin(ctx context.Context) error {
	conn, err := p.connect(ctx, ReadSchema(p.Schema))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var there bool
		err := tx.QueryRow(ctx, `select to_regnamespace($1) is not null`, ReadSchema(p.Schema)).Scan(&there)
		if err != nil || there {
			return err
		}
		return create(ctx, tx, ReadSchema(p.Schema), p.Projections, 0)
	})
}

// Over writes over a connection that is made as the projector's, but for what change does to it.
func (h *Hand) Over(ctx context.Context, change func(*pgx.ConnConfig)) error {
	config := h.conn.Config()
	change(config)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	_ = h.conn.Close(ctx)
	h.conn, h.db = conn, conn
	return nil
}

// Apply writes a batch.
func (h *Hand) Apply(ctx context.Context, events []eventstore.Recorded) error {
	return h.apply(ctx, events)
}

// Touched moves the checkpoint and answers how many pages the server has looked at to do so.
func (h *Hand) Touched(ctx context.Context, to eventstore.Mark) (int, error) {
	batch := &pgx.Batch{}
	h.advance(batch, to)
	one := batch.QueuedQueries[0]
	var told []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	err := h.conn.QueryRow(ctx, `explain (analyze, buffers, format json) `+one.SQL, one.Arguments...).Scan(&told)
	if err != nil {
		return 0, err
	}
	return told[0].Plan.Hit + told[0].Plan.Read, nil
}

// Explained answers how the server found out by what the tables were made, which is what a takeover begins with.
func (h *Hand) Explained(ctx context.Context) (string, error) {
	rows, _ := h.conn.Query(ctx, `explain (analyze) `+builtSQL) // An error of Query comes again when the rows are read.
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(plan, "\n"), err
}

// Release tries all parked streams again.
func (h *Hand) Release(ctx context.Context, store eventstore.Store) error {
	if _, err := h.conn.Exec(ctx, `update parked set retry = true`); err != nil {
		return err
	}
	for {
		if more, err := h.releaseSome(ctx, store); err != nil || !more {
			return err
		}
	}
}

// Reset empties all tables and begins anew.
func (h *Hand) Reset(ctx context.Context) error {
	h.at, h.parked = eventstore.Mark{}, map[domain.Stream]bool{}
	_, err := h.conn.Exec(ctx, `delete from parked; update checkpoints set position = 0, event_id = '00000000-0000-0000-0000-000000000000';
		do $$ declare t text; begin for t in select unnest(tables) from built loop execute 'delete from ' || t; end loop; end $$`)
	return err
}

// Rows are those of every table that a projection has.
func (h *Hand) Rows(ctx context.Context) (map[string][]string, error) {
	rows, _ := h.conn.Query(ctx, `select unnest(tables) from built`) // An error of Query comes again when the rows are read.
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	all := map[string][]string{}
	for _, table := range tables {
		rows, _ := h.conn.Query(ctx, `select t::text from `+table+` t order by 1`)
		if all[table], err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			break
		}
	}
	return all, err
}

// Sweep drops what rebuilds have left.
func (h *Hand) Sweep(ctx context.Context, p *Projector) error {
	return (&term{Projector: p}).sweep(ctx, h.conn)
}

// Close lets go of the database.
func (h *Hand) Close(ctx context.Context) error { return h.conn.Close(ctx) }

// After has all rules of a projection do something first.
func (p Projection) After(first func(eventstore.Recorded)) Projection {
	rules := p.Rules
	p.Rules = nil
	for _, r := range rules {
		write := r.apply
		r.apply = func(w Write, e domain.Event) { first(w.Event); write(w, e) }
		p.Rules = append(p.Rules, r)
	}
	return p
}

// Ask asks a list for a page.
func Ask[T any](ctx context.Context, db *postgres.Lookups, l *List, q Query) (Paged[T], error) {
	return pageOf[T](ctx, db, l, q)
}

// UsersPages is how users are shown page by page.
var UsersPages = userList

// SQL is how a page is asked for.
func (l *List) SQL(q Query) (sql string, args []any, err error) {
	sql, args, _, err = l.sql(q)
	return sql, args, err
}

// Fill fills the read models of the next rebuild.
func (p *Projector) Fill(ctx context.Context) error {
	conn, err := p.connect(ctx, p.shadowSchema())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	request, _, err := p.requests(conn).next(ctx)
	if err != nil {
		return err
	}
	b := &rebuild{term: &term{Projector: p}, conn: conn, request: request}
	if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return b.open(ctx, tx) }); err != nil {
		return err
	}
	return b.fill(ctx)
}

// Beginnings are what is found by the words of a text.
func Beginnings(text string) []string { return beginnings(text) }

// CustomersPages is how customers are shown page by page.
var CustomersPages = customerList

// SQL is how a page is asked for.
func (h History) SQL(q HistoryQuery) (sql string, args []any) { return h.sql(q, q.limit()+1) }
