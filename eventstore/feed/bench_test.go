package feed_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/feed"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

// BenchmarkLatency is the way of one event from its commit to a follower in the same process.
func BenchmarkLatency(b *testing.B) { latency(b, func(*feed.Feed) {}) }

// BenchmarkLatencyByTheStream is that to a follower in another process.
func BenchmarkLatencyByTheStream(b *testing.B) { latency(b, func(f *feed.Feed) { f.Handoff = nil }) }

func latency(b *testing.B, change func(*feed.Feed)) {
	history := &relaytest.History{Name: "ours"}
	history.Grow(1)
	f := benchmarked(b, history)
	change(f)
	got := make(chan int64, 1024)
	follow(b, f, func(events []eventstore.Recorded) { got <- events[len(events)-1].Position })
	await(got, 1)
	b.ResetTimer()
	for i := range b.N {
		history.Grow(1)
		await(got, int64(i)+2)
	}
}

// BenchmarkThroughput follows what was appended before, through the stream and the store.
func BenchmarkThroughput(b *testing.B) {
	history := &relaytest.History{Name: "ours"}
	history.Grow(b.N)
	f := benchmarked(b, history)
	f.Handoff = nil
	got := make(chan int64, 1024)
	b.ResetTimer()
	follow(b, f, func(events []eventstore.Recorded) { got <- events[len(events)-1].Position })
	await(got, int64(b.N))
}

func benchmarked(b *testing.B, history *relaytest.History) *feed.Feed {
	log, nats := slog.New(slog.NewTextHandler(io.Discard, nil)), relaytest.Start(b)
	r := &relay.Relay{
		Store: history, NC: nats.Connect(), Checkpoint: &checkpoint.Memory{}, Handoff: &history.Handoff, Log: log,
	}
	relaytest.Run(b, r.Run)
	wait.Until(b, "the relay is level", func() bool {
		return r.Status().Leading && r.Status().Err == nil && r.Status().Position == int64(len(history.All()))
	})
	return &feed.Feed{Store: history, NC: nats.Connect(), Handoff: &history.Handoff, Log: log}
}

func follow(b *testing.B, f *feed.Feed, got func([]eventstore.Recorded)) {
	relaytest.Run(b, func(ctx context.Context) error {
		return f.Follow(ctx, eventstore.Mark{}, 500, func(_ context.Context, events []eventstore.Recorded) error {
			got(events)
			return nil
		})
	})
}

func await(got <-chan int64, position int64) {
	for last := int64(0); last < position; {
		last = <-got
	}
}
