package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/domain/id"
	"gesta/eventstore/envelope"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

// onNATS is an installation whose NATS is a process of its own.
func onNATS(t *testing.T, env ...string) (installation, *natsProcess) {
	t.Helper()
	n := startNATS(t, filepath.Join(t.TempDir(), "nats"), 0)
	i := installOn(t, n.url())
	i.env = append(i.env, env...)
	return i, n
}

// While NATS is killed, frozen or wiped, whoever writes reads what he wrote and waits for nobody; after that
// the stream is what it was, and goes on.
func TestNATSMayBeAwayUnderLoad(t *testing.T) {
	t.Parallel()
	i, n := onNATS(t)
	_, api := i.serve(t, "api,relay,projector")
	api.settles()
	api.writesAndReads("before")
	messages := i.messages(t, i.level(t, api))
	for name, trouble := range map[string]struct{ begin, end func() }{
		"killed":  {func() { n.kill() }, n.start},
		"frozen":  {n.freeze, n.thaw},
		"stopped": {func() { n.stop() }, n.start},
		"wiped":   {func() { n.stop(); n.wipe() }, n.start},
	} {
		trouble.begin()
		api.writesAndReads(name)
		trouble.end()
		api.writesAndReads("after" + name)
		now := i.messages(t, i.level(t, api))
		unchanged(t, name+": messages", messages, now[:len(messages)])
		messages = now
	}
}

// writesAndReads has several users at once write, and read what they wrote, in less time than a request
// would wait for read models that stand still.
func (c client) writesAndReads(name string) {
	c.t.Helper()
	const users = 4
	took := make(chan time.Duration, users)
	for n := range users {
		go func() {
			begin := time.Now()
			email := fmt.Sprintf("%s%d@example.com", name, n)
			user := c.do("POST", "/users", "", registration(email))
			took <- time.Since(begin)
			if user.status != 201 || user.header.Get("X-Read-Model") != "" {
				c.t.Errorf("%s: %d %v %s", name, user.status, user.header, user.text)
			}
		}()
	}
	all := make([]time.Duration, users)
	for n := range all {
		all[n] = <-took
	}
	if slices.Sort(all); all[0] > settleBound {
		c.t.Errorf("%s: the fastest of %d writes took %s", name, users, all[0])
	}
	token := c.expect(200, "POST", "/auth/login", "", credentials(name+"0@example.com"))
	user, _ := token.fields["user"].(map[string]any)
	id, _ := user["id"].(string)
	c.expect(200, "GET", "/users/"+id, token.field("access_token"), nil)
}

// The stream keeps events for a moment only: who has slept through them is told by the store, and sequences
// go on though all has expired and NATS knows of nothing any more.
func TestAFollowerMaySleepThroughTheStream(t *testing.T) {
	t.Parallel()
	i, n := onNATS(t, "GESTA_STREAM_MAX_AGE=1s")
	_, api := i.serve(t, "api,relay")
	before := i.head(t)
	api.register("a1", "a2", "a3")
	i.awaitExpired(t, before+3)
	n.kill()
	n.start()
	_, worker := i.serve(t, "projector")
	wait.Until(t, "the projector is level", func() bool { return worker.role("projector")["lag"] == float64(0) })
	if rows := i.rows(t); len(rows) != 3 {
		t.Errorf("%d users: %v", len(rows), rows)
	}
	sub := listen(t, n.url(), "gesta.events.>")
	api.register("a4")
	if m := next(t, sub); !strings.Contains(m, fmt.Sprintf(`"position":"%d"`, before+4)) {
		t.Error(m)
	}
	wait.Until(t, "the projector is level", func() bool { return worker.role("projector")["lag"] == float64(0) })
	i.awaitExpired(t, before+4)
}

// awaitExpired waits until the stream ends at a sequence, and holds nothing.
func (i installation) awaitExpired(t *testing.T, last int64) {
	t.Helper()
	wait.Until(t, "all messages expire", func() bool {
		s, err := i.stream(t).Stream(context.Background(), envelope.Stream)
		return err == nil && s.CachedInfo().State.LastSeq == uint64(last) && s.CachedInfo().State.Msgs == 0
	})
}

