package envelope_test

import (
	"context"
	"math"
	"testing"

	"github.com/nats-io/nats.go"

	"gesta/eventstore/envelope"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

func TestHintsTellTheGreatestPosition(t *testing.T) {
	server := relaytest.Start(t)
	here, there := server.Connect(), server.Connect()
	hints, err := envelope.Listen(here, envelope.HintAppended)
	if err != nil {
		t.Fatal(err)
	}
	defer hints.Stop()
	flush(t, here)
	if err := there.Publish(envelope.HintAppended, []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	for _, position := range []int64{3, 9, 7} {
		envelope.Hint(there, envelope.HintAppended, position)
	}
	var told int64
	for told < 9 {
		<-hints.Wake
		told = hints.Take()
	}
	if told != 9 {
		t.Errorf("told %d", told)
	}
}

// What a forged hint tells is forgotten once it was asked for.
func TestAHintOfTooMuchHidesNoLaterOne(t *testing.T) {
	server := relaytest.Start(t)
	here, there := server.Connect(), server.Connect()
	hints, err := envelope.Listen(here, envelope.HintAppended)
	if err != nil {
		t.Fatal(err)
	}
	defer hints.Stop()
	flush(t, here)
	for _, position := range []int64{math.MaxInt64, 4} {
		envelope.Hint(there, envelope.HintAppended, position)
		<-hints.Wake
		if told := hints.Take(); told != position {
			t.Errorf("told %d, not %d", told, position)
		}
	}
	if told := hints.Take(); told != 0 {
		t.Errorf("told %d again", told)
	}
}

func flush(t *testing.T, nc *nats.Conn) {
	t.Helper()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestHintsAreNotKeptForLater(t *testing.T) {
	server := relaytest.Start(t)
	nc := server.Connect()
	server.Stop()
	wait.Until(t, "NATS is away", func() bool { return !nc.IsConnected() })
	envelope.Hint(nc, envelope.HintAppended, 1)
	if n, _ := nc.Buffered(); n > 0 {
		t.Errorf("%d bytes wait", n)
	}
}

func TestConnectedUntilNATSIsAway(t *testing.T) {
	server := relaytest.Start(t)
	nc := server.Connect()
	ctx, hangUp := envelope.WhileConnected(context.Background(), nc)
	defer hangUp()
	if ctx.Err() != nil {
		t.Fatal(ctx.Err())
	}
	server.Stop()
	<-ctx.Done()
	if cause := context.Cause(ctx); cause != envelope.ErrAway {
		t.Errorf("because of %v", cause)
	}
	late, hangUp := envelope.WhileConnected(context.Background(), nc)
	defer hangUp()
	<-late.Done()
}
