package counter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gesta/domain"
	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
	"gesta/http/web"
	"gesta/http/web/counter"
)

var ends = time.Now().Add(time.Hour)

// countingOn is a replica's counter, which waits as long as a busy machine may take.
func countingOn(t testing.TB, n *relaytest.NATS) *counter.Counter {
	t.Helper()
	return counting(t, n.Connect(), counter.Options{Longest: time.Hour, Wait: time.Minute})
}

func counting(t testing.TB, nc *nats.Conn, o counter.Options) *counter.Counter {
	t.Helper()
	o.Key, o.Log = []byte("a key for tests"), slog.New(slog.DiscardHandler)
	c, err := counter.New(nc, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func expect(t *testing.T, c *counter.Counter, key string, n, want int) {
	t.Helper()
	if got, err := c.Add(t.Context(), key, n, ends); err != nil || got != want {
		t.Errorf("%q: %d, not %d: %v", key, got, want, err)
	}
}

func TestCountsAreShared(t *testing.T) {
	t.Parallel()
	n := relaytest.Start(t)
	a, b := countingOn(t, n), countingOn(t, n)
	expect(t, a, "ann", 1, 1)
	expect(t, b, "ann", 1, 2)
	expect(t, b, "bob", 1, 1)
	expect(t, a, "ann", -1, 1)
	if got, err := a.Add(t.Context(), "ann", 1, ends.Add(time.Hour)); err != nil || got != 1 {
		t.Errorf("the next window: %d %v", got, err)
	}
}

// replica serves one row that takes a name and a password, which is never right.
func replica(l *web.Limiter) http.Handler {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = web.Problems.Refuse(c.Response(), web.FaultOf(err)) }
	type login struct {
		Email string `json:"email"`
	}
	reading := web.Takes(func(_ *web.Request, in login) (login, error) { return in, nil }).Names(func(in login) string { return in.Email })
	route := web.Post("/login", web.Anyone, web.Do(reading, func(context.Context, login) error {
		return &domain.Fault{Kind: domain.Unauthenticated, Code: "wrong", Text: "wrong", Guess: true}
	}))
	surface := web.Surface{Name: "s", Routes: []web.Route{route}}
	e.Add(route.Method, route.Path, web.Host{Limits: l}.Serve(surface, route))
	return e
}

func try(h http.Handler, address, email string) int {
	r := httptest.NewRequestWithContext(context.Background(), "POST", "/login", strings.NewReader(`{"email":"`+email+`"}`))
	r.RemoteAddr = address + ":1"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// Two replicas race for a stream that is not there, and let through exactly as many as one would: of one address, and of
// one account from many addresses.
func TestReplicasCountTogether(t *testing.T) {
	t.Parallel()
	const most, tries = 25, 120
	for name, address := range map[string]func(int) string{
		"one address":    func(int) string { return "10.0.0.1" },
		"many addresses": func(i int) string { return fmt.Sprintf("10.0.%d.1", i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := relaytest.Start(t)
			limits, now := web.Limits{"s POST /login": {Requests: most, Per: time.Hour}}, time.Now()
			var replicas []http.Handler
			for range 2 {
				replicas = append(replicas, replica(&web.Limiter{Limits: limits, Counter: countingOn(t, n), Now: func() time.Time { return now }}))
			}
			var passed atomic.Int64
			var all sync.WaitGroup
			for i := range tries {
				all.Go(func() {
					if try(replicas[i%2], address(i), "ann@example.com") == 401 {
						passed.Add(1)
					}
				})
			}
			all.Wait()
			if passed.Load() != most {
				t.Errorf("%d passed, not %d", passed.Load(), most)
			}
		})
	}
}

// A stream that is lost is made again by whoever asks next.
func TestALostStreamIsMadeAnew(t *testing.T) {
	t.Parallel()
	n := relaytest.Start(t)
	c := countingOn(t, n)
	expect(t, c, "ann", 1, 1)
	if err := n.JetStream().DeleteStream(t.Context(), counter.Stream); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "ann", 1, 1)
	expect(t, c, "ann", 1, 2)
}

// reason is why nothing was counted.
func reason(c *counter.Counter) web.Uncounted {
	_, err := c.Add(context.Background(), "ann", 1, ends)
	var u web.Uncounted
	errors.As(err, &u)
	return u
}

// While NATS is away nobody waits, and when it is back there is a stream again.
func TestNATSIsAway(t *testing.T) {
	t.Parallel()
	n := relaytest.Start(t)
	nc := n.Connect()
	c := counting(t, nc, counter.Options{Longest: time.Hour, Wait: time.Minute})
	expect(t, c, "ann", 1, 1)
	metrics := prometheus.NewRegistry()
	l := &web.Limiter{Limits: web.Limits{"s POST /login": {Requests: 1, Per: time.Hour}}, Counter: c, Now: time.Now}
	l.Observe(metrics)
	n.Stop()
	wait.Until(t, "the connection is lost", func() bool { return !nc.IsConnected() })
	h, began := replica(l), time.Now()
	for range 1000 {
		if status := try(h, "10.0.0.1", "ann@example.com"); status != 401 {
			t.Fatalf("%d", status)
		}
	}
	if took := time.Since(began); took > 20*time.Second { // With waits it were 200 s at least.
		t.Errorf("requests waited: %s", took)
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if line := `gesta_rate_limit_uncounted_total{reason="away"} 2000`; !strings.Contains(w.Body.String(), line) {
		t.Errorf("not %s: %s", line, w.Body)
	}
	n.Start()
	wait.Until(t, "requests are counted again", func() bool { return reason(c) == "" })
}

// Who does not answer is waited for once, and asked again after a while. Where somebody listens to all subjects, NATS
// does not say that there is no stream.
func TestASilentNATSIsNotWaitedForAgain(t *testing.T) {
	t.Parallel()
	n := relaytest.Start(t)
	nc := n.Connect()
	if _, err := nc.Subscribe(">", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c, began := counting(t, n.Connect(), counter.Options{Longest: time.Hour}), time.Now()
	if got := reason(c); got != "slow" {
		t.Errorf("%q", got)
	}
	if got := reason(c); got != "paused" && time.Since(began) < time.Second {
		t.Errorf("asked again at once: %q", got)
	}
	wait.Until(t, "requests are counted again", func() bool { return reason(c) == "" })
}

// Nobody may take counts for something else, nor keep them from being made.
func TestAStreamThatIsNoneOfCounters(t *testing.T) {
	t.Parallel()
	n := relaytest.Start(t)
	if _, err := n.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"gesta.>"}}); err != nil {
		t.Fatal(err)
	}
	c := countingOn(t, n)
	c.Prepare(t.Context())
	if got := reason(c); got != "failed" {
		t.Errorf("%q", got)
	}
}

