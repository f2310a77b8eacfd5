package relay_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

// compare is the whole of the stream against the whole of the history.
func (s *setup) compare() (findings []string, verified int64) {
	s.t.Helper()
	found, verified, err := relay.Compare(context.Background(), s.history, s.nats.JetStream(), 1, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range found {
		findings = append(findings, f.String())
	}
	return findings, verified
}

func (s *setup) finds(verified int64, findings ...string) {
	s.t.Helper()
	found, to := s.compare()
	if diff := cmp.Diff(findings, found); diff != "" || to != verified {
		s.t.Errorf("verified up to %d, not %d, and found (-want +got):\n%s", to, verified, diff)
	}
}

func TestAWholeStreamHasNoDamage(t *testing.T) {
	s, stop := publishing(t, 1234)
	s.finds(1234)
	s.awaitVerified(1234)
	stop()
	s.expire(1000)
	s.history.Grow(10)
	s.finds(1234)
	if is := s.relay.Status(); len(is.Damaged) > 0 {
		t.Errorf("%v", is.Damaged)
	}
}

func TestComparesWhileEventsArePublished(t *testing.T) {
	s, _ := publishing(t, 500)
	stop := appending(s.history, 20*time.Millisecond)
	defer stop()
	for range 3 {
		if found, verified := s.compare(); len(found) > 0 || verified < 500 {
			t.Errorf("verified up to %d: %v", verified, found)
		}
	}
}

// A byte that has changed on the disk under a stopped server costs the message: the server drops what its
// checksum refuses. The relay names it, and a new stream is as the old one was.
func TestAByteThatHasChangedOnTheDisk(t *testing.T) {
	for name, text := range map[string]string{
		"in a body":    `"data":{ "n":70`,
		"in a header":  "Gesta-Position: 70\r\n",
		"in a subject": "gesta.events.accounts.work.task.assigned\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s, stop := publishing(t, 200)
			stop()
			s.nats.Stop()
			s.nats.Corrupt(strings.TrimSuffix(text, "\x00"))
			s.nats.Start()
			lost := "position 70 is missing"
			if name == "in a subject" {
				lost = "position 1 is missing"
			}
			s.finds(200, lost)
			s.run(s.relay)
			s.names(lost)
			s.nats.DeleteStream()
			s.awaitLevel()
			s.isHistory()
			s.finds(200)
			s.names()
		})
	}
}

// A file of messages that is emptied under a stopped server takes the front of the stream along, and leaves
// no gap: what follows goes on behind it.
func TestTheFrontOfTheStreamIsLost(t *testing.T) {
	s := given(t, 20)
	var log bytes.Buffer
	s.relay.Log = slog.New(slog.NewTextHandler(&log, nil))
	stop := s.run(s.relay)
	s.awaitLevel()
	stop()
	s.nats.Stop()
	s.nats.LoseFirst()
	s.nats.Start()
	s.finds(20, missing(20)...)
	stop = s.run(s.relay)
	s.names(missing(20)...)
	s.history.Grow(10)
	s.awaitLevel()
	s.finds(30, missing(20)...)
	s.nats.Stop() // The next session has known it.
	s.nats.Start()
	s.history.Grow(10)
	s.awaitVerified(40)
	s.names(missing(20)...)
	s.nats.DeleteStream()
	s.awaitLevel()
	s.isHistory()
	s.finds(40)
	s.names()
	stop()
	if n := strings.Count(log.String(), "relay: the stream is damaged"); n != 20 {
		t.Errorf("%d messages are told:\n%s", n, log.String())
	}
	s.run(s.relay)
	s.awaitVerified(40)
	s.names()
}

// Of several files it is the first: the relay, which looks at the last messages again, counts the others.
func TestTheFirstFileOfTheStreamIsLost(t *testing.T) {
	const events = 25_000
	s, stop := publishing(t, events)
	stop()
	s.nats.Stop()
	s.nats.LoseFirst()
	s.nats.Start()
	if first := streamOf(t, s.nats.Connect()).CachedInfo().State.FirstSeq; first < 200 || first > events-10_000 {
		t.Fatalf("the stream begins with %d", first)
	}
	s.finds(100, missing(100)...)
	s.run(s.relay)
	s.awaitVerified(events)
	s.names(missing(100)...)
}

// missing says it of the positions up to one.
func missing(last int) (findings []string) {
	for position := range last {
		findings = append(findings, fmt.Sprintf("position %d is missing", position+1))
	}
	return findings
}

func (s *setup) awaitVerified(position int64) {
	s.t.Helper()
	wait.Until(s.t, "all is looked at", func() bool { return s.relay.Status().Verified == position })
}

// names waits until the relay tells these findings and no other.
func (s *setup) names(findings ...string) {
	s.t.Helper()
	wait.Until(s.t, fmt.Sprint("the relay tells ", findings), func() bool {
		var told []string
		for _, f := range s.relay.Status().Damaged {
			told = append(told, f.String())
		}
		return cmp.Equal(findings, told)
	})
}

// given to the stream by another hand: the messages of the history, each as it may be changed, or none for
// nil.
func (s *setup) tamper(events int, change func(position int, m *nats.Msg) *nats.Msg) {
	s.t.Helper()
	js, ctx := s.nats.JetStream(), context.Background()
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: envelope.Stream, Subjects: []string{envelope.Subjects}, Duplicates: 100 * time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for position := 1; position <= events; position++ {
		m := change(position, s.published(position))
		if m == nil {
			m = s.published(position)
			defer func() {
				if err := stream.SecureDeleteMsg(ctx, uint64(position)); err != nil {
					s.t.Error(err)
				}
			}()
		}
		wait.Until(s.t, "it is taken for new", func() bool {
			ack, err := js.PublishMsg(ctx, m)
			return err == nil && !ack.Duplicate
		})
	}
}

