package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"gesta/domain"
	"gesta/projections"
)

// Run asks for another try and tells its outcome.
func (c projectionsRetry) Run(ctx context.Context, s *Settings, std streams) error {
	wanted, err := parseStreams(c.Streams)
	if err != nil {
		return err
	}
	return s.with(ctx, std, func(a *app) error {
		asked, err := projections.Retry(ctx, a.reads, wanted...)
		switch {
		case err != nil:
			return err
		case len(asked) < len(wanted):
			return errNotParked
		case len(asked) == 0:
			fmt.Fprintln(std.out, "no stream is parked")
			return nil
		}
		err = a.whileProjecting(ctx, func(ctx context.Context) error {
			return poll(ctx, func() (bool, error) {
				trying, err := projections.IsRetried(ctx, a.reads)
				return !trying, err
			})
		})
		if err != nil {
			return err
		}
		return a.tellRetried(ctx, std.out, asked)
	})
}

var errNotParked = errors.New("no such stream is parked")

var errStillParked = errors.New("not every stream could be released")

func (a *app) tellRetried(ctx context.Context, out io.Writer, asked []projections.Parked) error {
	still, err := projections.ParkedStreams(ctx, a.reads, 0)
	if err != nil {
		return err
	}
	for _, p := range asked {
		i := slices.IndexFunc(still, func(s projections.Parked) bool { return s.Stream == p.Stream })
		if i < 0 {
			fmt.Fprintf(out, "released %s\n", p.Stream)
			continue
		}
		fmt.Fprintf(out, "parked %s: %s at position %d: %s\n", p.Stream, still[i].Type, still[i].Position, still[i].Error)
		err = errStillParked
	}
	return err
}

func parseStreams(texts []string) (all []domain.Stream, err error) {
	for _, text := range texts {
		s, err := domain.ParseStream(text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
