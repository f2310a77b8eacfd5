package natsembed_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gesta/eventstore/relay/natsembed"
)

// Who comes without credentials is a consumer of deploy/nats.conf, whose tests say what that means.
func TestWhoComesToAGuardedServerIsAConsumer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := start(t, natsembed.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Guarded: true, Log: slog.New(slog.DiscardHandler)})
	refused := make(chan error, 1)
	outside, err := nats.Connect(s.URL(), nats.CustomInboxPrefix(natsembed.ConsumerInbox),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	sub, err := outside.SubscribeSync("gesta.events.>")
	if err != nil || outside.Flush() != nil {
		t.Fatal(err)
	}
	if err := outside.Publish("gesta.events.x", nil); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-refused:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Fatal("a consumer may publish")
	}
	if err := connect(t, s).Conn().Publish("gesta.events.x", []byte("fact")); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsgWithContext(ctx); err != nil || string(m.Data) != "fact" {
		t.Errorf("subscribed: %v", err)
	}
	if _, err := nats.Connect(s.URL(), nats.UserInfo("gesta", "")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("comes in as gesta: %v", err)
	}
}
