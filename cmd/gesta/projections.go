package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gesta/projections"
)

// projectionsCmd looks after the read models.
type projectionsCmd struct {
	Status  projectionsStatus  `cmd:"" help:"Print where the read models are, which streams are parked, and what became of the last rebuild."`
	Retry   projectionsRetry   `cmd:"" help:"Try parked streams again, whether the server runs or not."`
	Rebuild projectionsRebuild `cmd:"" help:"Build the read models from the history and put them in the place of the old ones, whether the server runs or not."`
}

type (
	projectionsStatus struct{}
	projectionsRetry  struct {
		Streams []string `arg:"" optional:"" name:"stream" help:"As in identity.user/01KAGV…; all when none is named."`
	}
	projectionsRebuild struct {
		Replace bool `help:"Put them there even if rows differ."`
	}
)

// How often a command looks how far what it has asked for is.
const lookEvery = 50 * time.Millisecond

// rebuilds are those of the app's read models.
func (a *app) rebuilds() projections.Rebuilds {
	return projections.Rebuilds{DB: a.reads, Schema: a.sys.schema}
}

// Run prints position and lag, parked streams and the last rebuild.
func (projectionsStatus) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		at, head, err := a.level(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.out, "projector position %d of %d, %d behind\n", at.Position, head, head-at.Position)
		if at.Stale {
			fmt.Fprintln(std.out, "some read models stand still until they are rebuilt")
		}
		if err := a.printParked(ctx, std.out, at.Position); err != nil {
			return err
		}
		return a.printLastRebuild(ctx, std.out)
	})
}

func (a *app) printParked(ctx context.Context, out io.Writer, position int64) error {
	all, err := projections.ParkedStreams(ctx, a.reads, 0)
	for _, p := range all {
		held, err := a.held(ctx, p, position)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "parked %s since %s: %s at position %d: %s; %d events held\n",
			p.Stream, p.At.UTC().Format(time.RFC3339), p.Type, p.Position, p.Error, held)
	}
	return err
}

// held counts the events of a parked stream that the read models have passed.
func (a *app) held(ctx context.Context, p projections.Parked, position int64) (n int, err error) {
	for version := p.Version - 1; ; {
		events, err := a.store.ReadStream(ctx, p.Stream, version, exportPage)
		for _, e := range events {
			if e.Position <= position {
				n++
			}
			version = e.Version
		}
		if err != nil || len(events) < exportPage {
			return n, err
		}
	}
}

func (a *app) printLastRebuild(ctx context.Context, out io.Writer) error {
	last, found, err := a.rebuilds().Last(ctx)
	if err == nil && found {
		fmt.Fprintf(out, "last rebuild %d, asked for %s: %s\n", last.ID, last.RequestedAt.UTC().Format(time.RFC3339), last.State)
		printDetail(out, last.Detail)
	}
	return err
}

func printDetail(out io.Writer, d projections.RebuildDetail) {
	if d.Error != "" {
		fmt.Fprintln(out, " ", d.Error)
	}
	for _, one := range d.Differences {
		fmt.Fprintln(out, " ", one)
	}
}

// whileProjecting does something that waits for a projector. Where a server projects, that one does the
// work; otherwise this process does.
func (a *app) whileProjecting(ctx context.Context, wait func(context.Context) error) error {
	if err := a.openVault(ctx); err != nil {
		return err
	}
	projecting, stop := context.WithCancel(ctx)
	p := a.newProjector(a.leader("projector").Lead, func(projections.Standing) {})
	done := make(chan error, 1)
	go func() { done <- p.Run(projecting) }()
	err := wait(ctx)
	stop()
	return errors.Join(err, <-done)
}

// poll asks until it is so.
func poll(ctx context.Context, is func() (bool, error)) error {
	for {
		ok, err := is()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

// level answers where the read models are and where the history ends.
func (a *app) level(ctx context.Context) (at projections.Standing, end int64, err error) {
	head, err := a.store.Head(ctx)
	if err != nil {
		return at, 0, err
	}
	at, err = projections.Checkpoint(a.reads, a.sys.schema)(ctx)
	return at, head.Position, err
}
