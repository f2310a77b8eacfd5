package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gesta/cmd/gesta/loadgen"
)

// child is a process of its own that serves HTTP, so that what it takes is its own.
type child struct {
	cmd     *exec.Cmd
	address string
	exited  chan struct{}
	said    tail
}

// spawn starts gesta with arguments, and answers when it says that it is ready.
func (l *lab) spawn(ctx context.Context, i Installation, args ...string) (*child, error) {
	cmd := exec.CommandContext(ctx, l.Binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), "GESTA_DATA="+filepath.Join(l.dir, "dev"),
		"DATABASE_URL="+i.App, "MIGRATE_DATABASE_URL="+i.Owner, "NATS_URL="+i.NATS, "JWT_SECRET="+i.Secret,
		"GESTA_MASTER_KEY="+i.MasterKey, "BCRYPT_COST=4", "ACCOUNTS_ACCESS_TTL="+tokenLife.String(), "GESTA_DRAIN=0s")
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	if err := errors.Join(err, in.Close()); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	c := &child{cmd: cmd, exited: make(chan struct{})}
	serving := make(chan string, 1)
	go func() {
		defer close(c.exited)
		defer out.Close()
		c.listen(out, serving)
		_ = cmd.Wait() // What it said tells more.
	}()
	select {
	case c.address = <-serving:
	case <-c.exited:
		return nil, fmt.Errorf("%s ended: %s", strings.Join(args, " "), c.said.text())
	}
	return c, c.awaitReady(ctx)
}

// servingAt finds the port in what serve and dev say.
var servingAt = regexp.MustCompile(`"msg":"serving".*"addresses":\["127.0.0.1:(\d+)"|  REST +http://localhost:(\d+)`)

func (c *child) listen(out io.Reader, serving chan<- string) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		c.said.add(lines.Text())
		if m := servingAt.FindStringSubmatch(lines.Text()); m != nil {
			serving <- "127.0.0.1:" + m[1] + m[2]
		}
	}
}

func (c *child) awaitReady(ctx context.Context) error {
	client := loadgen.Client{Address: c.address}
	defer client.Close()
	for {
		a, err := client.Send(loadgen.Message("GET", "/readyz", "", nil))
		if err == nil && a.Status == 200 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.exited:
			return errors.New("it ended: " + c.said.text())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// end tells it to, and waits.
func (c *child) end() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // It may have ended already.
	<-c.exited
}

// kill gives it no time to do anything.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // It may have ended already.
	<-c.exited
}

// peakMemory is the most that it ever had, in MB; 0 where that can't be told.
func (c *child) peakMemory() float64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid), "status")) // Empty for none.
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	kb, _ := strconv.Atoi(string(m[1])) // It is digits.
	return float64(kb) / 1024
}

// tail keeps the last lines.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines = append(t.lines, line); len(t.lines) > 10 {
		t.lines = t.lines[1:]
	}
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
