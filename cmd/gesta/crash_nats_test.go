package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"

	"gesta/eventstore/relay/natsembed"
)

// asNATS makes this test binary run as a NATS server that can be killed: its value is host:port, and the
// folder is the only argument.
const asNATS = "GESTA_TEST_NATS"

// serveNATS serves until its standard input ends, as it does when the test goes.
func serveNATS(listen, dir string) {
	s, err := natsembed.Start(natsembed.Options{Dir: dir, Listen: listen, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Stop()
}

// launchNATS starts a NATS server in a process of its own.
func launchNATS(ctx context.Context, listen, dir string) (victim, error) {
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), asNATS+"="+listen)
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return launch(ctx, cmd, func() bool {
		conn, err := net.Dial("tcp", listen)
		return err == nil && conn.Close() == nil
	})
}
