package cluster

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// mortal has the kernel ask the child for a fast shutdown when its parent ends.
func mortal() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT} }

// namespaced maps root to that user in a namespace of the child's own.
func namespaced(a account) []identity {
	name := fmt.Sprintf("user %d in a namespace of its own", a.uid)
	return []identity{{name: name, owner: &account{uid: 0, gid: 0}, apply: func(attr *syscall.SysProcAttr) {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: a.uid, HostID: 0, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: a.gid, HostID: 0, Size: 1}}
	}}}
}

const (
	memory      = "/dev/shm"
	tmpfs       = 0x01021994
	enoughBytes = 4 << 30
)

// plenty reports whether a folder lies in memory and has room for what tests write.
func plenty(folder string) bool {
	var fs syscall.Statfs_t
	err := syscall.Statfs(folder, &fs)
	return err == nil && fs.Type == tmpfs && fs.Bavail*uint64(fs.Bsize) >= enoughBytes
}

// arguments are what a process was started with; none when it is gone, or ended and not yet buried.
func arguments(pid int) []string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil
	}
	return strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")
}
