package relay_test

import (
	"context"
	"testing"
	"time"

	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

func (s *setup) part() relay.Parting {
	s.t.Helper()
	p, err := relay.Part(context.Background(), s.history, s.nats.JetStream())
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// acknowledge appends the fact that a parting was seen, as an operator does.
func (s *setup) acknowledge(p relay.Parting) {
	s.history.Fork(eventstore.EpochForked{
		Epoch: p.Epoch + 1, CommonPosition: p.Common.Position, CommonEvent: p.Common.Event,
		LostPosition: p.Lost.Position, LostEvent: p.Lost.Event,
	})
}

// restored is a stream that holds n events of a history, which is then put back to where it had some of
// them and has grown since.
func restored(t *testing.T, n, kept, grown int) *setup {
	t.Helper()
	s, stop := publishing(t, n)
	stop()
	s.history.Restore(kept, "restored")
	s.history.GrowElsewhere(grown)
	s.relay = s.newRelay(s.history)
	return s
}

func TestPartOfARestoredStore(t *testing.T) {
	for name, c := range map[string]struct{ published, restored, grown int }{
		"behind the stream":         {100, 60, 10},
		"beyond the stream":         {100, 60, 90},
		"nothing common":            {100, 0, 50},
		"the last event is another": {100, 99, 1},
		"nothing appended since":    {100, 99, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := restored(t, c.published, c.restored, c.grown)
			var common eventstore.Mark
			if c.restored > 0 {
				common = s.history.All()[c.restored-1].Mark()
			}
			lost := (&relaytest.History{Name: "ours"}).One(int64(c.published)).Mark()
			want := relay.Parting{Forked: true, Lost: lost, Common: common, Told: true, Epoch: 1, Last: int64(c.published)}
			if got := s.part(); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestNothingParts(t *testing.T) {
	s := given(t, 100)
	if got := s.part(); got != (relay.Parting{}) {
		t.Errorf("without a stream: %+v", got)
	}
	stop := s.run(s.relay)
	s.awaitLevel()
	if got := s.part(); got != (relay.Parting{Last: 100}) {
		t.Errorf("level: %+v", got)
	}
	stop()
	s.history.Grow(10)
	if got := s.part(); got != (relay.Parting{Last: 100}) {
		t.Errorf("behind: %+v", got)
	}
}

// A stream that is given up is filled anew, each position in its epoch; other streams are left alone.
func TestAcknowledgedForkIsRepaired(t *testing.T) {
	for name, grown := range map[string]int{"behind the stream": 10, "beyond the stream": 90} {
		t.Run(name, func(t *testing.T) {
			s := restored(t, 100, 60, grown)
			lost := s.part()
			s.run(s.relay)
			s.awaitFork(lost.Lost, s.history.All()[min(99, 59+grown)].Mark())
			s.acknowledge(lost)
			s.awaitRepaired()
			s.isOfEpoch(61, "2")
			s.isOfEpoch(60, "1")
			s.history.Grow(20)
			s.awaitLevel()
			s.isHistory()
			s.nats.DeleteStream() // What is filled anew is the same in each epoch.
			s.awaitLevel()
			s.isHistory()
			if got := s.part(); got.Forked || got.GivenUp {
				t.Errorf("%+v", got)
			}
		})
	}
}

func (s *setup) awaitRepaired() {
	s.t.Helper()
	wait.Until(s.t, "the fork is repaired", func() bool {
		is := s.relay.Status()
		return is.Err == nil && is.Position == int64(len(s.history.All()))
	})
	s.isHistory()
}

// isOfEpoch checks the epoch of the message at a position.
func (s *setup) isOfEpoch(position uint64, epoch string) {
	s.t.Helper()
	m, err := streamOf(s.t, s.nats.Connect()).GetMsg(context.Background(), position)
	if err != nil {
		s.t.Fatal(err)
	}
	if m.Header.Get(envelope.HeaderEpoch) != epoch {
		s.t.Errorf("position %d: %v", position, m.Header)
	}
}

// Another store's stream ends elsewhere than what was acknowledged as lost: it is not thrown away.
func TestAnotherStoresStreamIsLeftAlone(t *testing.T) {
	s := restored(t, 100, 60, 10)
	s.acknowledge(s.part())
	s.nats.DeleteStream()
	rival := s.theirs(80)
	s.run(s.relay)
	s.awaitFork(rival.All()[79].Mark(), s.history.All()[70].Mark())
	if last := lastSequence(s.nats.JetStream()); last != 80 {
		t.Errorf("the stream ends at %d", last)
	}
}

// A restore from a yet older backup takes the fact of the first fork with it. What was published in
// that epoch is not common, though its events are.
func TestForkBeforeAFork(t *testing.T) {
	s := restored(t, 100, 60, 10)
	s.acknowledge(s.part())
	stop := s.run(s.relay)
	s.awaitRepaired()
	stop()

	s.history.Name = "ours"
	s.history.Restore(60, "restored") // All 70 are those of before, and no fact says that ten are of another epoch.
	s.history.GrowElsewhere(10)
	s.relay = s.newRelay(s.history)
	got := s.part()
	if !got.Forked || got.Common != s.history.All()[59].Mark() || got.Epoch != 2 || got.Lost.Position != 71 {
		t.Fatalf("%+v", got)
	}
	s.acknowledge(got)
	s.run(s.relay)
	s.awaitRepaired()
	s.isOfEpoch(61, "3")
}

// An epoch that was raised without the stream's knowledge is found out while publishing.
func TestEpochRaisedBehindTheRelay(t *testing.T) {
	s, _ := publishing(t, 100)
	s.history.Fork(eventstore.EpochForked{Epoch: 7, CommonPosition: 40, CommonEvent: s.history.All()[39].ID})
	s.awaitRepaired()
	s.isOfEpoch(41, "7")
}

func TestForeignMessageParts(t *testing.T) {
	s, _ := publishing(t, 100)
	for range 3 {
		if _, err := s.nats.JetStream().Publish(context.Background(), "gesta.events.a.b.c.d", nil); err != nil {
			t.Fatal(err)
		}
	}
	s.history.Grow(10)
	s.awaitFork(eventstore.Mark{Position: 103}, s.history.All()[102].Mark())
	got := s.part()
	want := relay.Parting{
		Forked: true, Lost: eventstore.Mark{Position: 103}, Common: s.history.All()[99].Mark(), Told: true, Epoch: 1, Last: 103,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.acknowledge(got)
	s.awaitRepaired()
}

// A stream that keeps little may have dropped the place where they part.
func TestAStreamThatDoesNotTell(t *testing.T) {
	for name, c := range map[string]struct {
		first, restored int
		told            bool
	}{
		"the event before the first one":    {60, 59, true},
		"an event long before the first":    {60, 40, false},
		"an event the first ones come from": {60, 70, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := given(t, 0)
			s.history.Begin = time.Now().Add(-time.Hour)
			s.history.Grow(c.first - 2)
			s.history.Begin = time.Now()
			s.history.Grow(100 - c.first + 2)
			s.relay.Limits = relay.Limits{MaxAge: time.Minute}
			stop := s.run(s.relay)
			s.awaitLevel()
			stop()
			s.expire(uint64(c.first))
			s.history.Restore(c.restored, "restored")
			s.history.GrowElsewhere(100)
			got := s.part()
			if !got.Forked || got.Told != c.told || got.Told && got.Common.Position != int64(c.restored) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// expire has the stream drop what comes before a sequence, as its limits do.
func (s *setup) expire(first uint64) {
	s.t.Helper()
	js, ctx := s.nats.JetStream(), context.Background()
	stream, err := js.Stream(ctx, envelope.Stream)
	if err != nil {
		s.t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.MaxAge = time.Hour // It need not have all, then.
	config.MaxMsgs = int64(stream.CachedInfo().State.LastSeq - first + 1)
	if _, err := js.UpdateStream(ctx, config); err != nil {
		s.t.Fatal(err)
	}
}

// Where all has expired, the fact that names the stream's last position has to do.
func TestGivenUpStreamWithoutItsLastMessage(t *testing.T) {
	s := given(t, 0)
	s.history.Begin = time.Now()
	s.history.Grow(100)
	s.relay.Limits = relay.Limits{MaxAge: time.Second}
	stop := s.run(s.relay)
	s.awaitExpired()
	stop()
	s.history.Restore(60, "restored")
	got := s.part()
	if want := (relay.Parting{Forked: true, Lost: eventstore.Mark{Position: 100}, Last: 100}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.history.Fork(eventstore.EpochForked{Epoch: 2, CommonPosition: 60, LostPosition: 100})
	s.relay.Checkpoint, s.relay.Limits = &checkpoint.Memory{}, relay.Limits{}
	s.run(s.relay)
	s.awaitRepaired()
}
