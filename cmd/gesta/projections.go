package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gesta/eventstore"
	"gesta/projections"
)

// projectionsCmd looks after the read models.
type projectionsCmd struct {
	Status  projectionsStatus  `cmd:"" help:"Print where the read models are."`
	Rebuild projectionsRebuild `cmd:"" help:"Empty the read models and build them from the history, whether the server runs or not."`
}

type (
	projectionsStatus  struct{}
	projectionsRebuild struct{}
)

// Run prints position and lag.
func (projectionsStatus) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		position, head, err := a.level(ctx)
		if err == nil {
			fmt.Fprintf(std.out, "projector position %d of %d, %d behind\n", position, head, head-position)
		}
		return err
	})
}

// Run rebuilds, and returns when the read models have caught up with what the history was when it
// began. Where a server projects, that one does the work; otherwise this process does.
func (projectionsRebuild) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		p := a.newProjector(a.leader("projector").Lead, func(eventstore.Mark) {})
		if err := p.Reset(ctx); err != nil {
			return err
		}
		building, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- p.Run(building) }()
		position, err := a.awaitLevel(ctx)
		stop()
		if err := errors.Join(err, <-done); err != nil {
			return err
		}
		fmt.Fprintf(std.out, "read models rebuilt up to position %d\n", position)
		return nil
	})
}

// level answers where the read models are and where the history ends.
func (a *app) level(ctx context.Context) (position, end int64, err error) {
	head, err := a.store.Head(ctx)
	if err != nil {
		return 0, 0, err
	}
	position, err = projections.Checkpoint(a.reads, a.sys.schema)(ctx)
	return position, head.Position, err
}

// awaitLevel waits until the read models hold everything that the history held when it was called.
func (a *app) awaitLevel(ctx context.Context) (int64, error) {
	head, err := a.store.Head(ctx)
	if err != nil {
		return 0, err
	}
	for {
		position, _, err := a.level(ctx)
		if err != nil || position >= head.Position {
			return position, err
		}
		select {
		case <-ctx.Done():
			return position, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
