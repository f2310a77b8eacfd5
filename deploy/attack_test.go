package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
	"gesta/eventstore/wait"
)

// NATS checks who asks, and not where the answer is to go. These are the places that could hurt.
var places = []string{
	"gesta.events.accounts.identity.user.registered", "gesta.events.accounts.privacy.subject.forgotten",
	"gesta.hint.appended", "gesta.hint.projected", "gesta.checkpoints", "gesta.limits.x", "_INBOX_gesta.x",
	"$JS.API.STREAM.PURGE.GESTA", "$JS.API.STREAM.DELETE.GESTA", "$JS.API.STREAM.UPDATE.GESTA",
	"$JS.API.STREAM.PURGE.GESTA_LIMITS", "$JS.API.STREAM.DELETE.GESTA_LIMITS", "$JS.API.CONSUMER.DELETE.GESTA.theirs",
}

// attacked is gesta with a stream of counts and somebody else's consumer, all of whose account's subjects are heard.
type attacked struct {
	*gesta
	attacker user
	heard    map[string]*nats.Subscription
	streams  [2]string
	counted  int
}

func underAttack(t *testing.T, file, attacker string) *attacked {
	t.Helper()
	s := serve(t, file)
	a := &attacked{gesta: gestaOn(t, s), heard: map[string]*nats.Subscription{}}
	a.counted = a.counts()
	if _, err := a.CreateConsumer(t.Context(), envelope.Stream, jetstream.ConsumerConfig{Durable: "theirs"}); err != nil {
		t.Fatal(err)
	}
	a.streams = [2]string{a.stream("GESTA"), a.stream("GESTA_LIMITS")}
	insider := as(t, s, "gesta")
	for _, place := range places { // A push consumer waits until somebody listens.
		if strings.HasPrefix(place, "$JS.") {
			_, err := insider.Conn().SubscribeSync(place)
			insider.isRefused(place, err)
			continue
		}
		a.heard[place] = insider.hears(place)
	}
	a.attacker = as(t, s, attacker)
	return a
}

// isUnharmed holds all that an attack could have changed against what it was.
func (a *attacked) isUnharmed() {
	a.t.Helper()
	a.goesOn()
	if now := [2]string{a.stream("GESTA"), a.stream("GESTA_LIMITS")}; now != a.streams {
		a.t.Errorf("streams were\n%s\nand are\n%s", a.streams, now)
	}
	if a.counted++; a.counts() != a.counted {
		a.t.Errorf("counts are lost")
	}
	if _, err := a.Consumer(a.t.Context(), envelope.Stream, "theirs"); err != nil {
		a.t.Errorf("somebody else's consumer: %v", err)
	}
}

// hears counts what came to a place in gesta's account, if anybody may listen there, and forgets it.
func (a *attacked) hears(place string) (n int) {
	for a.heard[place] != nil {
		if _, err := a.heard[place].NextMsg(time.Millisecond); err != nil {
			return n
		}
		n++
	}
	return 0
}

// request asks with an answer to a place, and then with one to itself, which comes after the first.
func (u user) request(subject, answer string, body string) {
	u.t.Helper()
	if err := u.Conn().PublishRequest(subject, answer, []byte(body)); err != nil {
		u.t.Fatal(err)
	}
	if _, err := u.Conn().RequestWithContext(u.t.Context(), subject, []byte(body)); err != nil {
		u.t.Fatal(err)
	}
}

// Whatever a consumer asks for is answered within the consumers' account, whatever place it names.
func TestAnswersGoNowhereInGestasAccount(t *testing.T) {
	a := underAttack(t, "nats.conf", "consumer")
	if _, err := a.attacker.CreateConsumer(t.Context(), envelope.Stream, jetstream.ConsumerConfig{Durable: "mine"}); err != nil {
		t.Fatal(err)
	}
	forged := `{"stream_name":"GESTA","config":{"name":"forged","description":"9223372036854775807","inactive_threshold":60000000000}}`
	for _, place := range places {
		a.attacker.request("$JS.API.STREAM.INFO.GESTA", place, "")
		a.attacker.request("$JS.API.STREAM.MSG.GET.GESTA", place, `{"seq":1}`)
		a.attacker.request("$JS.API.CONSUMER.CREATE.GESTA.forged", place, forged)
		a.attacker.request("$JS.API.CONSUMER.MSG.NEXT.GESTA.mine", place, `{"batch":1,"no_wait":true}`)             // an event
		a.attacker.request("$JS.API.CONSUMER.MSG.NEXT.GESTA.mine", place, `{"batch":1000000,"expires":1}`)          // no request at all
		a.attacker.request("$JS.API.CONSUMER.MSG.NEXT.GESTA.mine", place, `{"batch":1,"no_wait":true,"id":"none"}`) // a status, without a body
		if n := a.hears(place); n > 0 {
			t.Errorf("%d messages arrive at %s", n, place)
		}
	}
	a.isUnharmed()
}

