//go:build !linux

package cluster

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// mortal can promise nothing here: only Linux signals a child at its parent's death.
func mortal() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// namespaced offers nothing: user namespaces are Linux's.
func namespaced(account) []identity { return nil }

// memory has no folder here.
const memory = os.DevNull

func plenty(string) bool { return false }

// arguments are what a process was started with; none when it is gone. `ps` shows them in one line,
// where the data directory always follows -D and is followed by -c.
func arguments(pid int) []string {
	line, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(line), " -D ")
	data, _, _ := strings.Cut(rest, " -c ")
	return []string{data}
}
