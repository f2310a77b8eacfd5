package relay_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

// theirs runs a relay of another history until the stream has all of it.
func (s *setup) theirs(events int) *relaytest.History {
	s.t.Helper()
	history := &relaytest.History{Name: "theirs"}
	history.Grow(events)
	stop := s.run(s.newRelay(history))
	js := s.nats.JetStream()
	wait.Until(s.t, "the other history is published", func() bool { return lastSequence(js) == uint64(events) })
	stop()
	return history
}

func (s *setup) awaitFork(seen, stored eventstore.Mark) {
	s.t.Helper()
	want := &checkpoint.Forked{Seen: seen, Stored: stored}
	wait.Until(s.t, want.Error(), func() bool {
		is := s.relay.Status().Forked
		return is != nil && *is == *want
	})
}

func TestStreamOfAnotherHistoryIsAFork(t *testing.T) {
	s := given(t, 200)
	rival := s.theirs(100)
	s.run(s.relay)
	s.awaitFork(rival.All()[99].Mark(), s.history.All()[99].Mark())
	if last := lastSequence(s.nats.JetStream()); last != 100 {
		t.Errorf("the stream has grown to %d", last)
	}
}

// Whoever gets the address of another store's NATS does nothing to its stream.
func TestStreamOfAnotherHistoryKeepsItsLimits(t *testing.T) {
	s := given(t, 200)
	rival := s.theirs(100)
	s.relay.Limits = relay.Limits{MaxAge: time.Second, MaxBytes: 1 << 10}
	s.run(s.relay)
	s.awaitFork(rival.All()[99].Mark(), s.history.All()[99].Mark())
	if is := streamOf(t, s.nats.Connect()).CachedInfo(); is.Config.MaxAge != 0 || is.Config.MaxBytes != -1 || is.State.Msgs != 100 {
		t.Errorf("%+v %+v", is.Config, is.State)
	}
}

func TestStreamAheadOfTheStoreIsAFork(t *testing.T) {
	s := given(t, 50)
	rival := s.theirs(100)
	s.run(s.relay)
	s.awaitFork(rival.All()[99].Mark(), s.history.All()[49].Mark())
}

func TestCheckpointOfAnotherHistoryIsAFork(t *testing.T) {
	s := given(t, 200)
	rival := &relaytest.History{Name: "theirs"}
	rival.Grow(100)
	mark := rival.All()[99].Mark()
	if err := s.relay.Checkpoint.Move(context.Background(), eventstore.Mark{}, mark); err != nil {
		t.Fatal(err)
	}
	s.run(s.relay)
	s.awaitFork(mark, s.history.All()[99].Mark())
}

func TestStoreRestoredUnderwayIsAFork(t *testing.T) {
	s, _ := publishing(t, 100)
	last := s.history.All()[99].Mark()
	s.history.Restore(50, "theirs")
	s.history.GrowElsewhere(100)
	s.awaitFork(last, s.history.All()[99].Mark())
	if last := lastSequence(s.nats.JetStream()); last != 100 {
		t.Errorf("the stream has grown to %d", last)
	}
}

func TestRivalThatSlipsInIsAFork(t *testing.T) {
	s, _ := publishing(t, 100)
	rival := &relaytest.History{Name: "theirs"}
	rival.Grow(101)
	m := envelope.Message(rival.All()[100], 1)
	m.Header.Set(jetstream.MsgIDHeader, rival.All()[100].ID.String())
	if _, err := s.nats.JetStream().PublishMsg(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	s.awaitFork(rival.All()[100].Mark(), s.history.All()[99].Mark())
	s.history.Grow(10)
	s.awaitFork(rival.All()[100].Mark(), s.history.All()[100].Mark())
}

func TestForeignMessageIsAFork(t *testing.T) {
	s, _ := publishing(t, 100)
	s.history.GrowElsewhere(10)
	s.awaitLevel()
	if _, err := s.nats.JetStream().Publish(context.Background(), "gesta.events.a.b.c.d", nil); err != nil {
		t.Fatal(err)
	}
	s.awaitFork(eventstore.Mark{Position: 111}, s.history.All()[109].Mark())
	s.history.Grow(10)
	s.awaitFork(eventstore.Mark{Position: 111}, s.history.All()[110].Mark())
}

func TestRepairedForkGoesOn(t *testing.T) {
	s := given(t, 200)
	s.theirs(100)
	s.run(s.relay)
	wait.Until(t, "the fork is found", func() bool { return s.relay.Status().Forked != nil })
	s.nats.DeleteStream()
	s.awaitLevel()
	s.isHistory()
	wait.Until(t, "all is well", func() bool { return s.relay.Status().Err == nil })
}

// takenBack is a checkpoint that fork-epoch takes back just before the relay moves it to its hundredth event.
type takenBack struct {
	checkpoint.Memory
	history *relaytest.History
	once    sync.Once
}

func (c *takenBack) Move(ctx context.Context, from, to eventstore.Mark) error {
	if to.Position == 100 {
		c.once.Do(func() {
			c.history.Restore(50, "theirs")
			c.history.GrowElsewhere(100)
			_ = c.Memory.Move(ctx, from, c.history.All()[49].Mark()) // It is where the relay left it.
		})
	}
	return c.Memory.Move(ctx, from, to)
}

func TestCheckpointThatWasTakenBackIsLeftThere(t *testing.T) {
	s := given(t, 100)
	last := s.history.All()[99].Mark()
	c := &takenBack{history: s.history}
	s.relay.Checkpoint = c
	s.run(s.relay)
	wait.Until(t, "the fork is found", func() bool { return s.relay.Status().Forked != nil })
	if at, err := c.Get(context.Background()); err != nil || at == last {
		t.Errorf("it was moved to what is lost: %v %v", at, err)
	}
}
