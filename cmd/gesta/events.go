package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"path"
	"time"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

// eventsCmd prints the history in its published form.
type eventsCmd struct {
	Tail      eventsTail      `cmd:"" help:"Print new events as they come, until interrupted."`
	Export    eventsExport    `cmd:"" help:"Print all events there are."`
	ForkEpoch eventsForkEpoch `cmd:"" help:"Part the history from one that was published and is lost, after a restore from an older backup."`
}

type (
	eventsTail struct {
		After int64   `default:"-1" help:"Begin after this position; with what comes next when not set."`
		Type  pattern `default:"*" help:"Only events of these types, as in 'identity.user.*'."`
	}
	eventsExport struct {
		After int64   `help:"Begin after this position."`
		Type  pattern `default:"*" help:"Only events of these types, as in 'identity.user.*'."`
	}
)

// pattern is one of package path.
type pattern string

func (p *pattern) UnmarshalText(text []byte) error {
	*p = pattern(text)
	_, err := path.Match(string(text), "")
	return err
}

func (p pattern) matches(name string) bool {
	is, err := path.Match(string(p), name)
	return is && err == nil
}

// How many events are read at once, and how often a tail looks for more.
const (
	exportPage = 1000
	tailEvery  = 200 * time.Millisecond
)

// Run prints what comes until ctx ends.
func (c eventsTail) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		after := c.After
		if after < 0 {
			head, err := a.store.Head(ctx)
			if err != nil {
				return err
			}
			after = head.Position
		}
		for ctx.Err() == nil {
			var err error
			if after, err = printEvents(ctx, a.store, std.out, after, c.Type); err != nil && ctx.Err() == nil && !errors.Is(err, eventstore.ErrUnavailable) {
				return err
			}
			select {
			case <-ctx.Done():
			case <-time.After(tailEvery):
			}
		}
		return nil
	})
}

// Run prints what there is.
func (c eventsExport) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		_, err := printEvents(ctx, a.store, std.out, c.After, c.Type)
		return err
	})
}

// printEvents writes the events after a position, in short reads so that no snapshot is held for long,
// and answers the position up to which all are written: whoever goes on from there misses none.
func printEvents(ctx context.Context, store eventstore.Store, w io.Writer, after int64, types pattern) (int64, error) {
	out := bufio.NewWriter(w)
	for {
		events, err := store.Read(ctx, after, exportPage)
		if err != nil || len(events) == 0 {
			return after, err
		}
		epochs, err := eventstore.LoadEpochs(ctx, store) // They know of whatever was read.
		if err != nil {
			return after, err
		}
		for _, e := range events {
			if err := printEvent(out, e, epochs.At(e.Position), types); err != nil {
				return after, err
			}
		}
		if err := out.Flush(); err != nil {
			return after, err
		}
		after = events[len(events)-1].Position
	}
}

func printEvent(out *bufio.Writer, e eventstore.Recorded, epoch int64, types pattern) error {
	if !types.matches(e.Type) {
		return nil
	}
	_, _ = out.Write(envelope.Encode(e, epoch)) // A failed write is told by the next, and by Flush.
	return out.WriteByte('\n')
}
