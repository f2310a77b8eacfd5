package leader_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gesta/eventstore/leader"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

// Set in the environment of a process that only leads, until it is killed.
const leadAt = "GESTA_TEST_LEAD_AT"

func TestMain(m *testing.M) {
	if url := os.Getenv(leadAt); url != "" {
		err := candidate(url).Lead(context.Background(), func(ctx context.Context) error {
			fmt.Println("leading")
			<-ctx.Done()
			return nil
		})
		fmt.Println(err)
		return
	}
	pgtest.Main(m)
}

func candidate(url string) leader.Postgres {
	return leader.Postgres{URL: url, Name: "relay", Log: slog.New(slog.DiscardHandler)}
}

// term is one candidate in a test: it counts how often it came to lead.
type term struct {
	t      *testing.T
	begun  atomic.Int32
	leads  atomic.Bool
	stop   func()
	result error
}

func stand(t *testing.T, p leader.Postgres) *term {
	ctx, cancel := context.WithCancel(context.Background())
	m, done := &term{t: t}, make(chan struct{})
	go func() {
		defer close(done)
		m.result = p.Lead(ctx, func(ctx context.Context) error {
			m.begun.Add(1)
			m.leads.Store(true)
			<-ctx.Done()
			m.leads.Store(false)
			return ctx.Err()
		})
	}()
	m.stop = func() { cancel(); <-done }
	t.Cleanup(m.stop)
	return m
}

// database checks in the end that nothing is left running.
func database(t *testing.T) string {
	url := pgtest.Database(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	return url
}

func TestOneLeadsAtATime(t *testing.T) {
	url := database(t)
	first := stand(t, candidate(url))
	wait.Until(t, "the first leads", first.leads.Load)
	second := stand(t, candidate(url))
	other := candidate(url)
	other.Name = "projector"
	third := stand(t, other)
	wait.Until(t, "another name leads besides", third.leads.Load)
	wait.Until(t, "the second stands", func() bool { return sessions(t, url) == 3 })
	if second.leads.Load() {
		t.Fatal("two lead")
	}
	first.stop()
	wait.Until(t, "the second leads", second.leads.Load)
	if !errors.Is(first.result, context.Canceled) {
		t.Errorf("the first ended with %v", first.result)
	}
}

const candidates = " from pg_stat_activity where application_name like 'gesta leader %' and datname = current_database()"

func sessions(t *testing.T, url string) int { return len(pgtest.Rows(t, url, "select ''"+candidates)) }

func TestLostConnectionIsLostLeadership(t *testing.T) {
	url := database(t)
	first := stand(t, candidate(url))
	wait.Until(t, "it leads", first.leads.Load)
	pgtest.Exec(t, url, "select pg_terminate_backend(pid)"+candidates)
	wait.Until(t, "it leads again", func() bool { return first.begun.Load() == 2 && first.leads.Load() })
}

// elsewhere is a leader in another process.
func elsewhere(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), leadAt+"="+url)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = other.Process.Kill()
		_ = other.Wait() // It says that it was killed.
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "leading\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return other
}

// replaced does something to a leader, and answers how long it takes until another one leads.
func replaced(t *testing.T, url string, by func(*os.Process) error) time.Duration {
	t.Helper()
	leading := elsewhere(t, url)
	before := sessions(t, url)
	next := stand(t, candidate(url))
	wait.Until(t, "the next stands", func() bool { return sessions(t, url) > before })
	if next.leads.Load() {
		t.Fatal("two lead")
	}
	if err := by(leading.Process); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	wait.Until(t, "the next leads", next.leads.Load)
	return time.Since(at)
}

func TestKilledLeaderIsReplacedSoon(t *testing.T) {
	if took := replaced(t, database(t), (*os.Process).Kill); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A process that was stopped keeps its connections; it must not keep the lock. One that only has nothing
// to do keeps it.
func TestHungLeaderIsReplaced(t *testing.T) {
	url := database(t)
	idle := candidate(url)
	idle.Name = "projector"
	first := stand(t, idle)
	wait.Until(t, "the idle one leads", first.leads.Load)
	second := stand(t, idle)
	if took := replaced(t, url, func(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }); took < 4*time.Second {
		t.Errorf("it hung for no more than %s", took)
	}
	if second.leads.Load() || first.begun.Load() != 1 {
		t.Error("the idle one was deposed")
	}
}

func TestSilentConnectionIsLostLeadership(t *testing.T) {
	url := database(t)
	proxy, through := pgtest.NewProxy(t, url)
	first := stand(t, candidate(through))
	wait.Until(t, "it leads", first.leads.Load)
	proxy.Stall()
	wait.Until(t, "it leads no more", func() bool { return !first.leads.Load() })
	proxy.Flow()
	proxy.Cut()
	wait.Until(t, "it leads again", first.leads.Load)
}

func TestEndsWithWhatWasDone(t *testing.T) {
	wrong := errors.New("wrong")
	err := candidate(database(t)).Lead(context.Background(), func(context.Context) error { return wrong })
	if err != wrong {
		t.Errorf("got %v", err)
	}
}

func TestWaitsForAServerThatIsAway(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithTimeout(context.Background(), 600*time.Millisecond)
	defer cancel()
	err := candidate("postgres://127.0.0.1:1/none").Lead(ctx, func(context.Context) error {
		t.Error("it leads")
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestRefusesAURLThatIsNone(t *testing.T) {
	if err := candidate("postgres://%zz").Lead(context.Background(), nil); err == nil {
		t.Error("it waits")
	}
}
