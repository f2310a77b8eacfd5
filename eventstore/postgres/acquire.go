package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
)

// How long a pool's user waits for a connection: when all are in use for so long, the server does not
// answer, and more waiting only piles up requests.
var acquireTime = 2 * time.Second

// How long a new connection waits for the server.
const dialTime = 5 * time.Second

// Impatient bounds how long a pool's users wait for a connection.
func Impatient(config *pgxpool.Config) {
	if other := config.ConnConfig.Tracer; other != nil {
		config.ConnConfig.Tracer = multitracer.New(impatience{}, other)
	} else {
		config.ConnConfig.Tracer = impatience{}
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = dialTime
	}
}

// impatience is a tracer that traces nothing: a pool lets tracers set the context of an acquisition.
type impatience struct{}

// cancelKey finds what ends an acquisition's context.
type cancelKey struct{}

func (impatience) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	ctx, cancel := context.WithTimeout(ctx, acquireTime)
	return context.WithValue(ctx, cancelKey{}, cancel)
}

func (impatience) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	ctx.Value(cancelKey{}).(context.CancelFunc)()
}

func (impatience) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (impatience) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
