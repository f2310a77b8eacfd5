package deploy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
)

// A consumer may follow the events, by whichever kind of consumer it likes.
func TestWhatAConsumerMayDo(t *testing.T) {
	s := serve(t, "nats.conf")
	g := gestaOn(t, s)
	for _, name := range []string{"consumer", "reports"} {
		u := as(t, s, name)
		events, checkpoints := u.hears("gesta.events.>"), u.hears("gesta.checkpoints")
		u.follows(jetstream.ConsumerConfig{Durable: "of_" + name, AckPolicy: jetstream.AckExplicitPolicy})
		u.follows(jetstream.ConsumerConfig{AckPolicy: jetstream.AckAllPolicy, InactiveThreshold: time.Minute})
		u.follows(jetstream.ConsumerConfig{FilterSubject: "gesta.events.accounts.>", AckPolicy: jetstream.AckNonePolicy})
		u.followsOrdered()
		if stream, err := u.Stream(t.Context(), envelope.Stream); err != nil || stream.CachedInfo().State.FirstSeq != 1 {
			t.Errorf("looks at the stream: %v", err)
		} else if m, err := stream.GetMsg(t.Context(), 2); err != nil || m.Sequence != 2 {
			t.Errorf("reads one message: %v", err)
		}
		g.goesOn()
		if m, err := events.NextMsgWithContext(t.Context()); err != nil || !strings.Contains(string(m.Data), `"specversion"`) {
			t.Errorf("subscribes to events: %v", err)
		}
		if err := g.Conn().Publish("gesta.checkpoints", []byte("signed")); err != nil {
			t.Fatal(err)
		}
		if m, err := checkpoints.NextMsgWithContext(t.Context()); err != nil || string(m.Data) != "signed" {
			t.Errorf("subscribes to checkpoints: %v", err)
		}
		select {
		case err := <-u.refused:
			t.Error(err)
		default:
		}
	}
}

// follows reads what there is, and acknowledges.
func (u user) follows(c jetstream.ConsumerConfig) {
	u.t.Helper()
	consumer, err := u.CreateConsumer(u.t.Context(), envelope.Stream, c)
	if err != nil {
		u.t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		u.t.Fatal(err)
	}
	defer messages.Stop()
	for position := uint64(1); position <= 5; position++ {
		m, err := messages.Next()
		if err != nil {
			u.t.Fatal(err)
		}
		if meta, err := m.Metadata(); err != nil || meta.Sequence.Stream != position {
			u.t.Errorf("%v: %v, not %d", err, meta, position)
		}
		if c.AckPolicy == jetstream.AckNonePolicy {
			continue
		}
		if err := m.DoubleAck(u.t.Context()); err != nil {
			u.t.Errorf("acknowledges: %v", err)
		}
	}
	if info, err := consumer.Info(u.t.Context()); err != nil || c.AckPolicy != jetstream.AckNonePolicy && info.AckFloor.Stream != 5 {
		u.t.Errorf("asks for its consumer: %v %v", info, err)
	}
}

// followsOrdered stops at the end alone: the library has the server delete the consumer then, which is refused.
func (u user) followsOrdered() {
	u.t.Helper()
	ordered, err := u.OrderedConsumer(u.t.Context(), envelope.Stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		u.t.Fatal(err)
	}
	messages, err := ordered.Messages()
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(messages.Stop)
	if m, err := messages.Next(); err != nil || m.Headers().Get(envelope.HeaderPosition) != "1" {
		u.t.Errorf("ordered: %v", err)
	}
}

// All else is refused by the server, by name.
func TestWhatAConsumerMayNotDo(t *testing.T) {
	s := serve(t, "nats.conf")
	g := gestaOn(t, s)
	u := as(t, s, "consumer")
	if _, err := g.CreateConsumer(t.Context(), envelope.Stream, jetstream.ConsumerConfig{Durable: "theirs"}); err != nil {
		t.Fatal(err)
	}
	before := g.stream(envelope.Stream)
	for _, subject := range []string{
		"gesta.events.accounts.identity.user.registered", "gesta.hint.appended", "gesta.hint.projected", "gesta.checkpoints",
		"gesta.limits.x", "_INBOX_reports.x", "_INBOX_gesta.x", "_INBOX.x", "anything",
		"$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.UPDATE.GESTA", "$JS.API.STREAM.PURGE.GESTA", "$JS.API.STREAM.DELETE.GESTA",
		"$JS.API.STREAM.MSG.DELETE.GESTA", "$JS.API.STREAM.SNAPSHOT.GESTA", "$JS.API.STREAM.LIST",
		"$JS.API.STREAM.INFO.GESTA_LIMITS", "$JS.API.STREAM.PURGE.GESTA_LIMITS", "$JS.API.STREAM.DELETE.GESTA_LIMITS",
		"$JS.API.CONSUMER.CREATE.GESTA_LIMITS.mine", "$JS.API.CONSUMER.DELETE.GESTA.theirs", "$JS.API.CONSUMER.PAUSE.GESTA.theirs",
		"$JS.API.CONSUMER.RESET.GESTA.theirs", "$JS.API.CONSUMER.LIST.GESTA", "$JS.API.CONSUMER.NAMES.GESTA", "$JS.FC.GESTA.x",
		"$SYS.REQ.SERVER.PING",
	} {
		u.isRefused(subject, u.Conn().Publish(subject, nil))
	}
	for _, subject := range []string{
		">", "*", "gesta.>", "gesta.hint.appended", "gesta.limits.*", "_INBOX_reports.>", "_INBOX_gesta.>", "_INBOX.>", "_INBOX_consumer",
		"$JS.>", "$JS.API.>", "$JS.EVENT.ADVISORY.>", "$JS.ACK.>", "$SYS.>",
	} {
		_, err := u.Conn().SubscribeSync(subject)
		u.isRefused(subject, err)
	}
	if got := g.stream(envelope.Stream); got != before {
		t.Errorf("the stream was\n%s\nand is\n%s", before, got)
	}
	if _, err := g.Consumer(t.Context(), envelope.Stream, "theirs"); err != nil {
		t.Error(err)
	}
	g.goesOn()
}

// isRefused waits until the server complains about a subject.
func (u user) isRefused(subject string, err error) {
	u.t.Helper()
	if err != nil {
		u.t.Fatal(err)
	}
	select {
	case err := <-u.refused:
		if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), `"`+subject+`"`) {
			u.t.Errorf("%s: %v", subject, err)
		}
	case <-time.After(10 * time.Second):
		u.t.Errorf("%s is allowed", subject)
	}
}

// Without credentials nobody comes in, and with another's password neither.
func TestWhoMayConnect(t *testing.T) {
	s := serve(t, "nats.conf")
	for _, o := range [][]nats.Option{nil, {nats.UserInfo("gesta", "wrong")}, {nats.UserInfo("consumer", "")}, {nats.UserInfo("team", password)}} {
		if _, err := nats.Connect(s.ClientURL(), o...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%v", err)
		}
	}
}
