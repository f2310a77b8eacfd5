package cluster

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds what a test waits for; nothing here takes more than seconds.
func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func needPostgres(t *testing.T) Binaries {
	t.Helper()
	binaries, err := Find(patience(t))
	switch {
	case errors.Is(err, ErrNoPostgres) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return binaries
}

// folder is where a cluster can be made fast; how much a disk keeps is not tested here.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := makeTemporary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func mustStart(t *testing.T, o Options) *Cluster {
	t.Helper()
	o.Binaries = needPostgres(t)
	c, err := Start(patience(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t *testing.T, c *Cluster) {
	t.Helper()
	if err := c.Stop(patience(t)); err != nil {
		t.Error(err)
	}
}

// ask runs a statement on a connection of its own and answers the first column of its first row.
func ask(t *testing.T, url, sql string) string {
	t.Helper()
	ctx := patience(t)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var answer string
	if err := conn.QueryRow(ctx, sql).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

func tell(t *testing.T, url, sql string) {
	t.Helper()
	ctx := patience(t)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestADurableClusterKeepsItsDataAndItsAddress(t *testing.T) {
	dir := filepath.Join(folder(t), "not", "yet", "there")
	first := mustStart(t, Options{Dir: dir, Durable: true})
	tell(t, first.URL("postgres"), "create table kept as select 'said' as word")
	stop(t, first)
	if first.Err() != nil {
		t.Errorf("a server that was stopped has nothing to explain: %v", first.Err())
	}

	second := mustStart(t, Options{Dir: dir, Durable: true})
	if got := ask(t, second.URL("postgres"), "select word from kept"); got != "said" {
		t.Errorf("kept %q", got)
	}
	if first.URL("postgres") != second.URL("postgres") && vacant(first.address.port) { // Others ask for free ports as well.
		t.Errorf("the address changed from %s to %s", first.URL("postgres"), second.URL("postgres"))
	}
}

func TestHowServersAreSetUp(t *testing.T) {
	durable := mustStart(t, Options{Dir: folder(t), Durable: true})
	throwAway := mustStart(t, Options{})
	for _, want := range []struct {
		cluster        *Cluster
		setting, value string
	}{
		{durable, "fsync", "on"},
		{durable, "synchronous_commit", "on"},
		{durable, "full_page_writes", "on"},
		{durable, "data_checksums", "on"},
		{durable, "max_connections", "100"},
		{durable, "listen_addresses", "127.0.0.1"},
		{durable, "unix_socket_directories", ""},
		{durable, "server_encoding", "UTF8"},
		{throwAway, "fsync", "off"},
		{throwAway, "synchronous_commit", "off"},
		{throwAway, "full_page_writes", "off"},
		{throwAway, "max_connections", "300"},
		{throwAway, "listen_addresses", "127.0.0.1"},
	} {
		if got := ask(t, want.cluster.URL("postgres"), "show "+want.setting); got != want.value {
			t.Errorf("%s is %q, not %q", want.setting, got, want.value)
		}
	}
}

func TestNobodyComesInWithoutThePassword(t *testing.T) {
	c := mustStart(t, Options{})
	impostor := Address{port: c.address.port, password: "guessed"}
	if err := ping(patience(t), impostor.URL("postgres")); hopeless(err) == nil {
		t.Errorf("the server let an impostor in, or failed otherwise: %v", err)
	}
	info, err := os.Stat(c.home.passwordFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password's file has mode %v (%v)", info.Mode(), err)
	}
}

func TestAThrowAwayClusterLeavesNothing(t *testing.T) {
	c := mustStart(t, Options{})
	stop(t, c)
	if _, err := os.Stat(c.home.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", c.home.dir, err)
	}
}

func TestADurableClusterNeedsAFolder(t *testing.T) {
	if c, err := Start(patience(t), Options{Durable: true, Binaries: Binaries{Dir: "/unused"}}); err == nil {
		stop(t, c)
		t.Error("it started without one")
	}
}

func TestATakenPortIsGivenUp(t *testing.T) {
	dir := folder(t)
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	if err := replace(filepath.Join(dir, "port"), strconv.Itoa(port)); err != nil {
		t.Fatal(err)
	}
	if c := mustStart(t, Options{Dir: dir}); c.address.port == port {
		t.Errorf("two listen on port %d", port)
	}
}

func TestOneHomeHasOneOwner(t *testing.T) {
	c := mustStart(t, Options{Dir: folder(t)})
	second, err := Start(patience(t), Options{Dir: c.home.dir, Binaries: needPostgres(t)})
	if !errors.Is(err, ErrRunning) {
		t.Errorf("the second start got %v, %v", second, err)
	}
}

func TestAttach(t *testing.T) {
	dir := folder(t)
	for _, nowhere := range []string{dir, filepath.Join(dir, "missing")} {
		if _, err := Attach(nowhere); !errors.Is(err, ErrNotRunning) {
			t.Errorf("before the start: %v", err)
		}
	}
	c := mustStart(t, Options{Dir: dir})
	found, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, found.URL("postgres"), "select 'reached'"); got != "reached" {
		t.Errorf("it says %q", got)
	}
	stop(t, c)
	if _, err := Attach(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestAServerThatDiesIsNoticedAndCanBeStartedAgain(t *testing.T) {
	dir := folder(t)
	c := mustStart(t, Options{Dir: dir, Durable: true})
	tell(t, c.URL("postgres"), "create table kept as select 'said' as word")
	if c.Err() != nil {
		t.Errorf("a running server already explains its end: %v", c.Err())
	}
	c.server.signal(syscall.SIGKILL)
	select {
	case <-c.Done():
	case <-patience(t).Done():
		t.Fatal("nobody noticed")
	}
	if c.Err() == nil || !strings.Contains(c.Err().Error(), "killed") {
		t.Errorf("it explains its end as %v", c.Err())
	}

	again := mustStart(t, Options{Dir: dir, Durable: true})
	if got := ask(t, again.URL("postgres"), "select word from kept"); got != "said" {
		t.Errorf("kept %q", got)
	}
}

func TestAPidFileThatNamesAStrangerDoesNotBlock(t *testing.T) {
	dir := folder(t)
	c := mustStart(t, Options{Dir: dir})
	stop(t, c)
	for name, pid := range map[string]string{"init": "1", "nobody": "2147483646", "no number": "?"} {
		text := pid + "\n" + c.home.data() + "\n1\n5432\n\n127.0.0.1\n0 0\nready   \n"
		if err := os.WriteFile(c.home.pidFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Attach(dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: Attach takes it for a server: %v", name, err)
		}
		if pid == "?" {
			continue // Postgres itself refuses a pid file that holds no number.
		}
		stop(t, mustStart(t, Options{Dir: dir}))
	}
}

func TestAFailedStartSaysWhatTheServerSaid(t *testing.T) {
	dir := folder(t)
	c := mustStart(t, Options{Dir: dir})
	stop(t, c)
	conf := filepath.Join(c.home.data(), "postgresql.conf")
	if err := os.WriteFile(conf, []byte("no_such_setting = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(patience(t), Options{Dir: dir, Binaries: needPostgres(t)})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("the error is %v", err)
	}
}

func TestDataWithoutItsPasswordIsRefused(t *testing.T) {
	dir := folder(t)
	c := mustStart(t, Options{Dir: dir})
	stop(t, c)
	if err := os.Remove(c.home.passwordFile()); err != nil {
		t.Fatal(err)
	}
	_, err := Start(patience(t), Options{Dir: dir, Binaries: needPostgres(t)})
	if err == nil || !strings.Contains(err.Error(), "password is missing") {
		t.Errorf("the error is %v", err)
	}
}

func TestAPasswordTheServerDoesNotKnowIsNotWaitedFor(t *testing.T) {
	dir := folder(t)
	c := mustStart(t, Options{Dir: dir})
	stop(t, c)
	if err := replace(c.home.passwordFile(), "another"); err != nil {
		t.Fatal(err)
	}
	_, err := Start(patience(t), Options{Dir: dir, Binaries: needPostgres(t)})
	if err == nil || !strings.Contains(err.Error(), "refuses its own superuser") {
		t.Errorf("the error is %v", err)
	}
}

func TestAStopThatMayNotWaitStillEndsTheServer(t *testing.T) {
	c := mustStart(t, Options{})
	hurried, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Stop(hurried); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if !c.server.ended() {
		t.Error("the server runs on")
	}
}

// scripts makes a folder of programs that say and do what a test needs.
func scripts(t *testing.T, initdb, postgres string) Binaries {
	t.Helper()
	dir := openTempDir(t)
	for name, text := range map[string]string{"initdb": initdb, "postgres": postgres} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return Binaries{Dir: dir}
}

const saysFifteen = "echo 'postgres (PostgreSQL) 15.1'"

func TestAnUnfinishedInitdbLeavesNothing(t *testing.T) {
	dir := folder(t)
	left := filepath.Join(dir, "data.new-of-a-killed-start")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(patience(t))
	defer cancel()
	go func() {
		_ = until(ctx, time.Millisecond, func() (bool, error) { _, err := os.Stat(filepath.Join(dir, "begun")); return err == nil, nil })
		cancel()
	}()
	_, err := Start(ctx, Options{Dir: dir, Binaries: scripts(t, ": >begun; exec sleep 1000", saysFifteen)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "data*")); len(found) > 0 {
		t.Errorf("there is still %v", found)
	}
}

func TestAFailedInitdbSaysWhy(t *testing.T) {
	o := Options{Dir: folder(t), Binaries: scripts(t, "echo no room; exit 1", saysFifteen)}
	if _, err := Start(patience(t), o); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("the error is %v", err)
	}
}

func TestAnOldPostgresIsRefused(t *testing.T) {
	o := Options{Dir: folder(t), Binaries: scripts(t, "", "echo 'postgres (PostgreSQL) 13.4'")}
	_, err := Start(patience(t), o)
	if err == nil || !strings.Contains(err.Error(), "(PostgreSQL) 13.4") || !strings.Contains(err.Error(), "15 or newer") {
		t.Errorf("the error is %v", err)
	}
}

func TestDataOfAnotherVersionIsRefused(t *testing.T) {
	dir := folder(t)
	c := mustStart(t, Options{Dir: dir})
	stop(t, c)
	_, err := Start(patience(t), Options{Dir: dir, Binaries: scripts(t, "", "echo 'postgres (PostgreSQL) 999.1'")})
	if err == nil || !strings.Contains(err.Error(), "holds Postgres 999") {
		t.Errorf("the error is %v", err)
	}
}

func TestTheSweepTakesOnlyWhatWasLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	long := time.Now().Add(-2 * time.Hour)
	homes := map[string]*home{}
	for _, name := range []string{"left", "used", "new"} {
		h := &home{dir: filepath.Join(os.TempDir(), temporaryPrefix+name)}
		if err := os.MkdirAll(h.data(), 0o700); err != nil {
			t.Fatal(err)
		}
		homes[name] = h
	}
	if err := homes["used"].acquire(); err != nil {
		t.Fatal(err)
	}
	defer homes["used"].leave()
	for _, name := range []string{"left", "used"} {
		if err := os.Chtimes(homes[name].dir, long, long); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	for name, kept := range map[string]bool{"left": false, "used": true, "new": true} {
		if homes[name].initialised() != kept {
			t.Errorf("%s: kept is %v", name, !kept)
		}
	}
}

func TestALongLogIsBegunAnew(t *testing.T) {
	h := &home{dir: t.TempDir()}
	name := filepath.Join(h.dir, "postgres.log")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, logLimit+1); err != nil {
		t.Fatal(err)
	}
	l, err := h.openLog()
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	if info, err := os.Stat(name + ".old"); err != nil || info.Size() != logLimit+1 || l.offset != 0 {
		t.Errorf("the old log: %v, %v; the new one begins at %d", info, err, l.offset)
	}
}

func TestTheTailIsThisServersLastLines(t *testing.T) {
	h := &home{dir: t.TempDir()}
	before, err := h.openLog()
	if err != nil {
		t.Fatal(err)
	}
	defer before.file.Close()
	before.file.WriteString("of the server before\n")
	l, err := h.openLog()
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	for i := range 100 {
		l.file.WriteString("line " + strconv.Itoa(i) + "\n")
	}
	lines := strings.Split(l.tail(), "\n")
	if len(lines) != tailLines || lines[tailLines-1] != "line 99" {
		t.Errorf("the tail is %q", lines)
	}
	if strings.Contains(before.tail(), "line 0\n") {
		t.Errorf("the tail of a long log is long: %q", before.tail())
	}
}

func TestTMPDIRDecidesWhereThrowAwayHomesLie(t *testing.T) {
	for _, set := range []string{t.TempDir(), ""} {
		t.Setenv("TMPDIR", set)
		want := os.TempDir()
		if set == "" && plenty(memory) {
			want = memory
		}
		if dir := folder(t); filepath.Dir(dir) != want {
			t.Errorf("TMPDIR=%q: %s", set, dir)
		}
	}
}
