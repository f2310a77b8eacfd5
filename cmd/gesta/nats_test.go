package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"gesta/eventstore/relay/natsembed"
	"gesta/eventstore/relay/relaytest"
)

// asNATS makes this test binary run as a NATS server, so that stories can stop, wipe and kill one.
const asNATS = "GESTA_TEST_NATS"

// serveNATS is that server. It ends with the test, however that ends: its standard input does.
func serveNATS() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, end := context.WithCancel(ctx)
	defer stop()
	go func() { defer end(); _, _ = io.Copy(io.Discard, os.Stdin) }()
	ns, err := natsembed.Start(natsembed.Options{Dir: os.Getenv(asNATS), Listen: os.Args[1]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("NATS is (up)")
	<-ctx.Done()
	ns.Stop()
}

// natsProcess is a NATS of its own, with its streams in a folder. It is stopped and killed like any
// process, and finds its folder again when it is started.
type natsProcess struct {
	*process
	t       *testing.T
	dir     string
	address string
}

// startNATS starts a NATS on a port, or on any free one for 0.
func startNATS(t *testing.T, dir string, port int) *natsProcess {
	t.Helper()
	n := &natsProcess{t: t, dir: dir, address: "127.0.0.1:" + strconv.Itoa(port)}
	if port == 0 {
		n.address = freeAddress(t)
	}
	n.start()
	return n
}

// freeAddress is one whose port nobody is given while its owner is away.
func freeAddress(t *testing.T) string {
	t.Helper()
	return "127.0.0.1:" + relaytest.OwnPort(t)
}

// start starts the server again after stop or kill.
func (n *natsProcess) start() {
	n.t.Helper()
	p := &process{t: n.t, cmd: exec.Command(os.Args[0], n.address), end: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asNATS+"="+n.dir)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	in, err := p.cmd.StdinPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		n.t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.end) }()
	n.t.Cleanup(func() {
		_ = in.Close() // The server ends with it.
		<-p.end
	})
	n.process = p
	p.await(`NATS is \((up)\)`)
}

// wipe removes all that the stopped server has kept.
func (n *natsProcess) wipe() {
	n.t.Helper()
	if err := os.RemoveAll(n.dir); err != nil {
		n.t.Fatal(err)
	}
}

// freeze lets the server neither answer nor hang up until thaw.
func (n *natsProcess) freeze() { n.signal(syscall.SIGSTOP) }
func (n *natsProcess) thaw()   { n.signal(syscall.SIGCONT) }

func (n *natsProcess) url() string { return "nats://" + n.address }
