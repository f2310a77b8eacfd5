package projections

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gesta/eventstore/checkpoint"
	"gesta/eventstore/feed"
	"gesta/eventstore/leader"
)

func (p *Projector) shadowSchema() string { return shadowSchema(p.Schema) }

// oldSchemas is how the names of those begin that were replaced.
func (p *Projector) oldSchemas() string { return ReadSchema(p.Schema) + "_old_" }

// How often a rebuild says how far it has come.
const noteEvery = 250 * time.Millisecond

// errStandStill refuses to compare with read models that do not move.
var errStandStill = errors.New("the read models stand still and can't be compared: only a rebuild with replace can take their place")

// rebuilds does what is asked for, until ctx ends. Failures are logged and tried again, from where they
// happened.
func (t *term) rebuilds(ctx context.Context) {
	var news leader.News
	for ctx.Err() == nil {
		err := t.rebuildTurn(ctx)
		if ctx.Err() == nil && news.Is(err) {
			t.Log.Warn("rebuild of the read models stopped, trying again", "error", err)
		}
		restAfter(ctx, err)
	}
}

// rebuildTurn works on a connection until something goes wrong.
func (t *term) rebuildTurn(ctx context.Context) error {
	conn, err := t.connect(ctx, t.shadowSchema())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		one, found, err := t.requests(conn).next(ctx)
		switch {
		case err != nil:
			return err
		case found:
			err = (&rebuild{term: t, conn: conn, request: one}).do(ctx)
		default:
			err = t.sweep(ctx, conn)
			rest(ctx, watchEvery)
		}
		if err != nil {
			return err
		}
	}
}

func (p *Projector) requests(db querier) Rebuilds { return Rebuilds{DB: db, Schema: p.Schema} }

// rebuild is one request being done.
type rebuild struct {
	*term
	conn    *pgx.Conn
	request Rebuild
	shadow  *models
	noted   time.Time
	hurried bool // the history grows at more than half the pace at which it is followed
}

// do brings the request to its end, unless an error is such that it may succeed later.
func (b *rebuild) do(ctx context.Context) error {
	differences, err := b.run(ctx)
	switch {
	case len(differences) > 0:
		b.Log.Warn("the rebuilt read models differ from the old ones, which are kept", "rows", len(differences), "first", differences[0].String())
		return b.giveUp(ctx, Different, RebuildDetail{Differences: differences})
	case isFinal(err):
		b.Log.Error("the read models can't be rebuilt", "error", err)
		return b.giveUp(ctx, Failed, RebuildDetail{Error: err.Error()})
	}
	return err
}

// isFinal tells what will be no better the next time: tables that can't be made, or nothing to compare
// with.
func isFinal(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, errNoKey) || errors.Is(err, errStandStill) ||
		errors.Is(err, errTables) && errors.As(err, &pg) && strings.HasPrefix(pg.Code, "42")
}

// run fills the shadow, compares it and puts it in the place of the old read models. What it answers are
// differences because of which it has not.
func (b *rebuild) run(ctx context.Context) ([]Difference, error) {
	b.request.State = Filling
	if err := pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error { return b.open(ctx, tx) }); err != nil {
		return nil, err
	}
	if err := errors.Join(b.note(ctx), b.fill(ctx)); err != nil {
		return nil, err
	}
	if !b.request.Replace {
		differences, err := b.compare(ctx)
		if err != nil || len(differences) > 0 {
			return differences, err
		}
	}
	return nil, b.swap(ctx)
}

// open goes on with the shadow that was begun for this request by the same rules, or begins one. Nobody
// may put in place meanwhile what is dropped here: the drop would wait for that, and take it from there.
func (b *rebuild) open(ctx context.Context, tx pgx.Tx) error {
	if err := b.requests(tx).note(ctx, b.request, b.fingerprint()); err != nil {
		return err
	}
	err := b.resume(ctx, tx)
	if !errors.Is(err, errOutdated) {
		return err
	}
	if err := create(ctx, tx, b.shadowSchema(), b.Projections, b.request.ID); err != nil {
		return err
	}
	b.Log.Info("read models are built anew", "rebuild", b.request.ID, "replace", b.request.Replace)
	return b.takeShadow(ctx, tx)
}

// resume answers errOutdated when there is nothing to go on with.
func (b *rebuild) resume(ctx context.Context, tx pgx.Tx) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) {
		err = b.takeShadow(ctx, tx)
		if err == nil && (b.shadow.stale || b.shadow.rebuild != b.request.ID) {
			err = errOutdated
		}
		return err
	})
	if err != nil {
		return err
	}
	if forked := (*checkpoint.Forked)(nil); errors.As(checkpoint.Verify(ctx, b.Store, b.shadow.at), &forked) {
		return errOutdated
	}
	return nil
}

func (b *rebuild) takeShadow(ctx context.Context, tx pgx.Tx) (err error) {
	if b.shadow, err = b.takeOver(ctx, tx, b.conn); err == nil {
		b.shadow.careful = &b.term.careful
	}
	return err
}

// How many events are written together while others read what is built anew. They share the cores and the
// database with that: it works in pieces of some milliseconds, and rests as long after each. (At 200 reads and 50
// writes a second, the reads' p99 is 2 to 3 times what it is before instead of 5 to 7, and it takes twice as long.)
// To wait for somebody is no work: it never rests for longer than longestRest.
const (
	gentleBatch = 100
	longestRest = 100 * time.Millisecond
)

// fill writes what the store has, until it has hardly more.
func (b *rebuild) fill(ctx context.Context) error {
	pages := feed.Pages{Read: feed.Published(b.Store)}
	for {
		began, limit := time.Now(), maxBatch
		if b.isRead() && !b.hurried {
			limit = gentleBatch
		}
		events, err := pages.After(ctx, b.shadow.at, limit)
		if err != nil {
			return err
		}
		if err := b.shadow.apply(ctx, events); err != nil || len(events) < limit {
			return err
		}
		if limit == gentleBatch {
			b.yield(ctx, time.Since(began))
		}
		if time.Since(b.noted) > noteEvery {
			if err := b.note(ctx); err != nil {
				return err
			}
		}
	}
}

// yield rests for as long as there was work, for those who read.
func (b *rebuild) yield(ctx context.Context, worked time.Duration) {
	if b.isRead() {
		rest(ctx, min(worked, longestRest))
	}
}

// isRead tells whether there are read models that somebody can read.
func (b *rebuild) isRead() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.live != nil
}

// note says how far the rebuild is.
func (b *rebuild) note(ctx context.Context) error {
	head, err := b.Store.Head(ctx)
	if err != nil {
		return err
	}
	moved, grown := b.shadow.at.Position-b.request.Position, head.Position-b.request.Target
	b.hurried = !b.noted.IsZero() && moved < 2*grown
	b.noted = time.Now()
	b.request.Position, b.request.Target = b.shadow.at.Position, head.Position
	return b.requests(b.conn).note(ctx, b.request, b.fingerprint())
}

// giveUp ends the request; the shadow is swept away.
func (b *rebuild) giveUp(ctx context.Context, state RebuildState, detail RebuildDetail) error {
	b.request.State, b.request.Detail = state, detail
	return b.requests(b.conn).note(ctx, b.request, b.fingerprint())
}

// isAsked tells whether there is a rebuild to do, over a connection of its own.
func (p *Projector) isAsked(ctx context.Context) bool {
	conn, err := p.connect(ctx, p.shadowSchema())
	if err != nil {
		return false
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, asked, err := p.requests(conn).next(ctx)
	return asked && err == nil
}
