package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gesta/projections"
)

var (
	errKept    = errors.New("the old read models are kept")
	errLetGoOn = errors.New("the rebuild goes on wherever somebody projects; 'gesta projections status' says how it ends")
)

// Run asks for a rebuild, says how far it is, and tells its outcome.
func (c projectionsRebuild) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error { return a.rebuildReadModels(ctx, std.out, c.Replace) })
}

// rebuildReadModels answers errKept when the old ones were not replaced.
func (a *app) rebuildReadModels(ctx context.Context, out io.Writer, replace bool) error {
	number, err := a.rebuilds().Request(ctx, replace)
	if err != nil {
		return err
	}
	var r projections.Rebuild
	err = a.whileProjecting(ctx, func(ctx context.Context) (err error) {
		r, err = a.watchRebuild(ctx, out, number)
		return err
	})
	if ctx.Err() != nil {
		return errLetGoOn
	}
	if err != nil {
		return err
	}
	if r.State == projections.Done {
		fmt.Fprintf(out, "read models rebuilt up to position %d\n", r.Position)
		return nil
	}
	printDetail(out, r.Detail)
	return errKept
}

// watchRebuild says how far a rebuild is, until it ends.
func (a *app) watchRebuild(ctx context.Context, out io.Writer, number int64) (r projections.Rebuild, err error) {
	progress := newProgress(out)
	err = poll(ctx, func() (bool, error) {
		if r, err = a.rebuilds().Get(ctx, number); err != nil {
			return false, err
		}
		progress.show(r)
		return r.State.Ended(), nil
	})
	progress.end()
	return r, err
}
