package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/nats-io/nats.go"

	"gesta/eventstore"
	"gesta/eventstore/tracing/otlp"
	"gesta/http/server"
)

// serveCmd runs against a Postgres and a NATS that somebody else runs.
type serveCmd struct {
	Listen []string      `env:"GESTA_LISTEN" default:":8080" help:"Addresses to serve on: the APIs where the role api runs, health and metrics everywhere."`
	Roles  []string      `env:"GESTA_ROLES" default:"api,relay,projector,policies,audit" enum:"api,relay,projector,policies,audit" help:"What this process does."`
	Drain  time.Duration `env:"GESTA_DRAIN" default:"3s" help:"How long a process that ends still takes new connections, while /readyz says 503, so that what sends them here can notice."`
	Wait   time.Duration `env:"GESTA_WAIT" default:"1m" help:"How long to wait at the start for a Postgres that is not there yet, or too busy."`
}

var (
	errNoDatabase = errors.New("set DATABASE_URL, or DB_HOST and its like; 'gesta dev' brings its own Postgres")
	errNATS       = errors.New("NATS_URL is not a list of addresses such as nats://user:password@host:4222")
)

// Run serves until ctx ends. Who is told to end while it still starts has not failed by ending.
func (c *serveCmd) Run(ctx context.Context, s *Settings, std streams) error {
	return endedBy(ctx, c.serve(ctx, s, std))
}

func (c *serveCmd) serve(ctx context.Context, s *Settings, std streams) error {
	if s.database() == "" {
		return errNoDatabase
	}
	if c.Drain < 0 || c.Wait < 0 {
		return errors.New("GESTA_DRAIN and GESTA_WAIT must be 0 or more")
	}
	if has, err := s.secrets(); decides(c.Roles) && errors.Join(has.noJWT, err) != nil {
		return errors.Join(has.noJWT, err)
	}
	sys, err := s.system(ctx)
	if err != nil {
		return err
	}
	log := s.logger(std.err)
	if err := await(ctx, log, c.Wait, sys.answers); err != nil {
		return err
	}
	if err := sys.ready(ctx, log); err != nil {
		return err
	}
	nc, err := nats.Connect(s.NATSURL, natsOptions(log)...)
	if err != nil {
		return errNATS // What is wrong with it could say the password in it.
	}
	defer nc.Close()
	return s.serve(ctx, sys, log, nc, plan{roles: c.Roles, listen: c.Listen, wait: c.Wait, drain: c.Drain, started: func(_ context.Context, n *node) error {
		log.Info("serving", "roles", c.Roles, "addresses", n.addresses())
		return nil
	}})
}

// decides tells whether any of the roles needs commands, and their secrets.
func decides(roles []string) bool {
	return slices.Contains(roles, "api") || slices.Contains(roles, "policies")
}

// await tries until a Postgres that does not answer yet does, for a while: what starts everything at once
// starts things in any order, and who starts what has ended again would sooner or later give up. What
// answers with a refusal will not think better of it.
func await(ctx context.Context, log *slog.Logger, patience time.Duration, try func(context.Context) error) error {
	until := time.Now().Add(patience)
	for said := false; ; said = true {
		err := try(ctx)
		if err == nil || ctx.Err() != nil || !isComing(err) || time.Now().After(until) {
			return errors.Join(err, ctx.Err())
		}
		if !said {
			log.Warn("waiting for Postgres", "error", err, "for", patience.String())
		}
		select {
		case <-ctx.Done():
		case <-time.After(awaitEvery):
		}
	}
}

// How often a Postgres that is not there is asked, and how long it may take to answer.
const (
	awaitEvery = 500 * time.Millisecond
	awaitTime  = 5 * time.Second
)

func (s *system) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// isComing tells a server that does not answer, is starting, or has no room for another connection from
// one that refuses.
func isComing(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code == "57P03" || refused.Code == "53300"
	}
	var unreached *pgconn.ConnectError
	return errors.As(err, &unreached) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, eventstore.ErrUnavailable)
}

// ready migrates as the owner, and warns when the app's login is the owner: then only the triggers keep
// it from changing events.
func (s *system) ready(ctx context.Context, log *slog.Logger) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var owner bool
	err = conn.QueryRow(ctx, `select pg_has_role(relowner, 'usage') from pg_class where oid = to_regclass($1)`,
		pgx.Identifier{s.schema, "events"}.Sanitize()).Scan(&owner)
	if owner {
		log.Warn("the app's login owns the events; set MIGRATE_DATABASE_URL to an owner of its own")
	}
	return err
}

// natsOptions keep the connection trying for ever: NATS carries, it is not needed to serve.
func natsOptions(log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.Name("gesta"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.NoEcho(), // One's own hints are no news.
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				log.Warn("NATS is away", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS complains", "error", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("NATS is back") }),
	}
}

// plan is what a process does.
type plan struct {
	roles   []string
	listen  []string
	wait    time.Duration // for a Postgres that is too busy to answer at once
	drain   time.Duration
	prepare func(context.Context, *app) error  // is called before any role runs; nil for nothing to do
	started func(context.Context, *node) error // is called once the roles run
}

// serve runs a plan on a system until ctx ends.
func (s *Settings) serve(ctx context.Context, sys *system, log *slog.Logger, nc *nats.Conn, p plan) error {
	var a *app
	err := await(ctx, log, p.wait, func(ctx context.Context) (err error) {
		a, err = s.openFor(ctx, sys, log, p.roles)
		return err
	})
	if err != nil {
		return err
	}
	defer a.close()
	traces := otlp.Open(ctx, otlp.Options{Version: version, Log: log, Metrics: a.metrics})
	defer traces.Close()
	a.tracer = traces.Tracer
	if decides(p.roles) && (s.hardened() || s.database() != "") {
		for _, email := range a.published(ctx) {
			log.Warn("whoever knows gesta's demo data can sign in as an administrator", "email", email)
		}
	}
	if p.prepare != nil {
		if err := p.prepare(ctx, a); err != nil {
			return err
		}
	}
	n, err := newNode(a, nc, p)
	if err != nil {
		return err
	}
	if s.database() != "" { // In 'gesta dev' nobody is a stranger.
		n.warn()
	}
	if n.listeners, err = server.Listen(ctx, p.listen); err != nil {
		return err
	}
	return n.run(ctx)
}
