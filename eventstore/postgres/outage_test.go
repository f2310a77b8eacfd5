package postgres

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres/cluster"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
	"gesta/migrations"
)

// TestAServerThatIsDownIsUnavailableAtOnce stops a server of its own and starts it again.
func TestAServerThatIsDownIsUnavailableAtOnce(t *testing.T) {
	t.Parallel()
	home := cluster.Options{Dir: t.TempDir()}
	server := start(t, home)
	if err := migrations.Up(t.Context(), server.URL("postgres"), DefaultSchema); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{
		URL: server.URL("postgres"), Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	wantAppend(t, s, 1)
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 3 {
		_, err := s.Append(ctx, someAppend(someStream(), 0))
		wantUnavailable(t, answer{err: err})
		_, err = s.Head(ctx)
		wantUnavailable(t, answer{err: err})
	}
	if ctx.Err() != nil {
		t.Error("it took them until the deadline")
	}
	if again := start(t, home); again.URL("") != server.URL("") {
		t.Skip("the server's port was taken by another")
	}
	wantAppend(t, s, 2)
	if position(t, s) != 2 {
		t.Error("the history is another")
	}
}

func start(t *testing.T, o cluster.Options) *cluster.Cluster {
	t.Helper()
	server, err := cluster.Start(t.Context(), o)
	if errors.Is(err, cluster.ErrNoPostgres) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	return server
}

// TestABrokenConnectionIsMadeAnew ends the appender's connection while it is idle: nobody notices.
func TestABrokenConnectionIsMadeAnew(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	for n := range int64(3) {
		wantAppend(t, s, n+1)
		terminate(t, s, s.appender.link.self)
	}
	wantAppend(t, s, 4)
}

// TestWhoMayEndNothingRecovers takes from the app the right to end its own connections.
func TestWhoMayEndNothingRecovers(t *testing.T) {
	t.Parallel()
	owner := pgtest.Database(t)
	_, err := connected(t, owner).Exec(t.Context(), "revoke execute on function pg_terminate_backend from public")
	if err != nil {
		t.Fatal(err)
	}
	s := opened(t, pgtest.AppLogin(t, owner))
	wantAppend(t, s, 1)
	before := s.appender.link.self
	terminate(t, opened(t, owner), before)
	wantAppend(t, s, 2)
	if s.appender.link.self == before {
		t.Error("the connection is the one before")
	}
}

func terminate(t *testing.T, s *Store, b backend) {
	t.Helper()
	if _, err := s.Pool().Exec(t.Context(), "select pg_terminate_backend($1, 10000)", int(b.pid)); err != nil {
		t.Fatal(err)
	}
}

// TestAServerThatStandsStill stops the process at the other end and continues it: first within the
// time a batch may take, then beyond it.
func TestAServerThatStandsStill(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	direct := opened(t, url)
	for _, timeout := range []time.Duration{time.Minute, 300 * time.Millisecond} {
		s, err := Open(t.Context(), Options{URL: url, Timeout: timeout, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		before := position(t, direct)
		stop := int(s.appender.link.self.pid)
		if err := syscall.Kill(stop, syscall.SIGSTOP); err != nil {
			t.Skipf("the server is none of ours: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.Append(ctx, someAppend(someStream(), 0))
		wantUnavailable(t, answer{err: err})
		if err := syscall.Kill(stop, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		appends := int64(1)
		wait.Until(t, "it appends again", func() bool {
			appends++ // One whose answer comes too late may have been committed.
			_, err := s.Append(t.Context(), someAppend(someStream(), 0))
			return err == nil
		})
		if after := position(t, direct); after > before+appends {
			t.Errorf("%d appends made %d events", appends, after-before)
		}
	}
}

// TestASilentNetworkIsGivenUp wants an answer for callers who set no deadline.
func TestASilentNetworkIsGivenUp(t *testing.T) {
	t.Parallel()
	s, direct, p := behind(t, 400*time.Millisecond)
	p.Stall()
	var told []<-chan answer
	for range 10 {
		told = append(told, begin(t.Context(), s, someAppend(someStream(), 0)))
	}
	for _, told := range told {
		wantUnavailable(t, <-told)
	}
	p.Flow()
	wait.Until(t, "it appends again", func() bool {
		_, err := s.Append(t.Context(), someAppend(someStream(), 0))
		return err == nil
	})
	events, err := direct.Read(t.Context(), 0, 100)
	if err != nil || len(events) == 0 || events[len(events)-1].Position != int64(len(events)) {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// TestCloseAnswersEverybody closes a store whose server does not answer.
func TestCloseAnswersEverybody(t *testing.T) {
	t.Parallel()
	s, _, p := behind(t, 400*time.Millisecond)
	p.Stall()
	var told []<-chan answer
	for range 10 {
		told = append(told, begin(t.Context(), s, someAppend(someStream(), 0)))
	}
	wait.Until(t, "one is in flight", func() bool { return p.Holds() > 0 })
	s.Close()
	for _, told := range told {
		wantUnavailable(t, <-told)
	}
	_, err := s.Append(t.Context(), someAppend(someStream(), 0))
	wantUnavailable(t, answer{err: err})
	s.Close()
}

// TestCloseCommitsWhatIsQueued closes a store that has more to do.
func TestCloseCommitsWhatIsQueued(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	var told []<-chan answer
	for range 500 {
		told = append(told, begin(t.Context(), s, someAppend(someStream(), 0)))
	}
	s.Close()
	done := int64(0)
	for _, told := range told {
		if got := <-told; got.err == nil {
			done++
		} else {
			wantUnavailable(t, got)
		}
	}
	if there := position(t, opened(t, url)); there != done {
		t.Errorf("%d were told that they are there, and %d are", done, there)
	}
}

// TestChaos cuts, stalls and robs the connections of two stores while writers append, and wants every
// append that was answered to be there once, and none of the others twice.
func TestChaos(t *testing.T) {
	t.Parallel()
	url := pgtest.AppLogin(t, pgtest.Database(t))
	direct := opened(t, url)
	var stores []*Store
	var proxies []*pgtest.Proxy
	for range 2 {
		p, through := pgtest.NewProxy(t, url)
		s, err := Open(t.Context(), Options{
			URL: through, Timeout: 500 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		stores, proxies = append(stores, s), append(proxies, p)
	}
	done := make(chan struct{})
	var trouble, writers sync.WaitGroup
	for _, p := range proxies {
		trouble.Go(func() { disturb(p, done) })
	}
	told := make([][]eventstore.Recorded, 16)
	for i := range told {
		writers.Go(func() { told[i] = persist(t, stores[i%2], direct, 40) })
	}
	writers.Wait()
	close(done)
	trouble.Wait()
	events, err := direct.Read(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, told := range told {
		for _, e := range told {
			if n := e.Position; n > int64(len(events)) || events[n-1].ID != e.ID {
				t.Errorf("what was told to stand at %d is not there", n)
			}
		}
	}
	once := map[id.Event]int64{}
	for i, e := range events {
		if first, twice := once[e.ID]; twice || e.Position != int64(i)+1 {
			t.Errorf("event %v stands at %d and at %d", e.ID, first, e.Position)
		}
		once[e.ID] = e.Position
	}
}

// disturb does something bad to the connections every few milliseconds, and lets them flow again.
func disturb(p *pgtest.Proxy, done <-chan struct{}) {
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	defer p.Flow()
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		switch rand.N(6) {
		case 0:
			p.Cut()
		case 1:
			p.LoseAnswers()
		case 2:
			p.HoldAfter(rand.N(2000))
		case 3:
			p.Desert()
		case 4:
			p.Stall()
		default:
			p.Flow()
		}
	}
}

// persist appends to a stream until so many appends are there, and looks where the stream is whenever
// it isn't told. It answers what it was told of.
func persist(t *testing.T, s, direct *Store, events int64) (told []eventstore.Recorded) {
	stream := someStream()
	for version := int64(0); version < events; {
		a := someAppend(stream, version)
		a.Writes[0].Take = []eventstore.Claim{claimOf(stream, version)}
		if version > 0 {
			a.Writes[0].Release = []eventstore.Claim{claimOf(stream, version-1)}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		r, err := s.Append(ctx, a)
		cancel()
		switch {
		case err == nil:
			version++
			e := a.Writes[0].Events[0]
			told = append(told, eventstore.Recorded{NewEvent: e, Position: r.First})
		case errors.Is(err, eventstore.ErrUnavailable):
			version = max(version, versionOf(t, direct, stream))
		default:
			if conflict, ok := errors.AsType[*eventstore.Conflict](err); !ok || conflict.Actual != version+1 {
				t.Errorf("at %d: %v", version, err)
				return told
			}
			version++
		}
	}
	return told
}

func claimOf(s domain.Stream, version int64) eventstore.Claim {
	return eventstore.Claim{Scope: eventstore.Hash(s.ID), Name: eventstore.Hash{byte(version)}}
}

func versionOf(t *testing.T, s *Store, stream domain.Stream) int64 {
	events, err := s.ReadStream(t.Context(), stream, 0, 1000)
	if err != nil {
		t.Error(err)
	}
	return int64(len(events))
}
