package main

import (
	"context"
	"fmt"

	"gesta/migrations"
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
		Steps int `default:"1" help:"How many."`
	}
	migrateStatus struct{}
)

// Run migrates up.
func (migrateUp) Run(ctx context.Context, s *Settings) error {
	return s.withSystem(ctx, func(sys *system) error { return sys.migrate(ctx) })
}

// Run migrates down.
func (c migrateDown) Run(ctx context.Context, s *Settings) error {
	return s.withSystem(ctx, func(sys *system) error { return migrations.Down(ctx, sys.ownerURL, sys.schema, c.Steps) })
}

// Run prints where the schema is.
func (migrateStatus) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withSystem(ctx, func(sys *system) error {
		status, err := migrations.Status(ctx, sys.ownerURL, sys.schema)
		if err == nil {
			fmt.Fprintf(std.out, "schema %s version %d of %d dirty %t\n", sys.schema, status.Version, status.Latest, status.Dirty)
		}
		return err
	})
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
