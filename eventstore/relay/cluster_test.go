package relay_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
	"gesta/eventstore/relay"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
)

// TestReplicatedStreamOutlivesItsLeader has three servers, of which the one that leads the stream dies
// under load.
func TestReplicatedStreamOutlivesItsLeader(t *testing.T) {
	servers := cluster(t)
	s := &setup{t: t, nats: relaytest.Start(t), history: &relaytest.History{Name: "ours"}}
	s.history.Grow(3000)
	r := s.newRelay(s.history)
	r.NC, r.Limits = connected(t, servers), relay.Limits{Replicas: 3}
	s.run(r)
	level := func() bool { return r.Status().Position == int64(len(s.history.All())) }
	wait.Until(t, "the stream is level", level)

	stream := streamOf(t, r.NC)
	stop := appending(s.history, 5*time.Millisecond)
	servers[stream.CachedInfo().Cluster.Leader].Shutdown()
	before := r.Status().Position
	wait.Until(t, "another leads", func() bool { return r.Status().Position > before+100 })
	stop()
	wait.Until(t, "the stream is level again", level)
	s.isHistoryIn(stream, 1)
}

// cluster starts three servers and answers them by name.
func cluster(t *testing.T) map[string]*server.Server {
	servers := map[string]*server.Server{}
	var routes []*url.URL
	for len(routes) < 3 {
		if r := freeRoute(t); !slices.ContainsFunc(routes, func(other *url.URL) bool { return other.Host == r.Host }) {
			routes = append(routes, r)
		}
	}
	for i, own := range routes {
		s, err := server.NewServer(member(t, fmt.Sprint("server", i), own, routes))
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers[s.Name()] = s
	}
	for _, s := range servers {
		wait.Until(t, "the cluster stands", s.JetStreamIsCurrent)
	}
	return servers
}

func member(t *testing.T, name string, own *url.URL, routes []*url.URL) *server.Options {
	o := &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(), Routes: routes,
		Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1"},
	}
	if _, err := fmt.Sscan(own.Port(), &o.Cluster.Port); err != nil {
		t.Fatal(err)
	}
	return o
}

func freeRoute(t *testing.T) *url.URL {
	return &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", relaytest.OwnPort(t))}
}

func connected(t *testing.T, servers map[string]*server.Server) *nats.Conn {
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1),
		nats.ReconnectWait(10*time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func streamOf(t *testing.T, nc *nats.Conn) jetstream.Stream {
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(context.Background(), envelope.Stream)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}
