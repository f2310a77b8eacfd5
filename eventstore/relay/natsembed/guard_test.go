package natsembed_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/relay/natsembed"
)

// Who comes without credentials may follow the events, and change nothing.
func TestAGuardedServerIsReadOnlyForOutsiders(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := natsembed.Start(natsembed.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Guarded: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	inside := streamOf(t, func() (*nats.Conn, error) { return s.Connect() })
	if _, err := inside.CreateStream(ctx, jetstream.StreamConfig{Name: "GESTA", Subjects: []string{"gesta.events.>"}}); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 16)
	outside := streamOf(t, func() (*nats.Conn, error) {
		return nats.Connect(s.URL(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	})
	sub, err := outside.Conn().SubscribeSync("gesta.events.>")
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := outside.CreateConsumer(ctx, "GESTA", jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, Durable: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inside.Publish(ctx, "gesta.events.x", []byte("fact")); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsgWithContext(ctx); err != nil || string(m.Data) != "fact" {
		t.Errorf("subscribed: %v", err)
	}
	if m, err := consumer.Next(); err != nil || m.DoubleAck(ctx) != nil {
		t.Errorf("pulled: %v", err)
	}
	if err := outside.DeleteConsumer(ctx, "GESTA", "mine"); err != nil {
		t.Errorf("a consumer that is made may not be deleted: %v", err)
	}
	for _, subject := range []string{"gesta.events.x", "gesta.hint.appended", "$JS.API.STREAM.DELETE.GESTA", "$JS.API.STREAM.PURGE.GESTA", "$JS.API.STREAM.MSG.DELETE.GESTA"} {
		if err := outside.Conn().Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", subject, err)
			}
		case <-ctx.Done():
			t.Fatalf("%s is allowed", subject)
		}
	}
	if info, err := inside.Stream(ctx, "GESTA"); err != nil || info.CachedInfo().State.Msgs != 1 {
		t.Errorf("the stream has changed: %v", err)
	}
}

func streamOf(t *testing.T, connect func() (*nats.Conn, error)) jetstream.JetStream {
	t.Helper()
	nc, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
