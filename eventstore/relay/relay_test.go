package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
	"gesta/eventstore/leader"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) {
	m.Run()
	wait.NoLeaks()
}

// setup is a NATS, a history and a relay between them that is yet to run.
type setup struct {
	t       *testing.T
	nats    *relaytest.NATS
	history *relaytest.History
	relay   *relay.Relay
}

func given(t *testing.T, events int) *setup {
	nats, history := relaytest.Start(t), &relaytest.History{Name: "ours"}
	history.Grow(events)
	s := &setup{t: t, nats: nats, history: history}
	s.relay = s.newRelay(history)
	return s
}

func (s *setup) newRelay(history *relaytest.History) *relay.Relay {
	return &relay.Relay{
		Store: history, NC: s.nats.Connect(), Checkpoint: &checkpoint.Memory{}, Handoff: &history.Handoff,
		Poll: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
}

func (s *setup) run(r *relay.Relay) (stop func()) { return relaytest.Run(s.t, r.Run) }

// publishing is a setup whose relay runs until stop is called, and has published all there is.
func publishing(t *testing.T, events int) (s *setup, stop func()) {
	t.Helper()
	s = given(t, events)
	stop = s.run(s.relay)
	s.awaitLevel()
	return s, stop
}

// awaitLevel waits until the stream ends where the history does.
func (s *setup) awaitLevel() {
	s.t.Helper()
	js := s.nats.JetStream()
	wait.Until(s.t, "the stream is level with the store", func() bool {
		return lastSequence(js) == uint64(len(s.history.All()))
	})
}

func lastSequence(js jetstream.JetStream) uint64 {
	stream, err := js.Stream(context.Background(), envelope.Stream)
	if err != nil {
		return 0
	}
	is := stream.CachedInfo()
	if is.State.LastSeq >= is.Config.FirstSeq && is.State.LastTime.Before(is.Created) {
		return 0 // It has the files of one that is being deleted.
	}
	return is.State.LastSeq
}

// isHistory checks every message against the history: its sequence, its bytes and its headers.
func (s *setup) isHistory() {
	s.t.Helper()
	s.isHistoryFrom(1)
}

func (s *setup) isHistoryFrom(first int64) {
	s.t.Helper()
	s.isHistoryIn(streamOf(s.t, s.nats.Connect()), first)
}

func (s *setup) isHistoryIn(stream jetstream.Stream, first int64) {
	s.t.Helper()
	ctx, all := context.Background(), s.history.All()
	info, err := stream.Info(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	if n := info.State.Msgs; n != uint64(len(all))-uint64(first)+1 {
		s.t.Fatalf("%d messages of %d from %d", n, len(all), first)
	}
	epochs, err := eventstore.LoadEpochs(ctx, s.history)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range all[first-1:] {
		m, err := stream.GetMsg(ctx, uint64(r.Position))
		if err != nil {
			s.t.Fatal(err)
		}
		if diff := differs(m, r, epochs.At(r.Position)); diff != "" {
			s.t.Fatalf("position %d: %s", r.Position, diff)
		}
	}
}

func differs(m *jetstream.RawStreamMsg, r eventstore.Recorded, epoch int64) string {
	if m.Subject != envelope.Subject(r) || !bytes.Equal(m.Data, envelope.Encode(r, epoch)) {
		return fmt.Sprintf("%s %s", m.Subject, m.Data)
	}
	want := envelope.Headers(r, epoch)
	want.Set(jetstream.MsgIDHeader, r.ID.String())
	want.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatInt(r.Position-1, 10))
	for name := range want {
		if got := m.Header.Get(name); got != want.Get(name) {
			return fmt.Sprintf("%s %q, want %q", name, got, want.Get(name))
		}
	}
	return ""
}

func TestSequencesArePositions(t *testing.T) {
	s, _ := publishing(t, 1200)
	s.history.Grow(800)
	s.awaitLevel()
	s.isHistory()
	s.isNamedFrom(2)
	wait.Until(t, "the status is level", func() bool {
		is := s.relay.Status()
		return is.Leading && is.Position == 2000 && is.Head == 2000 && is.Err == nil
	})
}

// isNamedFrom checks that each message but the first ones names the event before.
func (s *setup) isNamedFrom(first int64) {
	s.t.Helper()
	stream := streamOf(s.t, s.nats.Connect())
	all := s.history.All()
	for position := first; position <= int64(len(all)); position += 97 {
		m, err := stream.GetMsg(context.Background(), uint64(position))
		if err != nil {
			s.t.Fatal(err)
		}
		if got, want := m.Header.Get(jetstream.ExpectedLastMsgIDHeader), all[position-2].ID.String(); got != want {
			s.t.Fatalf("position %d names %q, want %q", position, got, want)
		}
	}
}

func TestStreamIsMadeToLast(t *testing.T) {
	s := given(t, 1)
	s.relay.Limits = relay.Limits{MaxBytes: 1 << 30}
	s.run(s.relay)
	s.awaitLevel()
	is := streamOf(t, s.nats.Connect()).CachedInfo().Config
	if !is.DenyDelete || !is.DenyPurge || is.Storage != jetstream.FileStorage || is.MaxBytes != 1<<30 ||
		is.Retention != jetstream.LimitsPolicy || is.Duplicates != 100*time.Millisecond || is.FirstSeq != 1 {
		t.Errorf("%+v", is)
	}
}

func TestHandedOverEventsAreNotReadAgain(t *testing.T) {
	s := given(t, 0)
	s.relay.Poll = time.Hour
	s.run(s.relay)
	wait.Until(t, "the relay runs", func() bool { return s.relay.Status().Leading && s.history.Reads.Load() > 0 })
	s.awaitSubscribed()
	read := func() int64 {
		before := s.history.Reads.Load()
		s.history.Grow(70)
		s.awaitLevel()
		return s.history.Reads.Load() - before
	}
	again := read()
	for tries := 0; again > 0 && tries < 3; tries++ { // Once a second, what was published is looked at, which reads as well.
		s.awaitVerified(int64(len(s.history.All())))
		again = read()
	}
	if again > 0 {
		t.Errorf("read %d times", again)
	}
	s.isHistory()
}

// awaitSubscribed appends until a hand-off arrives without a poll.
func (s *setup) awaitSubscribed() {
	s.t.Helper()
	s.history.Grow(1)
	s.awaitLevel()
}

func TestOtherProcessesAppendsAreFound(t *testing.T) {
	s, _ := publishing(t, 10)
	s.history.GrowElsewhere(600)
	s.awaitLevel()
	s.history.Grow(1)
	s.awaitLevel()
	s.isHistory()
}

func TestHintsWakeTheRelay(t *testing.T) {
	s := given(t, 10)
	s.relay.Poll, s.relay.Handoff = time.Hour, nil
	hinter := relay.Hinter{NC: s.nats.Connect(), Handoff: &s.history.Handoff}
	relaytest.Run(t, hinter.Run)
	s.run(s.relay)
	s.awaitLevel()
	// The hinter may not have subscribed yet, so that one append alone could be missed.
	wait.Until(t, "a hint arrives", func() bool {
		s.history.Grow(1)
		return s.relay.Status().Position > 10
	})
	s.history.Grow(20)
	s.awaitLevel()
	s.isHistory()
}

func TestTwoRelaysAtOnceLeaveOneHistory(t *testing.T) {
	s := given(t, 500)
	second := s.newRelay(s.history)
	second.Checkpoint = s.relay.Checkpoint
	s.run(s.relay)
	s.run(second)
	for range 300 {
		s.history.Grow(10)
	}
	s.awaitLevel()
	s.isHistory()
	wait.Until(t, "the checkpoint is level", func() bool { return s.checkpointed() == 3500 })
}

// turns leads whoever comes first, and then the next.
type turns chan struct{}

func (t turns) Lead(ctx context.Context, f func(context.Context) error) error {
	select {
	case t <- struct{}{}:
		defer func() { <-t }()
		return f(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestStandbyTakesOver(t *testing.T) {
	s, leader := given(t, 500), make(turns, 1)
	second := s.newRelay(s.history)
	s.relay.Leader, second.Leader, second.Checkpoint = leader, leader, s.relay.Checkpoint
	stop := s.run(s.relay)
	s.awaitLevel()
	s.run(second)
	if second.Status().Leading {
		t.Fatal("two lead")
	}
	appends := appending(s.history, 200*time.Microsecond)
	stop()
	wait.Until(t, "the second leads", func() bool { return second.Status().Leading })
	appends()
	s.awaitLevel()
	s.isHistory()
	if s.relay.Status().Leading {
		t.Error("the first still leads")
	}
}

// A leader that has lost its own way to NATS must not keep from leading one that has not.
func TestALeaderWithoutNATSLetsAnotherLead(t *testing.T) {
	s, leader := given(t, 50), make(turns, 1)
	second := s.newRelay(s.history)
	s.relay.Leader, second.Leader, second.Checkpoint = leader, leader, s.relay.Checkpoint
	s.run(s.relay)
	s.awaitLevel()
	s.run(second)
	s.relay.NC.Close()
	wait.Until(t, "the second leads", func() bool { return second.Status().Leading && !s.relay.Status().Leading })
	s.history.Grow(50)
	s.awaitLevel()
	s.isHistory()
}

// What the relay is made of where it runs.
var (
	_ relay.Leader     = leader.Postgres{}
	_ relay.Checkpoint = checkpoint.Row{}
)

func (s *setup) checkpointed() int64 {
	mark, err := s.relay.Checkpoint.Get(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return mark.Position
}

func TestCheckpointIsKeptOnShutdown(t *testing.T) {
	s, stop := publishing(t, 100)
	s.history.Grow(900)
	s.awaitLevel()
	stop()
	if got := s.checkpointed(); got != 1000 {
		t.Errorf("checkpoint at %d", got)
	}
}

func TestRestartOfNATSUnderLoad(t *testing.T) {
	s := given(t, 100)
	s.run(s.relay)
	for range 5 {
		stop := appending(s.history, 200*time.Microsecond)
		s.nats.Stop()
		s.nats.Start()
		stop()
	}
	s.awaitLevel()
	s.isHistory()
}

// appending appends a little each time until it is stopped.
func appending(h *relaytest.History, each time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(each)
		defer tick.Stop()
		for ctx.Err() == nil {
			h.Grow(7)
			<-tick.C
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func TestNATSMayBeAwayAtFirst(t *testing.T) {
	s := given(t, 100)
	s.nats.Stop()
	s.run(s.relay)
	wait.Until(t, "NATS is missed", func() bool { return s.relay.Status().Err != nil })
	s.history.Grow(100)
	s.nats.Start()
	s.awaitLevel()
	s.isHistory()
	wait.Until(t, "all is well", func() bool { return s.relay.Status().Err == nil })
}

func TestStoreMayBeAway(t *testing.T) {
	s, _ := publishing(t, 100)
	s.history.SetAway(errors.New("no route to host"))
	wait.Until(t, "the store is missed", func() bool { return s.relay.Status().Err != nil })
	s.history.Grow(100)
	s.history.SetAway(nil)
	s.awaitLevel()
	s.isHistory()
}

func TestDeletedStreamIsFilledAgain(t *testing.T) {
	s, _ := publishing(t, 700)
	stop := appending(s.history, 200*time.Microsecond)
	s.nats.DeleteStream()
	stop()
	s.awaitLevel()
	s.isHistory()

	s.nats.DeleteStream() // while nothing is appended
	s.awaitLevel()
	s.isHistory()
}

func TestWipedFolderIsFilledAgain(t *testing.T) {
	s, _ := publishing(t, 700)
	s.nats.Stop()
	s.nats.Wipe()
	s.history.Grow(100)
	s.nats.Start()
	s.awaitLevel()
	s.isHistory()
}

func TestLateAcknowledgementsDoNoHarm(t *testing.T) {
	s := given(t, 100)
	slow := &relaytest.Proxy{Server: s.nats}
	s.relay.NC = slow.Connect(t)
	s.run(s.relay)
	s.awaitLevel()
	slow.Hold()
	s.history.Grow(100)
	wait.Until(t, "the relay gives up", func() bool { return s.relay.Status().Err != nil })
	slow.Release()
	s.awaitLevel()
	s.history.Grow(100)
	s.awaitLevel()
	s.isHistory()
}
