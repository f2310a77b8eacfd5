package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a child that ends with us.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of the wait for it; set before done is closed
}

// spawn starts a child from a thread that stays alive as long as the child does: the signal at the
// parent's death is sent when the thread that forked ends, not when the process does.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.live(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// run spawns a child and waits for it, killing it when ctx ends.
func run(ctx context.Context, cmd *exec.Cmd) error {
	p, err := spawn(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		p.signal(syscall.SIGKILL)
		<-p.done
		return context.Cause(ctx)
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal may come too late, which is no error: the child has ended, as every signal here asks.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// quit ends a server at once. Postgres gives its own children five seconds before it kills them, and
// is given ten.
func (p *process) quit() {
	p.signal(syscall.SIGQUIT)
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// deathError is the end of a server that nobody asked to end.
type deathError struct{ how, said string }

func (e *deathError) Error() string {
	return fmt.Sprintf("cluster: the server ended (%s):\n%s", e.how, e.said)
}

func (p *process) death(l *log) error {
	return &deathError{how: p.cmd.ProcessState.String(), said: l.tail()}
}
