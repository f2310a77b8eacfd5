package main

import (
	"context"
	"net"
	"os"
	"os/exec"
)

// launchNATS starts a NATS server in a process of its own.
func launchNATS(ctx context.Context, listen, dir string) (victim, error) {
	cmd := exec.Command(os.Args[0], listen)
	cmd.Env = append(os.Environ(), asNATS+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return launch(ctx, cmd, func() bool {
		conn, err := net.Dial("tcp", listen)
		return err == nil && conn.Close() == nil
	})
}
