package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gesta/migrations"
	"gesta/projections"
)

// migrateCmd moves the schema of the truth. The read models need no migration: the projector builds
// them anew when they change.
type migrateCmd struct {
	Up     migrateUp     `cmd:"" help:"Bring the schema to what this binary knows, and let the app's login in."`
	Down   migrateDown   `cmd:"" help:"Take migrations back. Taking back the first one loses the history."`
	Status migrateStatus `cmd:"" help:"Print the schema's version and the newest this binary knows."`
}

type (
	migrateUp   struct{}
	migrateDown struct {
		Steps          int  `default:"1" help:"How many."`
		LoseTheHistory bool `help:"Go on although there are events, and the migration that made their table is among those taken back."`
	}
	migrateStatus struct{}
)

// Run migrates up, and prints where the schema is then.
func (migrateUp) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withSystem(ctx, func(sys *system) error {
		if err := sys.migrate(ctx); err != nil {
			return err
		}
		return sys.printStatus(ctx, std)
	})
}

var errHistory = errors.New("there are events, and they would be gone for ever; say --lose-the-history if that is what you want")

// Run migrates down, and prints where the schema is then. With the table of events go the read models,
// which were made from them.
func (c migrateDown) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withSystem(ctx, func(sys *system) error {
		at, err := migrations.Status(ctx, sys.ownerURL, sys.schema)
		if err != nil {
			return err
		}
		if at.Version > 0 && int(at.Version) <= c.Steps {
			if err := c.loseHistory(ctx, sys); err != nil {
				return err
			}
		}
		if err := migrations.Down(ctx, sys.ownerURL, sys.schema, c.Steps); err != nil {
			return err
		}
		return sys.printStatus(ctx, std)
	})
}

// loseHistory drops the read models, as the app's login, which owns them.
func (c migrateDown) loseHistory(ctx context.Context, sys *system) error {
	events, err := sys.hasEvents(ctx)
	if err != nil {
		return err
	}
	if events && !c.LoseTheHistory {
		return errHistory
	}
	for _, schema := range projections.Schemas(sys.schema) {
		if err == nil {
			err = sys.exec(ctx, "drop schema if exists "+pgx.Identifier{schema}.Sanitize()+" cascade")
		}
	}
	return err
}

func (s *system) hasEvents(ctx context.Context) (has bool, err error) {
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, "select exists (select from "+pgx.Identifier{s.schema, "events"}.Sanitize()+")").Scan(&has)
	return has, err
}

func (s *system) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

// Run prints where the schema is.
func (migrateStatus) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withSystem(ctx, func(sys *system) error { return sys.printStatus(ctx, std) })
}

func (s *system) printStatus(ctx context.Context, std streams) error {
	status, err := migrations.Status(ctx, s.ownerURL, s.schema)
	if err == nil {
		fmt.Fprintf(std.out, "schema %s version %d of %d dirty %t\n", s.schema, status.Version, status.Latest, status.Dirty)
	}
	return err
}

// withSystem is for commands that work on the database alone.
func (s *Settings) withSystem(ctx context.Context, do func(*system) error) error {
	sys, err := s.system(ctx)
	if err != nil {
		return err
	}
	err = do(sys)
	if stopped := sys.close(); err == nil {
		err = stopped
	}
	return err
}
