package feed

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
	"gesta/eventstore/relay/relaytest"
)

// TestEachEventArrivesOnceInOrder lets a stream do whatever a stream could: messages get lost, come
// twice, come late or spoilt, or not at all, while announcements come or don't.
func TestEachEventArrivesOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		history := &relaytest.History{Name: "ours"}
		history.GrowElsewhere(rapid.IntRange(0, 20).Draw(rt, "begin"))
		from := rapid.IntRange(0, len(history.All())).Draw(rt, "from")
		f := begin(t, history, from, rapid.IntRange(1, 9).Draw(rt, "limit"))
		rt.Repeat(f.actions())
		f.end(rt)
	})
}

// machine is a follower between a history and what the test makes of the stream.
type machine struct {
	history  *relaytest.History
	rival    *relaytest.History // of which nothing may arrive
	follower *follower
	commits  chan eventstore.Commit
	got      chan eventstore.Mark
	last     int64 // the last position checked
	ended    chan error
	stop     func()
}

func begin(t *testing.T, history *relaytest.History, from, limit int) *machine {
	ctx, stop := context.WithCancel(context.Background())
	m := &machine{
		history: history, rival: &relaytest.History{Name: "theirs"},
		commits: make(chan eventstore.Commit, room), got: make(chan eventstore.Mark, 1<<16),
		last: int64(from), ended: make(chan error, 1), stop: stop,
	}
	f := &Feed{Store: history, Poll: 5 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	var mark eventstore.Mark
	if from > 0 {
		mark = history.All()[from-1].Mark()
	}
	m.follower = newFollower(f, mark, limit, func(_ context.Context, events []eventstore.Recorded) error {
		if len(events) > limit {
			t.Errorf("%d events at once, want %d at most", len(events), limit)
		}
		for _, r := range events {
			m.got <- r.Mark()
		}
		return nil
	})
	m.follower.commits = m.commits
	go func() { m.ended <- m.follower.run(ctx) }()
	return m
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"append": func(rt *rapid.T) { m.history.GrowElsewhere(rapid.IntRange(1, 12).Draw(rt, "n")) },
		"message": func(rt *rapid.T) {
			if n := len(m.history.All()); n > 0 {
				first := rapid.IntRange(1, n).Draw(rt, "first")
				m.bring(first, rapid.IntRange(first, min(n, first+5)).Draw(rt, "last"))
			}
		},
		"the latest": func(*rapid.T) { m.bring(max(1, len(m.history.All())-3), len(m.history.All())) },
		"spoilt": func(rt *rapid.T) {
			m.send(eventstore.Recorded{Position: rapid.Int64Range(1, 100).Draw(rt, "position")})
		},
		"hand-off": func(rt *rapid.T) {
			if n := len(m.history.All()); n > 0 {
				m.offer(m.history, max(1, n-rapid.IntRange(0, 9).Draw(rt, "events")), n)
			}
		},
		"rival's hand-off": func(rt *rapid.T) {
			first := rapid.IntRange(2, len(m.history.All())+2).Draw(rt, "first")
			m.offer(m.rival, first, first+rapid.IntRange(0, 9).Draw(rt, "more"))
		},
		"connection": func(rt *rapid.T) { m.follower.live.Store(rapid.Bool().Draw(rt, "live")) },
		"loss":       func(*rapid.T) { m.follower.lose() },
	}
}

func (m *machine) bring(first, last int) {
	for _, r := range m.history.All()[first-1 : last] {
		m.send(envelope.Published(r))
	}
}

// send loses what the follower has no room for, as a connection may.
func (m *machine) send(r eventstore.Recorded) {
	select {
	case m.follower.messages <- r:
	default:
	}
}

func (m *machine) offer(of *relaytest.History, first, last int) {
	var c eventstore.Commit
	if first > 1 {
		c.After = of.One(int64(first) - 1).Mark()
	}
	for position := first; position <= last; position++ {
		c.Events = append(c.Events, of.One(int64(position)))
	}
	select {
	case m.commits <- c:
	default:
	}
}

// end waits for all that was appended, in order and once.
func (m *machine) end(rt *rapid.T) {
	defer func() {
		m.stop()
		<-m.ended
	}()
	for m.last < int64(len(m.history.All())) {
		select {
		case got := <-m.got:
			if m.last++; got != m.history.One(m.last).Mark() {
				rt.Fatalf("got %v, want %d", got, m.last)
			}
		case <-time.After(time.Minute):
			rt.Fatalf("nothing after %d of %d", m.last, len(m.history.All()))
		}
	}
	if len(m.got) > 0 {
		rt.Fatalf("got %v once more", <-m.got)
	}
}

// What was announced and the store does not have is forgotten, so that a forged hint has the store asked once.
func TestAHintOfTooMuchIsAskedForOnce(t *testing.T) {
	history := &relaytest.History{Name: "ours"}
	history.GrowElsewhere(3)
	last := history.All()[2].Mark()
	f := newFollower(&Feed{Store: history}, last, 10, nil)
	f.hear(math.MaxInt64)
	if events, err := f.ask(t.Context()); len(events) > 0 || err != nil || f.due {
		t.Fatal(events, err, f.due)
	}
	if f.hear(last.Position); f.due {
		t.Error("the store is asked again")
	}
}
