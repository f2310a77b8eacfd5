// Package feed brings the history to those who follow it: each event once, in order, without a gap,
// within moments of its commit.
//
// What this process commits is handed over in memory; other events come from JetStream. Whenever that is in doubt
// (a gap, a message that is none, silence though an append was announced, no connection at all), and for who is
// behind, they come from the store, which is the truth. A follower can't tell the difference: it sees what is published of an event, never its
// secret fields, and of the metadata what package envelope names.
package feed

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

const (
	defaultPoll = 500 * time.Millisecond
	silence     = 20 * time.Millisecond // how long the stream may keep back what is announced
	room        = 256                   // messages or hand-offs that wait for a slow follower
)

// Feed is where events come from. Only Store is needed; it is safe for many followers at once.
type Feed struct {
	Store   eventstore.Store
	NC      *nats.Conn          // nil to read the store alone
	Handoff *eventstore.Handoff // of this process; nil to learn of its appends as of those of others
	Poll    time.Duration       // the longest an event is overlooked; 0 for 500 ms
	Log     *slog.Logger        // nil for slog.Default()
}

// Handle deals with events that follow each other without a gap. The slice is its own to keep.
type Handle = func(ctx context.Context, events []eventstore.Recorded) error

// Follow passes everything after from to handle, at most limit events at a time, as many as are there.
// The zero Mark is before the first event.
//
// It ends when ctx does, with its error; with the first error of handle; and with *checkpoint.Forked
// when the store's history isn't the one that has been followed, which is asked at the beginning and
// each time the store is read. A store or a NATS that is away is waited for.
func (f *Feed) Follow(ctx context.Context, from eventstore.Mark, limit int, handle Handle) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := newFollower(f, from, max(1, limit), handle)
	end, err := t.listen(ctx)
	defer end()
	if err != nil {
		return err
	}
	return t.run(ctx)
}

// listen opens all sources of a follower. End closes them, and waits until they are.
func (t *follower) listen(ctx context.Context) (end func(), err error) {
	var ends []func()
	end = func() {
		for _, f := range ends {
			f()
		}
	}
	if t.feed.Handoff != nil {
		commits, unsubscribe := t.feed.Handoff.Subscribe(room)
		t.commits, ends = commits, append(ends, unsubscribe)
	}
	if t.feed.NC == nil {
		return end, nil
	}
	js, err := jetstream.New(t.feed.NC)
	if err != nil {
		return end, err
	}
	if t.hints, err = envelope.Listen(t.feed.NC, envelope.HintAppended); err != nil {
		return end, err
	}
	ends = append(ends, t.hints.Stop, t.pull(ctx, js))
	return end, nil
}

func (f *Feed) poll() time.Duration {
	if f.Poll > 0 {
		return f.Poll
	}
	return defaultPoll
}

func (f *Feed) log() *slog.Logger {
	if f.Log != nil {
		return f.Log
	}
	return slog.Default()
}
