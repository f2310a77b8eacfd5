package projections

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/tracing"
)

// term is a time of leading.
type term struct {
	*Projector
	careful atomic.Bool // see models, for those that are built anew
	mu      sync.Mutex  // one at a time uses the connection of live
	live    *models     // nil while they stand still
	conn    *pgx.Conn
}

// lead keeps the read models true, and builds them anew when that is asked for. While that is to be done
// it goes on leading whatever happens: it may be what helps.
func (t *term) lead(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var rebuilding sync.WaitGroup
	defer rebuilding.Wait()
	defer stop()
	rebuilding.Go(func() { t.rebuilds(ctx) })
	for {
		err := t.follow(ctx)
		if ctx.Err() != nil || !t.isAsked(ctx) {
			return err
		}
		t.failed(err)
		restAfter(ctx, err)
	}
}

// follow keeps the read models true from where they are, until something goes wrong.
func (t *term) follow(ctx context.Context) error {
	conn, err := t.connect(ctx, ReadSchema(t.Schema))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	from, err := t.begin(ctx, conn)
	if err != nil {
		return err
	}
	defer t.end()
	following, ctx := errgroup.WithContext(ctx)
	following.Go(func() error { return t.watch(ctx) })
	following.Go(func() error { return t.Feed.Follow(ctx, from, maxBatch, t.apply) })
	return following.Wait()
}

func (t *term) begin(ctx context.Context, conn *pgx.Conn) (eventstore.Mark, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	live, err := t.takeLive(ctx, conn)
	if forked := (*checkpoint.Forked)(nil); errors.Is(err, errOutdated) || errors.As(err, &forked) {
		t.Passed(Standing{}) // They have passed nothing of this history that anybody could read.
	}
	if err != nil {
		return eventstore.Mark{}, err
	}
	t.live, t.conn = live, conn
	t.Passed(live.standing())
	return live.at, nil
}

// takeLive takes the read models over, if they show the store's history, and asks for a rebuild where one
// is needed.
func (t *term) takeLive(ctx context.Context, conn *pgx.Conn) (*models, error) {
	live, err := t.prepare(ctx, conn)
	switch {
	case errors.Is(err, errOutdated):
		return nil, errors.Join(err, t.requests(conn).need(ctx, t.fingerprint(), Failed))
	case err != nil:
		return nil, err
	case live.stale:
		err = t.requests(conn).need(ctx, t.fingerprint(), Failed, Different)
	}
	return live, errors.Join(err, checkpoint.Verify(ctx, t.Store, live.at))
}

func (t *term) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live, t.conn = nil, nil
}

// errMoved ends a turn whose read models somebody else has taken over.
var errMoved = errors.New("projections: another projector has taken over")

// isMoved tells that another projector has taken over.
func isMoved(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, errMoved) || errors.As(err, &pg) && pg.Code == "GE002"
}

// watch looks whether the checkpoint is still where this turn left it, which every batch finds out while
// events arrive, and whether parked streams are to be tried again.
func (t *term) watch(ctx context.Context) error {
	for {
		rest(ctx, watchEvery)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		retry, err := t.check(ctx)
		if err == nil && retry {
			err = t.release(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func (t *term) check(ctx context.Context) (retry bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ours bool
	err = t.conn.QueryRow(ctx, `select exists (select from checkpoints
		where follower = $1 and era = $3::bigint / 256 and turn = $2 and position = $3 and event_id = $4), exists (select from parked where retry)`,
		follower, t.live.turn, t.live.at.Position, [16]byte(t.live.at.Event.ID)).Scan(&ours, &retry)
	if err == nil && !ours {
		err = errMoved
	}
	if err == nil {
		t.moved()
	}
	return retry, err
}

// release tries the streams again that somebody asked for; in between, other events have their turn.
func (t *term) release(ctx context.Context) error {
	some := func() (bool, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.live == nil {
			return false, nil
		}
		was, err := t.live.releaseSome(ctx, t.Store)
		if err == nil {
			t.moved()
		}
		return was, err
	}
	for {
		if more, err := some(); err != nil || !more {
			return err
		}
	}
}

func (t *term) apply(ctx context.Context, events []eventstore.Recorded) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, began := t.live.at.Position, time.Now()
	err := t.live.apply(ctx, events)
	if err == nil {
		t.moved()
		t.trace(events, before, began)
	}
	return err
}

// trace tells what was written about the events after a position, once it can be seen. Of those that are held nothing
// is.
func (t *term) trace(events []eventstore.Recorded, before int64, began time.Time) {
	for _, r := range events {
		if step, is := tracing.Begin(t.Tracer, r, began); is && r.Position > before {
			step.End("projection apply", trace.SpanKindConsumer, batchSize.Int(len(events)), held.Bool(t.live.parked[r.Stream]))
		}
	}
}

const (
	batchSize = attribute.Key("gesta.batch.events")
	held      = attribute.Key("gesta.parked")
)

// moved tells that all is well, and how far.
func (t *term) moved() {
	t.turns.Well()
	t.Passed(t.live.standing())
}
