// Command withpostgres runs another command with a throw-away Postgres, whose URL is in the command's
// TEST_DATABASE_URL, so that all the packages of one `go test` share a server:
//
//	go run ./eventstore/postgres/pgtest/withpostgres go test ./...
//
// It starts none where the variable is set already, or where there is no Postgres: then it says so,
// and the tests that need one are skipped, or fail when CI is set. Its exit code is the command's, or
// 128 and the number of the signal that ended it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"gesta/eventstore/postgres/cluster"
)

const variable = "TEST_DATABASE_URL"

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	if len(args) == 0 {
		return 2, errors.New("name a command to run")
	}
	environment := os.Environ()
	if os.Getenv(variable) == "" {
		server, err := start()
		if err != nil && !mayGoWithout(err) {
			return 1, err
		}
		if server != nil {
			defer stop(server)
			environment = append(environment, variable+"="+server.URL("postgres"))
		}
	}
	return runChild(args, environment)
}

// start is given up at a signal, as long as there is no command to forward it to.
func start() (*cluster.Cluster, error) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	return cluster.Start(ctx, cluster.Options{})
}

func mayGoWithout(err error) bool {
	if !errors.Is(err, cluster.ErrNoPostgres) || os.Getenv("CI") != "" {
		return false
	}
	fmt.Fprintln(os.Stderr, "withpostgres: NOTHING THAT NEEDS POSTGRES IS TESTED:", err)
	return true
}

func stop(server *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
	}
}

func runChild(args, environment []string) (code int, err error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	child := exec.Command(args[0], args[1:]...)
	child.Env = environment
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		return 127, err
	}
	ended := make(chan struct{})
	go func() {
		_ = child.Wait() // its exit code says it all
		close(ended)
	}()
	for {
		select {
		case s := <-signals:
			_ = child.Process.Signal(s) // it may have ended just now
		case <-ended:
			return exitCode(child.ProcessState), nil
		}
	}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
