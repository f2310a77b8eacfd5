package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"gesta/eventstore/postgres/cluster"
)

// asCommand makes this test binary the command itself.
const asCommand = "GESTA_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	m.Run()
}

func needPostgres(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := cluster.Find(ctx)
	switch {
	case errors.Is(err, cluster.ErrNoPostgres) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// command runs with a folder for temporary files in which nothing may be left.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	temporary := t.TempDir()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=yes", variable+"=", "TMPDIR="+temporary)
	t.Cleanup(func() {
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("left: %v (%v)", left, err)
		}
	})
	return cmd
}

func TestTheCommandHasAServerAndItsCodeIsReturned(t *testing.T) {
	needPostgres(t)
	cmd := command(t, "sh", "-c", "echo $TEST_DATABASE_URL; exit 7")
	said, err := cmd.Output()
	if !strings.HasPrefix(string(said), "postgres://") || cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("it says %q (%v)", said, err)
	}
}

func TestAServerThatIsGivenIsUsed(t *testing.T) {
	cmd := command(t, "sh", "-c", "echo $TEST_DATABASE_URL")
	cmd.Env = append(cmd.Env, variable+"=postgres://given")
	if said, err := cmd.Output(); err != nil || string(said) != "postgres://given\n" {
		t.Errorf("it says %q (%v)", said, err)
	}
}

func TestSignalsAreForwarded(t *testing.T) {
	needPostgres(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := command(t, "sh", "-c", "trap 'exit 3' INT TERM; echo ready; while :; do read line; done")
		forward(t, cmd, s)
		if code := cmd.ProcessState.ExitCode(); code != 3 {
			t.Errorf("%v: the code is %d", s, code)
		}
	}
}

// forward sends a signal once the command is ready; the command's input stays open and silent.
func forward(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	input, said := pipes(t, cmd)
	defer input.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = bufio.NewReader(said).ReadString('\n')
	_ = cmd.Process.Signal(s)
	_ = input.Close() // wakes the shell, which looks at its traps between commands
	_ = cmd.Wait()
}

func pipes(t *testing.T, cmd *exec.Cmd) (io.Closer, io.Reader) {
	t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return input, said
}

func TestACommandThatASignalEnded(t *testing.T) {
	cmd := command(t, "sh", "-c", "kill -TERM $$")
	cmd.Env = append(cmd.Env, variable+"=postgres://given")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 128+15 {
		t.Error(err)
	}
}

func TestWhatCannotBeRun(t *testing.T) {
	for code, args := range map[int][]string{2: {}, 127: {"/no/such/command"}} {
		cmd := command(t, args...)
		cmd.Env = append(cmd.Env, variable+"=postgres://given")
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != code {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestOnlyALaptopMayGoWithoutPostgres(t *testing.T) {
	for _, c := range []struct {
		ci  string
		err error
		may bool
	}{
		{"", cluster.ErrNoPostgres, true},
		{"true", cluster.ErrNoPostgres, false},
		{"", os.ErrPermission, false},
	} {
		t.Setenv("CI", c.ci)
		if mayGoWithout(c.err) != c.may {
			t.Errorf("CI=%q, %v: may is %v", c.ci, c.err, !c.may)
		}
	}
}
