package projections

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"

	"gesta/eventstore"
	"gesta/eventstore/leader"
	"gesta/eventstore/seal"
)

// Projector follows the history and keeps all read models true. All of them move together, in one
// transaction a batch, which the checkpoint is part of.
type Projector struct {
	URL         string // of the database; the projector has a connection of its own
	Schema      string // of the truth
	Vault       *seal.Vault
	Projections []Projection
	Feed        Feed
	Store       eventstore.Store                                                  // what is held or built anew is read from it
	Lead        func(ctx context.Context, lead func(context.Context) error) error // one projector at a time
	Passed      func(Standing)                                                    // told after each commit
	Log         *slog.Logger
	Tracer      trace.Tracer // nil for no spans

	careful atomic.Bool // see models
	turns   leader.Turns
}

// Err is why the projector does not get on at the moment; nil while it does, or stands by.
func (p *Projector) Err() error { return p.turns.Err() }

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

// Run projects until ctx ends. Failures are logged and tried again: nothing is lost by waiting.
func (p *Projector) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := p.turns.Take(ctx, p.Lead, func(ctx context.Context) error { return (&term{Projector: p}).lead(ctx) })
		if ctx.Err() != nil {
			return nil
		}
		p.failed(err)
		restAfter(ctx, err)
	}
	return nil
}

// failed says why the projector does not get on.
func (p *Projector) failed(err error) {
	if p.turns.Failed(err) {
		p.Log.Warn("projector stopped, trying again", "error", err)
	}
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
	// Rules find rows by their keys. A plan that is made while a table is small is kept while it grows.
	config.RuntimeParams["enable_seqscan"] = "off"
	// A plan that goes without an index all the same is priced so high by this that the server would compile it first,
	// which on a busy machine took a takeover seconds.
	config.RuntimeParams["jit"] = "off"
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "5s" // Whoever hangs must not hold what another needs to go on.
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	return pgx.ConnectConfig(ctx, config)
}

// restAfter leaves those alone for longer who have taken over: if two did so in turns, neither would get on.
func restAfter(ctx context.Context, err error) {
	if isMoved(err) {
		rest(ctx, restAfterFailure+rand.N(8*restAfterFailure))
		return
	}
	rest(ctx, restAfterFailure)
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
