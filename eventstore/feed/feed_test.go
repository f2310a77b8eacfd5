package feed_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
	"gesta/eventstore/feed"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) {
	m.Run()
	wait.NoLeaks()
}

// setup is a history, a NATS, a relay between them and a feed of both.
type setup struct {
	t         *testing.T
	nats      *relaytest.NATS
	history   *relaytest.History
	feed      *feed.Feed
	stopRelay func()
}

// given polls once an hour, so that whatever arrives has come by a better way.
func given(t *testing.T, events int) *setup {
	s := &setup{t: t, nats: relaytest.Start(t), history: &relaytest.History{Name: "ours"}}
	s.history.Grow(events)
	s.feed = &feed.Feed{
		Store: s.history, NC: s.nats.Connect(), Handoff: &s.history.Handoff,
		Poll: time.Hour, Log: slog.New(slog.DiscardHandler),
	}
	s.relay(s.history)
	return s
}

func (s *setup) relay(h *relaytest.History) {
	r := &relay.Relay{
		Store: h, NC: s.nats.Connect(), Checkpoint: &checkpoint.Memory{}, Handoff: &h.Handoff,
		Poll: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	s.stopRelay = relaytest.Run(s.t, r.Run)
	wait.Until(s.t, "the relay is level", func() bool {
		return r.Status().Err == nil && r.Status().Position == int64(len(h.All()))
	})
}

// seen collects what a follower is given, and complains about anything out of order.
type seen struct {
	t      *testing.T
	mu     sync.Mutex
	events []eventstore.Recorded
	most   int
	stop   func()
}

func (s *setup) follow(from eventstore.Mark) *seen {
	got := &seen{t: s.t}
	got.stop = relaytest.Run(s.t, func(ctx context.Context) error {
		return s.feed.Follow(ctx, from, 500, got.handle(from.Position))
	})
	return got
}

func (g *seen) handle(from int64) feed.Handle {
	return func(_ context.Context, events []eventstore.Recorded) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		for i, r := range events {
			if want := from + int64(len(g.events)+i) + 1; r.Position != want {
				g.t.Errorf("got %d, want %d", r.Position, want)
			}
		}
		g.events = append(g.events, events...)
		g.most = max(g.most, len(events))
		return nil
	}
}

func (g *seen) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.events)
}

// has waits until the follower has seen all of the history after a position, as it is published.
func (g *seen) has(h *relaytest.History, from int64) {
	g.t.Helper()
	want := h.All()[from:]
	wait.Until(g.t, "the follower is level", func() bool { return g.count() >= len(want) })
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, r := range want {
		if diff := cmp.Diff(envelope.Published(r), g.events[i]); diff != "" {
			g.t.Fatal(diff)
		}
	}
}

func TestEverythingArrives(t *testing.T) {
	s := given(t, 1300)
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	for range 100 {
		s.history.Grow(20)
	}
	got.has(s.history, 0)
	if got.most > 500 {
		t.Errorf("%d events at once", got.most)
	}
}

func TestFollowsFromAMark(t *testing.T) {
	s := given(t, 100)
	got := s.follow(s.history.All()[41].Mark())
	s.history.Grow(100)
	got.has(s.history, 42)
}

func TestFollowsWithoutNATS(t *testing.T) {
	s := given(t, 700)
	s.feed.NC = nil
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	s.history.Grow(700)
	got.has(s.history, 0)
}

func TestFollowsWithoutAnything(t *testing.T) {
	s := given(t, 700)
	s.feed.NC, s.feed.Handoff, s.feed.Poll = nil, nil, time.Millisecond
	got := s.follow(eventstore.Mark{})
	s.history.Grow(700)
	got.has(s.history, 0)
}

func TestStreamNeedsNoStore(t *testing.T) {
	s := given(t, 10)
	// The relay reads the store too; only the follower is to be counted.
	follower := &relaytest.History{Name: "ours"}
	follower.Grow(10)
	s.feed.Store, s.feed.Handoff = follower, nil
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	follower.GrowElsewhere(1000)
	s.history.Grow(1000)
	got.has(s.history, 0)
	if n := follower.Reads.Load(); n > 3 {
		t.Errorf("read the store %d times", n)
	}
}

func TestGapsAreFilledFromTheStore(t *testing.T) {
	s := given(t, 10)
	s.stopRelay()
	s.feed.Handoff = nil
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	s.history.Grow(90)
	s.nats.DeleteStream()
	s.publish(50, func(m *nats.Msg) {})
	wait.Until(t, "the gap is filled", func() bool { return got.count() >= 50 })
}

// publish makes a stream that begins with the message of one position.
func (s *setup) publish(position int, change func(*nats.Msg)) {
	s.t.Helper()
	js, ctx := s.nats.JetStream(), context.Background()
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: envelope.Stream, Subjects: []string{envelope.Subjects}, FirstSeq: uint64(position),
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		s.t.Fatal(err)
	}
	m := envelope.Message(s.history.All()[position-1], 1)
	m.Header.Set(jetstream.MsgIDHeader, s.history.All()[position-1].ID.String())
	change(m)
	if _, err := js.PublishMsg(ctx, m); err != nil {
		s.t.Fatal(err)
	}
}

