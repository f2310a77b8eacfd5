package relay_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

func TestNewStreamBeginsWithinItsAge(t *testing.T) {
	s := given(t, 0)
	s.history.Begin = time.Now().Add(-time.Hour)
	s.history.Grow(777)
	s.history.Begin = time.Now()
	s.history.Grow(100)
	s.relay.Limits = relay.Limits{MaxAge: time.Minute}
	s.run(s.relay)
	s.awaitLevel()
	s.isHistoryFrom(778)
}

func TestNewStreamOfOldEventsIsEmpty(t *testing.T) {
	s := given(t, 300)
	s.relay.Limits = relay.Limits{MaxAge: time.Minute}
	s.run(s.relay)
	s.awaitLevel()
	s.isHistoryFrom(301)
	s.history.Grow(20)
	s.awaitLevel()
	s.isHistoryFrom(301)
}

func TestNewStreamBeginsWithinItsSize(t *testing.T) {
	s := given(t, 3000)
	s.relay.Limits = relay.Limits{MaxBytes: 600 << 10}
	s.run(s.relay)
	s.awaitLevel()
	is := streamOf(t, s.nats.Connect()).CachedInfo()
	if is.Config.FirstSeq < 1000 || is.Config.FirstSeq > 2500 || is.State.Bytes < 300<<10 {
		t.Errorf("it begins with %d of 3000 and has %d bytes", is.Config.FirstSeq, is.State.Bytes)
	}
}

func TestChangedLimitsAreTakenOver(t *testing.T) {
	s, stop := publishing(t, 10)
	stop()
	s.relay.Limits = relay.Limits{MaxAge: time.Hour}
	s.run(s.relay)
	wait.Until(t, "the limit is there", func() bool {
		stream, err := s.nats.JetStream().Stream(context.Background(), envelope.Stream)
		return err == nil && stream.CachedInfo().Config.MaxAge == time.Hour
	})
	s.isHistory()
}

// What limits have dropped is no damage as long as they last. Without them the stream ought to have it, also
// where it has never had it.
func TestLiftedLimitsLeaveMessagesMissing(t *testing.T) {
	s := given(t, 30)
	unlimited, limited := s.relay, s.newRelay(s.history)
	limited.Limits.MaxAge = time.Hour
	turn := func(r *relay.Relay, events int, damage ...string) {
		t.Helper()
		s.relay = r
		stop := s.run(r)
		defer stop()
		s.history.Grow(events)
		s.awaitLevel()
		s.awaitVerified(int64(len(s.history.All())))
		s.names(damage...)
		s.finds(int64(len(s.history.All())), damage...)
	}
	turn(limited, 0)
	turn(limited, 10)
	turn(unlimited, 0, missing(30)...)
	turn(unlimited, 10, missing(30)...)
	turn(limited, 10)
	turn(unlimited, 0, missing(30)...)
	s.nats.DeleteStream()
	turn(unlimited, 0)
	s.isHistory()
}

func TestExpiredStreamGoesOn(t *testing.T) {
	s := given(t, 0)
	s.history.Begin = time.Now()
	s.history.Grow(100)
	s.relay.Limits = relay.Limits{MaxAge: time.Second}
	stop := s.run(s.relay)
	s.awaitExpired()
	s.history.Grow(1) // The server still knows the id of the last message.
	s.awaitExpired()
	stop()

	s.nats.Stop() // Now it doesn't.
	s.nats.Start()
	s.relay.Limits = relay.Limits{MaxAge: time.Hour}
	s.run(s.relay)
	s.history.Grow(10)
	s.awaitLevel()
	s.isHistoryFrom(102)
}

func TestExpiredStreamOfAnotherHistoryIsAFork(t *testing.T) {
	s := given(t, 200)
	s.relay.Limits = relay.Limits{MaxAge: time.Second}
	rival := &relaytest.History{Name: "theirs", Begin: time.Now().Add(time.Hour)} // All is published, however late.
	rival.Grow(100)
	other := s.newRelay(rival)
	other.Limits = s.relay.Limits
	stop := s.run(other)
	js := s.nats.JetStream()
	wait.Until(t, "the other history is published", func() bool { return lastSequence(js) == 100 })
	stop()
	s.awaitGone()
	s.run(s.relay)
	s.awaitFork(rival.All()[99].Mark(), s.history.All()[99].Mark())
}

func (s *setup) awaitExpired() {
	s.t.Helper()
	s.awaitLevel()
	s.awaitGone()
}

func (s *setup) awaitGone() {
	s.t.Helper()
	js := s.nats.JetStream()
	wait.Until(s.t, "all messages expire", func() bool {
		stream, err := js.Stream(context.Background(), envelope.Stream)
		return err == nil && stream.CachedInfo().State.Msgs == 0
	})
}

// What somebody else has made of the stream is put right: such limits would drop or refuse events.
func TestAStreamMadeByHandIsPutRight(t *testing.T) {
	s := given(t, 50)
	js, ctx := s.nats.JetStream(), context.Background()
	byHand := jetstream.StreamConfig{
		Name: envelope.Stream, Subjects: []string{envelope.Subjects}, NoAck: true, Discard: jetstream.DiscardNew,
		MaxMsgs: 10, MaxMsgsPerSubject: 3, MaxMsgSize: 300,
	}
	if _, err := js.CreateStream(ctx, byHand); err != nil {
		t.Fatal(err)
	}
	s.run(s.relay)
	s.awaitLevel()
	s.isHistory()

	stream := streamOf(t, s.nats.Connect())
	other := stream.CachedInfo().Config
	other.Subjects, other.MaxMsgSize = []string{"elsewhere.>"}, 300
	if _, err := js.UpdateStream(ctx, other); err != nil {
		t.Fatal(err)
	}
	s.history.Grow(50)
	s.awaitLevel()
	s.isHistory()
}
