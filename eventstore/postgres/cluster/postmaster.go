package cluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrNotRunning is Attach's answer where no server runs.
var ErrNotRunning = errors.New("cluster: not running")

// Attach finds the server that another process runs in a home, to be reached by the user who owns the
// home. It answers ErrNotRunning when there is none.
func Attach(dir string) (Address, error) {
	h, err := homeAt(dir)
	if err != nil {
		return Address{}, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	if _, running := h.postmaster(); !running {
		return Address{}, fmt.Errorf("%w: %s", ErrNotRunning, h.dir)
	}
	return h.address()
}

// Exists tells whether a cluster was ever started in a home.
func Exists(dir string) bool {
	h, err := homeAt(dir)
	return err == nil && h.initialised()
}

func (h *home) address() (Address, error) {
	port, err := h.readPort()
	if err != nil {
		return Address{}, fmt.Errorf("cluster: %w", err)
	}
	password, err := h.readSecret()
	if err != nil {
		return Address{}, fmt.Errorf("cluster: %w", err)
	}
	return Address{port: port, password: password}, nil
}

// postmaster is the server that uses the data, and whether it is alive. A number in a pid file may
// have become somebody else's, so the process must also have been started for this folder.
func (h *home) postmaster() (pid int, running bool) {
	text, err := os.ReadFile(h.pidFile())
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 {
		return 0, false
	}
	return pid, h.serves(pid)
}

func (h *home) serves(pid int) bool {
	for _, argument := range arguments(pid) {
		if argument == h.data() {
			return true
		}
	}
	return false
}

// forgetPostmaster removes a pid file whose number is now a stranger's. One whose process is gone is
// left to Postgres, which also looks for orphaned children before it trusts it.
func (h *home) forgetPostmaster() error {
	pid, running := h.postmaster()
	if pid == 0 || running || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return nil
	}
	return os.Remove(h.pidFile())
}
