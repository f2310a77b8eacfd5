package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"gesta/cmd/gesta/bench"
)

// benchCmd measures.
type benchCmd struct {
	Run  benchRun  `cmd:"" default:"withargs" help:"Measure, and print a table."`
	Bare benchBare `cmd:"" hidden:"" help:"Serve the handlers that gesta is compared with."`
}

type (
	benchRun struct {
		Parts []string `arg:"" optional:"" name:"part" help:"What is measured: append, read, pipeline, http, rebuild, seal, snapshot, vacuum, proof, history; all of these unless named. Growth, customers and histories, which are not among them, take some twenty minutes each, the last one ten."`
	}
	benchBare struct {
		Connections int `help:"In its pool; 0 for as many as gesta's has."`
	}
)

// Run measures on a Postgres and a NATS of its own; nothing of what is measured is kept.
func (c benchRun) Run(ctx context.Context, std streams) error {
	for _, p := range c.Parts {
		if !slices.Contains(bench.Names(), p) {
			return fmt.Errorf("there is no part %q to measure; there are %v", p, bench.Names())
		}
	}
	binary, err := os.Executable()
	if err == nil {
		err = forgetSettings()
	}
	if err != nil {
		return err
	}
	return bench.Run(ctx, bench.Options{Parts: c.Parts, Binary: binary, Progress: std.err, Out: std.out, Open: openProcess})
}

// forgetSettings keeps what is set for another installation on this machine from what is measured.
func forgetSettings() error {
	parser, err := newParser(&cli{})
	if err != nil {
		return err
	}
	return kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, is := node.(*kong.Flag); is {
			for _, name := range flag.Envs {
				if err := os.Unsetenv(name); err != nil {
					return err
				}
			}
		}
		return next(nil)
	})
}

// Run serves until ctx ends.
func (c benchBare) Run(ctx context.Context, s *Settings, std streams) error {
	return bench.ServeBare(ctx, bench.Installation{Owner: s.MigrateDatabaseURL, Secret: s.JWTSecret}, c.Connections, std.err)
}

// openProcess runs what `gesta dev` runs, but serves nothing.
func openProcess(ctx context.Context, i bench.Installation) (*bench.Process, error) {
	s, err := settingsOf(i)
	if err != nil {
		return nil, err
	}
	sys, err := s.system(ctx)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	a, err := s.openFor(ctx, sys, log, allRoles)
	if err != nil {
		return nil, err
	}
	nc, err := i.Connect(natsOptions(log)...)
	if err != nil {
		a.close()
		return nil, err
	}
	n, err := newNode(a, nc, plan{roles: allRoles})
	if err != nil {
		nc.Close()
		a.close()
		return nil, err
	}
	working, stop := context.WithCancel(ctx)
	workers, working := errgroup.WithContext(working)
	n.work(working, workers)
	return &bench.Process{Store: a.store, Executor: a.executor, Fence: n.fence, Close: func() error {
		stop()
		err := workers.Wait()
		nc.Close()
		a.close()
		return err
	}}, nil
}

func settingsOf(i bench.Installation) (*Settings, error) {
	var c cli
	parser, err := newParser(&c)
	if err != nil {
		return nil, err
	}
	_, err = parser.Parse([]string{"serve", "--database-url", i.App, "--jwt-secret", i.Secret, "--master-key", i.MasterKey})
	return &c.Settings, err
}
