package relay_test

import (
	"io"
	"log/slog"
	"testing"

	"gesta/eventstore/checkpoint"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

// BenchmarkCatchUp publishes what the store has.
func BenchmarkCatchUp(b *testing.B) {
	history := &relaytest.History{Name: "ours"}
	history.Grow(b.N)
	r := benchmarked(b, history)
	b.ResetTimer()
	relaytest.Run(b, r.Run)
	wait.Until(b, "level", func() bool { return r.Status().Position == int64(b.N) })
}

func benchmarked(b *testing.B, history *relaytest.History) *relay.Relay {
	return &relay.Relay{
		Store: history, NC: relaytest.Start(b).Connect(), Checkpoint: &checkpoint.Memory{},
		Handoff: &history.Handoff, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}
