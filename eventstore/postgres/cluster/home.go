package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrRunning refuses a start while another process has the cluster of that home running.
var ErrRunning = errors.New("cluster: already running under another process")

// home is the folder a cluster lives in.
type home struct {
	dir       string
	temporary bool
	lock      *os.File
}

const temporaryPrefix = "gesta-postgres-"

func (h *home) data() string         { return filepath.Join(h.dir, "data") }
func (h *home) passwordFile() string { return filepath.Join(h.dir, "password") }
func (h *home) portFile() string     { return filepath.Join(h.dir, "port") }
func (h *home) pidFile() string      { return filepath.Join(h.data(), "postmaster.pid") }

// enter opens the home that the options name and takes its lock.
func enter(o Options) (*home, error) {
	if o.Dir == "" && o.Durable {
		return nil, errors.New("cluster: a durable cluster needs a folder")
	}
	h, err := o.home()
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if err := h.acquire(); err != nil {
		return nil, err
	}
	return h, nil
}

func (o Options) home() (*home, error) {
	if o.Dir != "" {
		return makeHome(o.Dir)
	}
	sweep()
	dir, err := makeTemporary()
	if err != nil {
		return nil, err
	}
	h, err := homeAt(dir)
	h.temporary = true
	return h, err
}

// makeTemporary prefers memory where there is plenty: a database is hundreds of files, which are made
// in 7 ms there and in up to 300 ms on a disk. TMPDIR, when set, decides.
func makeTemporary() (string, error) {
	if os.Getenv("TMPDIR") == "" && plenty(memory) {
		if dir, err := os.MkdirTemp(memory, temporaryPrefix); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", temporaryPrefix)
}

func makeHome(dir string) (*home, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return homeAt(dir)
}

// homeAt spells the folder in one way however it was reached: a running server is recognised by the
// path it was started with.
func homeAt(dir string) (*home, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	plain, err := filepath.EvalSymlinks(absolute)
	return &home{dir: plain}, err
}

// acquire takes the lock, which the kernel gives back when this process ends, however it ends. No
// link is followed: a temporary folder that is swept may be another user's.
func (h *home) acquire() error {
	name := filepath.Join(h.dir, "lock")
	lock, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrRunning
	}
	if err != nil {
		lock.Close()
		return fmt.Errorf("%w: %s", err, h.dir)
	}
	h.lock = lock
	return nil
}

// leave frees the home. A temporary one goes first: while it is locked, nobody else sweeps it. What
// cannot be removed is left to the sweep of a later start.
func (h *home) leave() {
	if h.temporary {
		_ = os.RemoveAll(h.dir)
	}
	h.lock.Close()
}

// sweep removes the temporary homes of processes that were killed before they could. An hour's grace
// spares those that are made just now and not yet locked.
func sweep() {
	for _, folder := range []string{memory, os.TempDir()} {
		dirs, _ := filepath.Glob(filepath.Join(folder, temporaryPrefix+"*"))
		for _, dir := range dirs {
			sweepOne(dir)
		}
	}
}

func sweepOne(dir string) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || time.Since(info.ModTime()) < time.Hour {
		return
	}
	if h := (&home{dir: dir, temporary: true}); h.acquire() == nil {
		h.leave()
	}
}

// secret is the superuser's password, made with the home. Data without it cannot be opened.
func (h *home) secret() (string, error) {
	password, err := h.readSecret()
	if !errors.Is(err, os.ErrNotExist) {
		return password, err
	}
	if h.initialised() {
		return "", fmt.Errorf("cluster: %s is missing beside its data", h.passwordFile())
	}
	password = rand.Text()
	return password, replace(h.passwordFile(), password)
}

func (h *home) readSecret() (string, error) {
	text, err := os.ReadFile(h.passwordFile())
	return strings.TrimSpace(string(text)), err
}

// replace writes a small file as a whole or not at all, for its owner alone.
func replace(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// initialised reports whether the data directory is there: it appears whole.
func (h *home) initialised() bool {
	_, err := os.Stat(h.data())
	return err == nil
}

func (h *home) unfinished() (string, error) { return os.MkdirTemp(h.dir, "data.new-") }

// clearUnfinished removes what killed starts left. Failing is no harm: each start has a name of its own.
func (h *home) clearUnfinished() {
	dirs, _ := filepath.Glob(filepath.Join(h.dir, "data.new-*"))
	for _, dir := range dirs {
		_ = os.RemoveAll(dir)
	}
}

// choosePort is the port of the last time, so that what was told to people stays true, or a free one
// when somebody else has it now.
func (h *home) choosePort() (int, error) {
	if port, err := h.readPort(); err == nil && vacant(port) {
		return port, nil
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("cluster: %w", err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	return port, replace(h.portFile(), strconv.Itoa(port))
}

func (h *home) readPort() (int, error) {
	text, err := os.ReadFile(h.portFile())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func vacant(port int) bool {
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
