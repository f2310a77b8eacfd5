package projections

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"gesta/domain"
	"gesta/eventstore"
)

// Projector follows the history and keeps all read models true. All of them move together, in one
// transaction a batch, which the checkpoint is part of.
type Projector struct {
	URL         string // of the database; the projector has a connection of its own
	Schema      string // of the truth
	Catalogue   domain.Catalogue
	Projections []Projection
	Feed        Feed
	Store       eventstore.Store                                                  // what is held or built anew is read from it
	Lead        func(ctx context.Context, lead func(context.Context) error) error // one projector at a time
	Passed      func(Standing)                                                    // told after each commit
	Log         *slog.Logger

	logged  time.Time             // when a failure was
	careful atomic.Bool           // see models
	failure atomic.Pointer[error] // why it does not get on; nil while it does
}

// Err is why the projector does not get on at the moment; nil while it does, or stands by.
func (p *Projector) Err() error {
	if err := p.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Feed hands on the history after a mark, each event once and in order, at most max at a time, until
// ctx ends or handle fails.
type Feed interface {
	Follow(ctx context.Context, from eventstore.Mark, max int, handle func(context.Context, []eventstore.Recorded) error) error
}

// What arrives together is written together, up to this many events.
const maxBatch = 500

// How often an idle projector looks whether its checkpoint was moved.
const watchEvery = 500 * time.Millisecond

// How long the projector rests after a failure, so that a database that is away is not stormed.
const restAfterFailure = 250 * time.Millisecond

// An error that stays the same is logged only now and then.
const logEvery = time.Minute

// Run projects until ctx ends. Failures are logged and tried again: nothing is lost by waiting.
func (p *Projector) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := p.turnOrStandby(ctx)
		if ctx.Err() != nil {
			return nil
		}
		p.failed(err)
		rest(ctx, restAfterFailure)
	}
	return nil
}

// failed says why the projector does not get on.
func (p *Projector) failed(err error) {
	before := p.Err()
	p.failure.Store(&err)
	if before == nil || before.Error() != err.Error() || time.Since(p.logged) > logEvery {
		p.Log.Warn("projector stopped, trying again", "error", err)
		p.logged = time.Now()
	}
}

// standingBy is how long it takes, once leading was asked for, to see that another one leads.
const standingBy = 2 * time.Second

// turnOrStandby leads when it is its turn. While another leads, this projector's last failure is past.
func (p *Projector) turnOrStandby(ctx context.Context) error {
	standby := time.AfterFunc(standingBy, func() { p.failure.Store(nil) })
	defer standby.Stop()
	return p.Lead(ctx, func(ctx context.Context) error {
		standby.Stop()
		return (&term{Projector: p}).lead(ctx)
	})
}

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
		rest(ctx, restAfterFailure)
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
	live, err := t.prepare(ctx, conn)
	if errors.Is(err, errOutdated) {
		err = errors.Join(err, t.requests(conn).need(ctx, t.fingerprint(), 0))
	}
	if err == nil && live.stale {
		err = t.requests(conn).need(ctx, t.fingerprint(), live.rebuild)
	}
	if err != nil {
		return eventstore.Mark{}, err
	}
	t.live, t.conn = live, conn
	t.Passed(live.standing())
	return live.at, nil
}

func (t *term) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live, t.conn = nil, nil
}

// errMoved ends a turn whose read models somebody else has taken over.
var errMoved = errors.New("projections: another projector has taken over")

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
		where follower = $1 and turn = $2 and position = $3 and event_id = $4), exists (select from parked where retry)`,
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
	err := t.live.apply(ctx, events)
	if err == nil {
		t.moved()
	}
	return err
}

// moved tells that all is well, and how far.
func (t *term) moved() {
	t.failure.Store(nil)
	t.Passed(t.live.standing())
}

// connect answers a connection whose commits don't wait for the disk: a crash only moves the
// checkpoint back, together with what was written.
func (p *Projector) connect(ctx context.Context, schema string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(p.URL)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["search_path"] = schema
	config.RuntimeParams["synchronous_commit"] = "off"
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	return pgx.ConnectConfig(ctx, config)
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