func TestUnreadableMessagesAreReadFromTheStore(t *testing.T) {
	for name, change := range map[string]func(*nats.Msg){
		"no envelope":      func(m *nats.Msg) { m.Data = []byte("{") },
		"no headers":       func(m *nats.Msg) { m.Header = nil },
		"another position": func(m *nats.Msg) { m.Data = envelope.Encode((&relaytest.History{}).One(9), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			s := given(t, 10)
			s.stopRelay()
			s.feed.Handoff = nil
			s.feed.Poll = 50 * time.Millisecond // A stream that ends with what is none of ours is not followed.
			got := s.follow(eventstore.Mark{})
			got.has(s.history, 0)
			s.nats.DeleteStream()
			s.history.Grow(1)
			s.publish(11, change)
			got.has(s.history, 0)
		})
	}
}

// A store that was restored from an older backup: the stream knows a future that will never be.
func TestALostFutureIsNotFollowed(t *testing.T) {
	s := given(t, 10)
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	s.stopRelay()
	restored := &relaytest.History{Name: "restored"}
	restored.Grow(4)
	s.feed = &feed.Feed{
		Store: restored, NC: s.feed.NC, Handoff: &restored.Handoff,
		Poll: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	again := s.follow(eventstore.Mark{})
	again.has(restored, 0)
	restored.Grow(20)
	again.has(restored, 0)
}

func TestForeignMessagesAreNothing(t *testing.T) {
	s := given(t, 10)
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	s.stopRelay()
	if _, err := s.nats.JetStream().Publish(context.Background(), "gesta.events.a.b.c.d", nil); err != nil {
		t.Fatal(err)
	}
	s.history.Grow(10)
	got.has(s.history, 0)
}

func TestRelayThatStandsStillIsNotWaitedFor(t *testing.T) {
	s := given(t, 10)
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	s.stopRelay()
	for range 10 {
		s.history.Grow(1)
		got.has(s.history, 0)
	}
}

func TestHintsOfOtherProcessesAreHeard(t *testing.T) {
	s := given(t, 10)
	s.feed.Handoff = nil
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	s.stopRelay()
	if err := s.feed.NC.Flush(); err != nil { // By then the server knows who listens.
		t.Fatal(err)
	}
	other := s.nats.Connect()
	s.history.Grow(5)
	envelope.Hint(other, envelope.HintAppended, 15)
	got.has(s.history, 0)
}

func TestNATSMayGoAndComeBack(t *testing.T) {
	s := given(t, 10)
	got := s.follow(eventstore.Mark{})
	for range 5 {
		s.history.Grow(100)
		s.nats.Stop()
		s.history.Grow(100)
		got.has(s.history, 0)
		s.nats.Start()
		s.history.Grow(100)
		got.has(s.history, 0)
	}
}

func TestStreamMayGoAndComeBack(t *testing.T) {
	s := given(t, 500)
	got := s.follow(eventstore.Mark{})
	got.has(s.history, 0)
	for range 3 {
		s.nats.DeleteStream()
		s.history.Grow(100)
		got.has(s.history, 0)
	}
	s.flowsAgain(got)
}

// flowsAgain waits until events arrive by the stream alone.
func (s *setup) flowsAgain(got *seen) {
	s.t.Helper()
	js := s.nats.JetStream()
	wait.Until(s.t, "the follower reads the stream", func() bool {
		stream, err := js.Stream(context.Background(), envelope.Stream)
		return err == nil && stream.CachedInfo().State.Consumers == 1
	})
	s.history.Grow(10)
	got.has(s.history, 0)
}

func TestStoreMayBeAway(t *testing.T) {
	s := given(t, 10)
	s.feed.Poll = 10 * time.Millisecond
	s.history.SetAway(errors.New("no route to host"))
	got := s.follow(eventstore.Mark{})
	reads := s.history.Reads.Load()
	wait.Until(t, "it is asked again", func() bool { return s.history.Reads.Load() > reads+5 })
	s.history.SetAway(nil)
	got.has(s.history, 0)
}

func TestErrorOfTheFollowerEndsIt(t *testing.T) {
	s := given(t, 10)
	wrong := errors.New("a rule is wrong")
	err := s.feed.Follow(context.Background(), eventstore.Mark{}, 5, func(context.Context, []eventstore.Recorded) error {
		return wrong
	})
	if err != wrong {
		t.Errorf("got %v", err)
	}
}

func TestOtherHistoriesAreForks(t *testing.T) {
	s := given(t, 10)
	rival := &relaytest.History{Name: "theirs"}
	for name, c := range map[string]struct{ seen, stored eventstore.Mark }{
		"another event": {rival.One(7).Mark(), s.history.All()[6].Mark()},
		"ahead":         {rival.One(12).Mark(), s.history.All()[9].Mark()},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.feed.Follow(context.Background(), c.seen, 5, func(context.Context, []eventstore.Recorded) error {
				t.Error("events are passed on")
				return nil
			})
			forked, ok := err.(*checkpoint.Forked)
			if !ok || *forked != (checkpoint.Forked{Seen: c.seen, Stored: c.stored}) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStoreRestoredUnderwayIsAFork(t *testing.T) {
	s := given(t, 100)
	s.feed.Poll = 10 * time.Millisecond
	got, ended := &seen{t: t}, make(chan error, 1)
	go func() {
		ended <- s.feed.Follow(context.Background(), eventstore.Mark{}, 500, got.handle(0))
	}()
	got.has(s.history, 0)
	s.history.Restore(50, "theirs")
	s.history.GrowElsewhere(100)
	if err, ok := (<-ended).(*checkpoint.Forked); !ok || err.Seen.Position != 100 {
		t.Errorf("got %v", err)
	}
}