// published is the message of a position, as the relay publishes it.
func (s *setup) published(position int) *nats.Msg {
	all := s.history.All()
	m := envelope.Message(all[position-1], 1)
	m.Header[jetstream.MsgIDHeader] = []string{all[position-1].ID.String()}
	m.Header[jetstream.ExpectedLastSeqHeader] = []string{fmt.Sprint(position - 1)}
	if position > 1 {
		m.Header[jetstream.ExpectedLastMsgIDHeader] = []string{all[position-2].ID.String()}
	}
	return m
}

// unexpected lets a message be published anywhere.
func unexpected(m *nats.Msg) *nats.Msg {
	delete(m.Header, jetstream.ExpectedLastSeqHeader)
	delete(m.Header, jetstream.ExpectedLastMsgIDHeader)
	return m
}

func TestTamperedStreams(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(s *setup, position int, m *nats.Msg) *nats.Msg
		found   []string // by who compares the whole
		noticed []string // by the relay, which compares ids and counts
	}{
		"a body": {func(_ *setup, p int, m *nats.Msg) *nats.Msg {
			if p == 7 {
				m.Data[len(m.Data)-2] ^= 1
			}
			return m
		}, []string{"position 7 is changed: its body"}, nil},
		"a header": {func(_ *setup, p int, m *nats.Msg) *nats.Msg {
			if p == 7 {
				m.Header.Set(envelope.HeaderType, "work.task.dropped")
			}
			return m
		}, []string{"position 7 is changed: its header Gesta-Type"}, nil},
		"another header": {func(_ *setup, p int, m *nats.Msg) *nats.Msg {
			if p == 7 {
				m.Header.Set("X", "y")
			}
			return m
		}, []string{`position 7 is changed: its header "X"`}, nil},
		"a subject": {func(_ *setup, p int, m *nats.Msg) *nats.Msg {
			if p == 7 {
				m.Subject = "gesta.events.a.b.c.d"
			}
			return m
		}, []string{`position 7 is changed: its subject is "gesta.events.a.b.c.d"`}, nil},
		"two missing": {func(_ *setup, p int, m *nats.Msg) *nats.Msg {
			if p == 7 || p == 8 {
				return nil
			}
			return m
		}, []string{"position 7 is missing", "position 8 is missing"}, []string{"position 7 is missing", "position 8 is missing"}},
		"the first two missing": {func(_ *setup, p int, m *nats.Msg) *nats.Msg {
			if p <= 2 {
				return nil
			}
			return m
		}, missing(2), missing(2)},
		"one doubled": {
			func(s *setup, p int, m *nats.Msg) *nats.Msg {
				switch p {
				case 7:
					return unexpected(s.published(3))
				case 8:
					return unexpected(m)
				}
				return m
			},
			[]string{"position 7 is doubled: it is the event of position 3", "position 8 is changed: its header Nats-Expected-Last-Sequence"},
			[]string{"position 7 is doubled: it is the event of position 3"},
		},
		"one slipped in": {func(s *setup, p int, m *nats.Msg) *nats.Msg {
			if p > 17 && p < 20 {
				return unexpected(s.published(p - 1))
			}
			return unexpected(m)
		}, nil, []string{"position 18 is doubled: it is the event of position 17", "position 19 is changed: it is the event of position 18"}},
		"no event": {func(_ *setup, p int, m *nats.Msg) *nats.Msg {
			switch p {
			case 7:
				return &nats.Msg{Subject: "gesta.events.a.b.c.d"}
			case 8:
				delete(m.Header, jetstream.ExpectedLastMsgIDHeader)
			}
			return m
		}, []string{"position 7 is changed: it is no event"}, []string{"position 7 is changed: it is no event"}},
		"another store's": {func(_ *setup, p int, m *nats.Msg) *nats.Msg {
			switch p {
			case 7:
				m.Header.Set(jetstream.MsgIDHeader, (&relaytest.History{Name: "theirs"}).One(7).ID.String())
			case 8:
				delete(m.Header, jetstream.ExpectedLastMsgIDHeader)
			}
			return m
		}, []string{"position 7 is changed: the store does not have its event"}, []string{"position 7 is changed: the store does not have its event"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := given(t, 20)
			s.tamper(20, func(position int, m *nats.Msg) *nats.Msg { return c.change(s, position, m) })
			if c.found != nil {
				s.finds(20, c.found...)
			}
			s.run(s.relay)
			s.names(c.noticed...)
			s.awaitVerified(20)
			s.nats.DeleteStream()
			s.awaitLevel()
			s.finds(20)
			s.names()
		})
	}
}

// What is made while the stream is being deleted has its messages, as they are, and is not taken for a new one.
func TestADeletedStreamThatIsNotGoneYet(t *testing.T) {
	t.Parallel()
	s := given(t, 20)
	s.tamper(20, func(p int, m *nats.Msg) *nats.Msg {
		if p == 7 {
			m.Data[len(m.Data)-2] ^= 1
		}
		return m
	})
	s.nats.Stop()
	s.nats.Forget()
	s.nats.Start()
	s.run(s.relay)
	s.awaitLevel()
	s.finds(20)
}

func TestFindingsAreBounded(t *testing.T) {
	s := given(t, 300)
	s.tamper(300, func(_ int, m *nats.Msg) *nats.Msg { m.Data = nil; return m })
	if found, verified := s.compare(); len(found) != 100 || verified != 100 {
		t.Errorf("%d findings up to %d", len(found), verified)
	}
}
