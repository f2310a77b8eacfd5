// Package relaytest holds what the tests of relay and feed share: a NATS that can go away, and a
// history that grows on demand.
package relaytest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
	"gesta/eventstore/relay/natsembed"
)

// NATS is a server that can be stopped and started again over the same folder. Connections find
// their way back to it.
type NATS struct {
	t      testing.TB
	dir    string
	mu     sync.Mutex
	server *natsembed.Server
}

// Start runs a server until the test ends.
func Start(t testing.TB) *NATS {
	n := &NATS{t: t, dir: t.TempDir()}
	n.Start()
	t.Cleanup(n.Stop)
	return n
}

// Start starts the server again after Stop.
func (n *NATS) Start() {
	n.t.Helper()
	server, err := natsembed.Start(natsembed.Options{Dir: n.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.server = server
}

// Stop stops the server, if it runs.
func (n *NATS) Stop() {
	n.mu.Lock()
	server := n.server
	n.server = nil
	n.mu.Unlock()
	if server != nil {
		server.Stop()
	}
}

// Corrupt changes a byte of a message that the stopped server has kept, as the function does.
func (n *NATS) Corrupt(text string) {
	n.t.Helper()
	Corrupt(n.t, n.dir, text)
}

// Corrupt changes one byte of what a server that does not run has kept of the stream's messages in its
// folder: the last one of the first place where the text stands.
func Corrupt(t testing.TB, dir, text string) {
	t.Helper()
	blocks := blocks(t, dir)
	if len(blocks) != 1 {
		t.Fatalf("not one file of messages: %v", blocks)
	}
	block, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(block, []byte(text))
	if at < 0 {
		t.Fatalf("no message holds %q", text)
	}
	block[at+len(text)-1] ^= 1
	if err := os.WriteFile(blocks[0], block, 0o600); err != nil {
		t.Fatal(err)
	}
}

// LoseFirst removes the first file of messages that the stopped server has kept.
func (n *NATS) LoseFirst() {
	n.t.Helper()
	if err := os.Remove(blocks(n.t, n.dir)[0]); err != nil {
		n.t.Fatal(err)
	}
}

// Forget has the stopped server know no stream any more and still have its files, as one is while it deletes the stream.
func (n *NATS) Forget() {
	n.t.Helper()
	known, err := filepath.Glob(filepath.Join(n.dir, "jetstream", "*", "streams", envelope.Stream, "meta.*"))
	if err != nil || len(known) == 0 {
		n.t.Fatalf("files of streams: %v %v", known, err)
	}
	for _, file := range known {
		if err := os.Remove(file); err != nil {
			n.t.Fatal(err)
		}
	}
}

// blocks are the files of the stream's messages, fewer than ten and at least one.
func blocks(t testing.TB, dir string) []string {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", envelope.Stream, "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 || len(blocks) > 9 {
		t.Fatalf("files of messages: %v %v", blocks, err)
	}
	return blocks
}

// Wipe removes everything the stopped server has kept.
func (n *NATS) Wipe() {
	n.t.Helper()
	if err := os.RemoveAll(n.dir); err != nil {
		n.t.Fatal(err)
	}
}

// InProcessConn connects to the server that runs at the moment.
func (n *NATS) InProcessConn() (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.server == nil {
		return nil, errors.New("relaytest: the server is stopped")
	}
	return n.server.InProcessConn()
}

// Connect answers a connection that lasts as long as the test.
func (n *NATS) Connect() *nats.Conn {
	n.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(n), nats.MaxReconnects(-1),
		nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0), nats.ErrorHandler(unheard))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(nc.Close)
	return nc
}

// unheard is for errors that a server going away causes: they would only clutter a test's output.
func unheard(*nats.Conn, *nats.Subscription, error) {}

// JetStream answers JetStream over a connection of its own.
func (n *NATS) JetStream() jetstream.JetStream {
	n.t.Helper()
	js, err := jetstream.New(n.Connect(), jetstream.WithDefaultTimeout(10*time.Second)) // A slow disk is no fault.
	if err != nil {
		n.t.Fatal(err)
	}
	return js
}

// DeleteStream deletes the stream, whether or not it is there.
func (n *NATS) DeleteStream() {
	n.t.Helper()
	err := n.JetStream().DeleteStream(context.Background(), envelope.Stream)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		n.t.Fatal(err)
	}
}

// Run runs f until the test ends, or until stop is called.
func Run(t testing.TB, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); ctx.Err() == nil {
			t.Errorf("ended by itself: %v", err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}