// Were it one account, the same requests would delete streams, and have the relay stop at what is no event.
func TestWhyConsumersHaveAnotherAccount(t *testing.T) {
	one := written(t, `
		jetstream: enabled
		accounts { ONE { jetstream: enabled, users: [
			{ user: gesta, password: $GESTA_NATS_PASSWORD }
			{ user: consumer, password: $CONSUMER_NATS_PASSWORD, permissions: {
				publish: { allow: ["$JS.API.CONSUMER.CREATE.GESTA.>", "$JS.API.CONSUMER.MSG.NEXT.GESTA.*"] }
				subscribe: { allow: ["_INBOX_consumer.>"] } } }
		] } }`)
	s := serve(t, one)
	g, u := gestaOn(t, s), as(t, s, "consumer")
	g.counts()
	if _, err := u.CreateConsumer(t.Context(), envelope.Stream, jetstream.ConsumerConfig{Durable: "mine", DeliverPolicy: jetstream.DeliverNewPolicy}); err != nil {
		t.Fatal(err)
	}
	next := "$JS.API.CONSUMER.MSG.NEXT.GESTA.mine"
	u.request(next, "$JS.API.STREAM.DELETE.GESTA_LIMITS", `{"batch":1,"no_wait":true}`)
	wait.Until(t, "the counts are deleted", func() bool { return strings.Contains(g.stream("GESTA_LIMITS"), "not found") })
	u.request(next, "gesta.events.x", `{"batch":1,"no_wait":true}`)
	forked := (*checkpoint.Forked)(nil)
	wait.Until(t, "the relay stops", func() bool { return errors.As(g.relay.Status().Err, &forked) })
}

// push makes a consumer that delivers to a place, with heartbeats, and answers what the server says of it.
func (u user) push(subject, name, place string, headersOnly bool) string {
	u.t.Helper()
	body, err := json.Marshal(map[string]any{"stream_name": "GESTA", "config": map[string]any{
		"deliver_subject": place, "deliver_policy": "all", "ack_policy": "none", "headers_only": headersOnly,
		"idle_heartbeat": heartbeat, "flow_control": true, "mem_storage": true, "inactive_threshold": time.Minute, "name": name,
	}})
	if err != nil {
		u.t.Fatal(err)
	}
	m, err := u.Conn().RequestWithContext(u.t.Context(), subject, body)
	if err != nil {
		u.t.Fatal(err)
	}
	var answer struct{ Error *jetstream.APIError }
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		u.t.Fatal(err)
	}
	if answer.Error != nil {
		return answer.Error.Description
	}
	return ""
}

const heartbeat = 100 * time.Millisecond // the shortest there is

// A consumer that pushes may name any place of gesta's account. What comes there are events under their own subjects,
// and heartbeats without a body, to whoever listens there: NATS takes neither for a request of its own, refuses
// places of the stream itself, and gesta takes neither for a hint or a count.
func TestPushConsumersHarmNobody(t *testing.T) {
	for _, headersOnly := range []bool{false, true} {
		t.Run(fmt.Sprint("headers only ", headersOnly), func(t *testing.T) {
			a := underAttack(t, "nats.conf", "consumer")
			for i, place := range places {
				a.pushed(fmt.Sprint("$JS.API.CONSUMER.CREATE.GESTA.pushed", i), fmt.Sprint("pushed", i), place, headersOnly)
			}
			a.beats()
			a.isUnharmed()
		})
	}
}

// pushed has a consumer push to a place, until something has come there, or checks that the server refuses it.
func (a *attacked) pushed(subject, name, place string, headersOnly bool) {
	a.t.Helper()
	refusal := a.attacker.push(subject, name, place, headersOnly)
	if ours := strings.HasPrefix(place, "gesta.events."); ours != (refusal != "") {
		a.t.Errorf("%s: %q", place, refusal)
	}
	if refusal == "" {
		wait.Until(a.t, "all is pushed to "+place, func() bool { return a.hasPushed(name) })
	}
	if refusal == "" && a.heard[place] != nil {
		wait.Until(a.t, "something is pushed to "+place, func() bool { return a.hears(place) > 1 })
	}
}

// hasPushed tells whether a consumer has nothing left to push but heartbeats, or pushes nothing, since to NATS nobody listens
// there: its own requests are no subscriptions.
func (a *attacked) hasPushed(name string) bool {
	a.t.Helper()
	m, err := a.Conn().RequestWithContext(a.t.Context(), "$JS.API.CONSUMER.INFO.GESTA."+name, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	var info jetstream.ConsumerInfo
	if err := json.Unmarshal(m.Data, &info); err != nil {
		a.t.Fatal(err)
	}
	return !info.PushBound || info.Delivered.Consumer > 0 && info.NumPending == 0
}

// beats waits for heartbeats in the places where they are heard. All consumers have the same time between two of them, so
// that three come here when one at least has come everywhere.
func (a *attacked) beats() {
	a.t.Helper()
	for place := range a.heard {
		n := 0
		wait.Until(a.t, "heartbeats come to "+place, func() bool { n += a.hears(place); return n > 2 || strings.HasPrefix(place, "gesta.events.") })
	}
}