// One byte of NATS' files is another after it was stopped: the message it belongs to is named by log, health
// and metrics, nobody is misled by it, and the new stream is as it was.
func TestADamagedMessageIsNamed(t *testing.T) {
	t.Parallel()
	i, n := onNATS(t)
	p, api := i.serve(t, "api,relay,projector")
	api.register("d1", "d2", "d3", "d4")
	messages := i.messages(t, i.level(t, api))
	n.stop()
	relaytest.Corrupt(t, n.dir, eventID(messages[1]))
	n.start()
	api.register("d5")
	i.level(t, api)
	p.await(`(the stream is damaged.*"position":2,"damage":"missing")`)
	api.awaitDamage(1, "[map[damage:missing position:2]]")
	if rows := strings.Join(i.rows(t), "\n"); !strings.Contains(rows, "d2@example.com") {
		t.Errorf("the read models lack what the stream lacks: %s", rows)
	}
	unchanged(t, "messages", messages, i.renewed(t, api)[:len(messages)])
}

// awaitDamage waits until health and metrics name what is damaged.
func (c client) awaitDamage(messages int, named string) {
	c.t.Helper()
	wait.Until(c.t, "health and metrics name "+named, func() bool {
		return fmt.Sprint(c.role("relay")["damaged"]) == named && strings.Contains(
			c.expect(200, "GET", "/metrics", "", nil).text, fmt.Sprintf("\ngesta_stream_damaged_messages %d\n", messages))
	})
}

// renewed deletes the stream, and answers the messages of the next one when all is well.
func (i installation) renewed(t *testing.T, api client) []string {
	t.Helper()
	i.deleteStream(t)
	wait.Until(t, "all is well", func() bool { return api.role("relay")["damaged"] == nil })
	return i.messages(t, i.level(t, api))
}

func (i installation) deleteStream(t *testing.T) {
	t.Helper()
	if err := i.stream(t).DeleteStream(t.Context(), envelope.Stream); err != nil {
		t.Fatal(err)
	}
}

// A stream that another hand has made out of the same messages: one doubled in the place of another, one
// under another event's id, one taken out.
func TestEachDamageIsNamed(t *testing.T) {
	t.Parallel()
	i := install(t)
	p, api := i.serve(t, "api,relay,projector")
	api.register("e1", "e2", "e3", "e4", "e5")
	head := i.level(t, api)
	messages := i.messages(t, head)
	p.stop()
	i.tamper(t, head)
	_, api = i.serve(t, "api,relay,projector")
	api.awaitDamage(3, "[map[damage:doubled detail:it is the event of position 1 position:2]"+
		" map[damage:changed detail:the store does not have its event position:3] map[damage:missing position:4]]")
	unchanged(t, "messages", messages, i.renewed(t, api))
}

// tamper makes that stream.
func (i installation) tamper(t *testing.T, head uint64) {
	t.Helper()
	js, ctx := i.stream(t), t.Context()
	stream, err := js.Stream(ctx, envelope.Stream)
	if err != nil {
		t.Fatal(err)
	}
	var raw []*jetstream.RawStreamMsg
	for n := range head {
		m, err := stream.GetMsg(ctx, n+1)
		if err != nil {
			t.Fatal(err)
		}
		m.Header.Del(jetstream.ExpectedLastSeqHeader)
		m.Header.Del(jetstream.ExpectedLastMsgIDHeader)
		raw = append(raw, m)
	}
	raw[1] = raw[0]
	raw[2].Header.Set(jetstream.MsgIDHeader, id.Named("another store's").String())
	config := stream.CachedInfo().Config
	config.DenyDelete = false
	err = js.DeleteStream(ctx, envelope.Stream)
	if err == nil {
		stream, err = js.CreateStream(ctx, config)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range raw {
		wait.Until(t, "it is taken for new", func() bool {
			ack, err := js.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
			return err == nil && !ack.Duplicate
		})
	}
	if err := stream.DeleteMsg(ctx, 4); err != nil {
		t.Fatal(err)
	}
}

// eventID finds the id of the event in a message.
func eventID(message string) string {
	_, rest, _ := strings.Cut(message, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return `"id":"` + id
}

// A server that was killed reads its files from the beginning, and forgets all that follows a byte that has
// changed: the relay publishes that again.
func TestAKilledNATSThatForgets(t *testing.T) {
	t.Parallel()
	i, n := onNATS(t)
	_, api := i.serve(t, "api,relay,projector")
	api.register("k1", "k2", "k3", "k4")
	messages := i.messages(t, i.level(t, api))
	n.kill()
	relaytest.Corrupt(t, n.dir, eventID(messages[1]))
	n.start()
	api.register("k5")
	head := i.level(t, api)
	unchanged(t, "messages", messages, i.messages(t, head)[:len(messages)])
}
