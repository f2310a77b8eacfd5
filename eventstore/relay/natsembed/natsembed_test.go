package natsembed_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/relay/natsembed"
	"gesta/eventstore/wait"
)

func TestMain(m *testing.M) {
	m.Run()
	wait.NoLeaks()
}

func start(t *testing.T, o natsembed.Options) *natsembed.Server {
	t.Helper()
	s, err := natsembed.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func connect(t *testing.T, s *natsembed.Server) jetstream.JetStream {
	t.Helper()
	nc, err := s.Connect()
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

func TestStreamsOutliveTheServer(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	first := start(t, natsembed.Options{Dir: dir})
	js := connect(t, first)
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "KEPT", Subjects: []string{"kept"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(ctx, "kept", []byte("once")); err != nil {
		t.Fatal(err)
	}
	first.Stop()

	s, err := connect(t, start(t, natsembed.Options{Dir: dir})).Stream(ctx, "KEPT")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != 1 {
		t.Fatalf("%d messages, want 1", n)
	}
}

func TestListensOnlyWhenAsked(t *testing.T) {
	if url := start(t, natsembed.Options{Dir: t.TempDir()}).URL(); url != "" {
		t.Fatalf("listens on %s", url)
	}
	s := start(t, natsembed.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if max := nc.MaxPayload(); max != 1<<20 {
		t.Fatalf("max payload %d, want 1 MiB", max)
	}
}

func TestSaysWhatItCannotStartWith(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options natsembed.Options
		want    string
	}{
		"a port that is taken":    {natsembed.Options{Dir: t.TempDir(), Listen: l.Addr().String()}, "in use"},
		"a port that is no port":  {natsembed.Options{Dir: t.TempDir(), Listen: "localhost:http"}, "no number"},
		"an address without one":  {natsembed.Options{Dir: t.TempDir(), Listen: "localhost"}, "missing port"},
		"no folder":               {natsembed.Options{}, "no folder"},
		"a folder that is a file": {natsembed.Options{Dir: file}, "JetStream"},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Log = slog.New(slog.DiscardHandler)
			_, err := natsembed.Start(c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v, want one line with %q", err, c.want)
			}
		})
	}
}