// NATS learns neither addresses nor accounts, and what it holds is bounded.
func TestWhatNATSHolds(t *testing.T) {
	t.Parallel()
	n := relaytest.Start(t)
	var seen []*nats.Msg
	var mu sync.Mutex
	nc := n.Connect()
	if _, err := nc.Subscribe(">", func(m *nats.Msg) { mu.Lock(); seen = append(seen, m); mu.Unlock() }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c := countingOn(t, n)
	c.Prepare(t.Context())
	h := replica(&web.Limiter{Limits: web.Limits{"s POST /login": {Requests: 500, Per: time.Hour}}, Counter: c, Now: func() time.Time { return ends }})
	for range 200 {
		try(h, "198.51.100.77", "ann@example.com")
	}
	info := infoOf(t, n)
	if info.State.Msgs != 2 || info.State.Bytes > 1000 {
		t.Errorf("400 counts of two are %d messages of %d bytes", info.State.Msgs, info.State.Bytes)
	}
	is := info.Config
	if is.Storage != jetstream.MemoryStorage || is.MaxMsgs != 1<<18 || is.MaxBytes != 64<<20 || is.MaxAge != time.Hour+time.Minute || is.Discard != jetstream.DiscardOld {
		t.Errorf("%+v", is)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "all is seen", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) >= 800 })
	mu.Lock()
	defer mu.Unlock()
	for _, m := range seen {
		all := strings.ToLower(fmt.Sprint(m.Subject, m.Header, string(m.Data)))
		for _, secret := range []string{"198.51.100", "ann@example", "example.com", "post /login"} {
			if strings.Contains(all, secret) {
				t.Fatalf("%q is told in %s", secret, all)
			}
		}
	}
}

func infoOf(t *testing.T, n *relaytest.NATS) *jetstream.StreamInfo {
	t.Helper()
	s, err := n.JetStream().Stream(t.Context(), counter.Stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo()
}

// Whoever asks more from more addresses than is held drops the oldest counts, and only those.
func TestTheOldestCountsGoFirst(t *testing.T) {
	t.Parallel()
	n := relaytest.Start(t)
	c := countingOn(t, n)
	c.Prepare(t.Context())
	is := infoOf(t, n).Config
	is.MaxMsgs = 100
	if _, err := n.JetStream().UpdateStream(t.Context(), is); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "old", 1, 1)
	expect(t, c, "used", 1, 1)
	for i := range 150 {
		expect(t, c, fmt.Sprint("caller", i), 1, 1)
		expect(t, c, "used", 1, i+2)
	}
	expect(t, c, "old", 1, 1)
	if info := infoOf(t, n); info.State.Msgs != 100 {
		t.Errorf("%d messages", info.State.Msgs)
	}
}

// A start lengthens what counts are kept for, and never shortens it: other replicas may have other settings.
func TestAStreamKeepsTheLongestWindow(t *testing.T) {
	t.Parallel()
	n := relaytest.Start(t)
	for _, c := range []struct{ longest, kept time.Duration }{
		{time.Minute, 2 * time.Minute}, {time.Hour, time.Hour + time.Minute}, {time.Minute, time.Hour + time.Minute},
	} {
		counting(t, n.Connect(), counter.Options{Longest: c.longest}).Prepare(t.Context())
		if kept := infoOf(t, n).Config.MaxAge; kept != c.kept {
			t.Errorf("%s: %s", c.longest, kept)
		}
	}
}

// What a request costs that is limited per address and per account, and what of that is counting.
func BenchmarkLimitedRequest(b *testing.B) {
	limits := web.Limits{"s POST /login": {Requests: 1 << 40, Per: time.Hour}}
	for name, l := range map[string]*web.Limiter{
		"unlimited":    {Now: time.Now},
		"this process": {Limits: limits, Counter: &web.Counts{Now: time.Now}, Now: time.Now},
		"together":     {Limits: limits, Counter: countingOn(b, relaytest.Start(b)), Now: time.Now},
	} {
		h := replica(l)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if status := try(h, "10.0.0.1", "ann@example.com"); status != 401 {
					b.Fatal(status)
				}
			}
		})
	}
}
