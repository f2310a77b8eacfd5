package projections

import (
	"context"
	"errors"
	"fmt"
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
	Lead        func(ctx context.Context, lead func(context.Context) error) error // one projector at a time
	Passed      func(eventstore.Mark)                                             // told after each commit
	Log         *slog.Logger

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
	var logged time.Time
	for ctx.Err() == nil {
		err := p.turnOrStandby(ctx)
		if ctx.Err() != nil {
			return nil
		}
		before := p.Err()
		p.failure.Store(&err)
		if before == nil || before.Error() != err.Error() || time.Since(logged) > logEvery {
			p.Log.Warn("projector stopped, trying again", "error", err)
			logged = time.Now()
		}
		rest(ctx, restAfterFailure)
	}
	return nil
}

// standingBy is how long it takes, once leading was asked for, to see that another one leads.
const standingBy = 2 * time.Second

// turnOrStandby leads when it is its turn. While another leads, this projector's last failure is past.
func (p *Projector) turnOrStandby(ctx context.Context) error {
	standby := time.AfterFunc(standingBy, func() { p.failure.Store(nil) })
	defer standby.Stop()
	return p.Lead(ctx, func(ctx context.Context) error {
		standby.Stop()
		return p.follow(ctx)
	})
}

// follow is one turn of leading: from where the read models are, until something goes wrong.
func (p *Projector) follow(ctx context.Context) error {
	conn, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	from, err := p.prepare(ctx, conn)
	if err != nil {
		return err
	}
	if err := p.begin(ctx, conn, from); err != nil {
		return err
	}
	t := &turn{Projector: p, conn: conn, at: from}
	following, ctx := errgroup.WithContext(ctx)
	following.Go(func() error { return t.watch(ctx) })
	following.Go(func() error { return p.Feed.Follow(ctx, from, maxBatch, t.apply) })
	return following.Wait()
}

// begin tells where this turn begins. Read models that show another history have passed nothing of this
// one; following it will say so.
func (p *Projector) begin(ctx context.Context, conn *pgx.Conn, from eventstore.Mark) error {
	var ours bool
	err := conn.QueryRow(ctx, `select exists (select from checkpoints as c where follower = $1 and `+inHistory(p.Schema)+`)`,
		follower).Scan(&ours)
	if !ours {
		from = eventstore.Mark{}
	}
	if err == nil {
		p.Passed(from)
	}
	return err
}

// turn is a connection and what it has written so far.
type turn struct {
	*Projector
	mu   sync.Mutex // one at a time uses the connection
	conn *pgx.Conn
	at   eventstore.Mark
}

// errMoved ends a turn whose read models somebody else has emptied or written.
var errMoved = errors.New("projections: the checkpoint was moved by another")

// watch looks whether the checkpoint is still where this turn left it. While events arrive every batch
// finds out; without any, a rebuild would never begin.
func (t *turn) watch(ctx context.Context) error {
	for {
		rest(ctx, watchEvery)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := t.check(ctx); err != nil {
			return err
		}
	}
}

func (t *turn) check(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var there bool
	err := t.conn.QueryRow(ctx, `select exists (select from checkpoints where follower = $1 and position = $2 and event_id = $3)`,
		follower, t.at.Position, [16]byte(t.at.Event.ID)).Scan(&there)
	if err == nil && !there {
		err = errMoved
	}
	if err == nil {
		t.failure.Store(nil)
	}
	return err
}

// apply writes a batch and moves the checkpoint, in one transaction and one round trip.
func (t *turn) apply(ctx context.Context, events []eventstore.Recorded) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	to := events[len(events)-1].Mark()
	batch := &pgx.Batch{}
	batch.Queue(`select advance($1, $2, $3, $4, $5)`, follower,
		t.at.Position, [16]byte(t.at.Event.ID), to.Position, [16]byte(to.Event.ID))
	for _, r := range events {
		if err := t.write(batch, r); err != nil {
			return err
		}
	}
	if err := t.conn.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("projections: events %d to %d: %w", events[0].Position, to.Position, err)
	}
	t.at = to
	t.failure.Store(nil)
	t.Passed(to)
	return nil
}

// write lets every rule for the event have its say. A type nobody here has heard of is no damage:
// there is no rule for it.
func (p *Projector) write(batch *pgx.Batch, r eventstore.Recorded) error {
	e, err := p.Catalogue.Decode(r.Type, r.Schema, r.Data, nil)
	if errors.Is(err, domain.ErrUnknownType) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("projections: event %d: %w", r.Position, err)
	}
	for _, one := range p.Projections {
		for _, rule := range one.Rules {
			if rule.Type == r.Type {
				rule.apply(Write{Event: r, batch: batch}, e)
			}
		}
	}
	return nil
}

// connect answers a connection whose commits don't wait for the disk: a crash only moves the
// checkpoint back, together with what was written.
func (p *Projector) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(p.URL)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["search_path"] = ReadSchema(p.Schema)
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
