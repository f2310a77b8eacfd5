package cluster

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// parentOf names the home of the cluster that this test binary is to be the parent of, instead of
// running tests: the parent that a test can kill.
const parentOf = "GESTA_TEST_PARENT_OF"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentOf); dir != "" {
		beParent(dir)
	}
	m.Run()
}

// beParent starts a cluster, commits a fact, says so, and waits to be killed.
func beParent(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := Start(ctx, Options{Dir: dir, Durable: true})
	if err == nil {
		err = commit(ctx, c.URL("postgres"))
	}
	fmt.Println("committed:", err)
	select {}
}

func commit(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "create table kept as select 'said' as word")
	return err
}

// startParent runs a parent until it has committed.
func startParent(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentOf+"="+dir, "PG_BIN="+needPostgres(t).Dir)
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	line, _ := bufio.NewReader(said).ReadString('\n')
	if strings.TrimSpace(line) != "committed: <nil>" {
		t.Fatalf("the parent says %q", line)
	}
	return cmd
}

func kill(parent *exec.Cmd) {
	_ = parent.Process.Kill()
	_ = parent.Wait()
}

func TestTheServerEndsWithAKilledParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells children of their parent's death")
	}
	dir := folder(t)
	parent := startParent(t, dir)
	h, err := homeAt(dir)
	if err != nil {
		t.Fatal(err)
	}
	pid, running := h.postmaster()
	if !running {
		t.Fatal("no server runs")
	}
	kill(parent)
	err = until(patience(t), 10*time.Millisecond, func() (bool, error) { return !h.serves(pid), nil })
	if err != nil {
		t.Errorf("server %d outlives its parent", pid)
	}
}

func TestAStartRightAfterTheParentWasKilled(t *testing.T) {
	dir := folder(t)
	parent := startParent(t, dir)
	kill(parent)
	c := mustStart(t, Options{Dir: dir, Durable: true})
	if got := ask(t, c.URL("postgres"), "select word from kept"); got != "said" {
		t.Errorf("kept %q", got)
	}
}

// TestAServerThatOutlivesItsParentIsTakenOver is the way of systems that do not tell children of
// their parent's death; here an orphan stands for such a server.
func TestAServerThatOutlivesItsParentIsTakenOver(t *testing.T) {
	dir := folder(t)
	c := mustStart(t, Options{Dir: dir, Durable: true})
	c.home.lock.Close() // the orphan's parent no longer holds the lock
	second := mustStart(t, Options{Dir: dir, Durable: true})
	if got := ask(t, second.URL("postgres"), "select 'reached'"); got != "reached" {
		t.Errorf("it says %q", got)
	}
	if !c.server.ended() {
		t.Error("two servers run")
	}
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
}

// openTempDir is a temporary folder that every user may enter, unlike t.TempDir's.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gesta-cluster-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAllThisAsNobody runs the tests of whole lives again in a process that is not root.
func TestAllThisAsNobody(t *testing.T) {
	requireRoot(t)
	nobody, err := lookUp("nobody")
	if err != nil {
		t.Skip(err)
	}
	dir, binaries := openTempDir(t), needPostgres(t)
	program := filepath.Join(dir, "cluster.test")
	copyFile(t, os.Args[0], program)
	as := switched(nobody)
	if err := as.own(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := as.probe(patience(t), binaries, dir); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(program, "-test.run=Durable|ThrowAway|KilledParent|ParentWasKilled|Attach|ServerThat")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "PG_BIN="+binaries.Dir, "CI=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	as.apply(cmd.SysProcAttr)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, said)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRootWithoutNamespaces is root where the kernel refuses user namespaces, and then where it does
// not any more, with the same home.
func TestRootWithoutNamespaces(t *testing.T) {
	requireRoot(t)
	dir, binaries := folder(t), needPostgres(t)
	o := Options{Dir: dir, Durable: true, Binaries: binaries}
	refused := identity{name: "nobody's business", apply: func(attr *syscall.SysProcAttr) { attr.Chroot = "/missing" }}
	if _, err := switched(unprivileged()).probe(patience(t), binaries, dir); err != nil {
		t.Skip(err)
	}
	c, err := start(patience(t), o, []identity{refused, switched(unprivileged())})
	if err != nil {
		t.Fatal(err)
	}
	tell(t, c.URL("postgres"), "create table kept as select 'said' as word")
	stop(t, c)
	if got := ask(t, mustStart(t, o).URL("postgres"), "select word from kept"); got != "said" {
		t.Errorf("kept %q", got)
	}
}

func TestWhoeverCannotRunPostgresIsNamed(t *testing.T) {
	refused := identity{name: "nobody's business", apply: func(attr *syscall.SysProcAttr) { attr.Chroot = "/missing" }}
	o := Options{Dir: folder(t), Binaries: scripts(t, "", saysFifteen)}
	_, err := start(patience(t), o, []identity{refused})
	if err == nil || !strings.Contains(err.Error(), "as nobody's business") {
		t.Errorf("the error is %v", err)
	}
}
