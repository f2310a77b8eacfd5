package deploy_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/deploy"
	"gesta/eventstore"
	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
	"gesta/eventstore/feed"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
	"gesta/http/web/counter"
)

func TestMain(m *testing.M) {
	m.Run()
	wait.NoLeaks()
}

const password = "a2Word"

// serve runs a server with a file, on a port and in a folder of its own. Users' passwords come from the environment.
func serve(t *testing.T, file string) *server.Server {
	t.Helper()
	for _, user := range []string{"GESTA", "CONSUMER", "REPORTS", "TEAM"} {
		t.Setenv(user+"_NATS_PASSWORD", password)
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.StoreDir, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, t.TempDir(), true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

// written is a file of the test's own.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// withTeam is the file as its comments say that a team gets an account of its own.
func withTeam(t *testing.T) string { return written(t, strings.ReplaceAll(deploy.NATS, "#+ ", "")) }

// user is a connection, and what the server refuses it.
type user struct {
	jetstream.JetStream
	t       *testing.T
	refused chan error
}

func as(t *testing.T, s *server.Server, name string) user {
	t.Helper()
	u := user{t: t, refused: make(chan error, 1000)}
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(name, password), nats.CustomInboxPrefix("_INBOX_"+name),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { u.refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if u.JetStream, err = jetstream.New(nc, jetstream.WithDefaultTimeout(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	return u
}

// hears subscribes, and is heard of by the server.
func (u user) hears(subject string) *nats.Subscription {
	u.t.Helper()
	sub, err := u.Conn().SubscribeSync(subject)
	if err == nil {
		err = u.Conn().Flush()
	}
	if err != nil {
		u.t.Fatal(err)
	}
	return sub
}

// gesta is its parts on a server: a relay that publishes a history, a follower that hears of events by NATS alone, and
// counts for rate limits.
type gesta struct {
	user
	history *relaytest.History
	relay   *relay.Relay
	counter *counter.Counter

	mu     sync.Mutex
	events []eventstore.Recorded // that the follower was given
}

func gestaOn(t *testing.T, s *server.Server) *gesta {
	t.Helper()
	g := &gesta{user: as(t, s, "gesta"), history: &relaytest.History{Name: "ours"}}
	g.relay = &relay.Relay{
		Store: g.history, NC: g.Conn(), Checkpoint: &checkpoint.Memory{}, Handoff: &g.history.Handoff,
		Poll: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	var err error
	if g.counter, err = counter.New(g.Conn(), counter.Options{Key: []byte("key"), Longest: time.Hour, Wait: 10 * time.Second, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	g.history.Grow(5)
	relaytest.Run(t, g.relay.Run)
	follower := feed.Feed{Store: g.history, NC: g.Conn(), Poll: time.Hour, Log: slog.New(slog.DiscardHandler)}
	relaytest.Run(t, func(ctx context.Context) error { return follower.Follow(ctx, eventstore.Mark{}, 500, g.handle) })
	g.goesOn()
	return g
}

func (g *gesta) handle(_ context.Context, events []eventstore.Recorded) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, events...)
	return nil
}

// goesOn has something happen, and waits until it is published, followed and counted, and all is as it ought to be.
func (g *gesta) goesOn() {
	g.t.Helper()
	g.history.Grow(2)
	all := g.history.All()
	wait.Until(g.t, "the stream is level", func() bool {
		s := g.relay.Status()
		return s.Err == nil && s.Position == int64(len(all))
	})
	wait.Until(g.t, "the follower is level", func() bool { return len(g.followed()) >= len(all) })
	for i, r := range g.followed() {
		if want := envelope.Published(all[i]); r.ID != want.ID || r.Position != want.Position {
			g.t.Fatalf("the follower was given %d %s, not %d %s", r.Position, r.ID, want.Position, want.ID)
		}
	}
	findings, verified, err := relay.Compare(g.t.Context(), g.history, g, 1, 0)
	if err != nil || len(findings) > 0 || verified != int64(len(all)) {
		g.t.Fatalf("the stream is another than the history of %d: %v, verified up to %d: %v", len(all), findings, verified, err)
	}
}

func (g *gesta) followed() []eventstore.Recorded {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.events
}

// counts counts one more of something.
func (g *gesta) counts() int {
	g.t.Helper()
	sum, err := g.counter.Add(g.t.Context(), "someone", 1, time.Unix(1_700_000_000, 0))
	if err != nil {
		g.t.Fatal(err)
	}
	return sum
}

// stream tells which stream it is: another one was made at another time.
func (g *gesta) stream(name string) string {
	g.t.Helper()
	s, err := g.Stream(g.t.Context(), name)
	if err != nil {
		return err.Error()
	}
	info := s.CachedInfo()
	return fmt.Sprint(info.Created, info.Config)
}
