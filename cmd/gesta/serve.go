package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"gesta/http/server"
)

// serveCmd runs against a Postgres and a NATS that somebody else runs.
type serveCmd struct {
	Listen []string `env:"GESTA_LISTEN" default:":8080" help:"Addresses to serve on: the APIs where the role api runs, health and metrics everywhere."`
	Roles  []string `env:"GESTA_ROLES" default:"api,relay,projector,policies" enum:"api,relay,projector,policies" help:"What this process does."`
}

var (
	errNoDatabase = errors.New("set DATABASE_URL, or DB_HOST and its like; 'gesta dev' brings its own Postgres")
	errNATS       = errors.New("NATS_URL is not a list of addresses such as nats://user:password@host:4222")
)

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, s *Settings, std streams) error {
	if s.database() == "" {
		return errNoDatabase
	}
	if _, err := s.secrets(); err != nil && decides(c.Roles) {
		return err
	}
	sys, err := s.system(ctx)
	if err != nil {
		return err
	}
	log := s.logger(std.err)
	s.warn(log)
	if err := sys.ready(ctx, log); err != nil {
		return err
	}
	nc, err := nats.Connect(s.NATSURL, natsOptions(log)...)
	if err != nil {
		return errNATS // What is wrong with it could say the password in it.
	}
	defer nc.Close()
	return s.serve(ctx, sys, log, nc, c.Roles, c.Listen, func(_ context.Context, n *node) error {
		log.Info("serving", "roles", c.Roles, "addresses", n.addresses())
		return nil
	})
}

// decides tells whether any of the roles needs commands, and their secrets.
func decides(roles []string) bool {
	return slices.Contains(roles, "api") || slices.Contains(roles, "policies")
}

// warn says what is weak in these settings.
func (s *Settings) warn(log *slog.Logger) {
	if weak := s.weaknesses(); len(weak) > 0 {
		log.Warn("these settings are weak; GESTA_PROFILE=hardened is less so", "profile", s.Profile, "weak", weak)
	}
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
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("NATS is back") }),
	}
}

// serve runs roles on a system until ctx ends; started is called once they run.
func (s *Settings) serve(ctx context.Context, sys *system, log *slog.Logger, nc *nats.Conn, roles, addresses []string, started func(context.Context, *node) error) error {
	a, err := s.open(ctx, sys, log)
	if err != nil {
		return err
	}
	defer a.close()
	if decides(roles) {
		if err := a.openCommands(ctx); err != nil {
			return err
		}
	}
	n, err := newNode(a, nc, roles)
	if err != nil {
		return err
	}
	if n.listeners, err = server.Listen(ctx, addresses); err != nil {
		return err
	}
	return n.run(ctx, started)
}
