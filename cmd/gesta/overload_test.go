package main

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gesta/cmd/gesta/loadgen"
	"gesta/eventstore/wait"
)

// overloadTime is how long the overload lasts; `make overload` sets it to two minutes.
func overloadTime(t *testing.T) time.Duration {
	d, err := time.ParseDuration(cmp.Or(os.Getenv("GESTA_TEST_OVERLOAD"), "3s"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// More workers than a process lets in, or there would be no overload.
const overloadWorkers = 1000

// At twice what it can do, a process refuses what is too much at once, answers the rest in time, stays
// small, stays healthy, and is normal again as soon as the load is. Nothing else runs meanwhile: it
// would change what the process can do.
func TestOverload(t *testing.T) {
	i := install(t)
	i.env = append(slices.Clone(i.env), "BCRYPT_COST=8", "GESTA_LOG_LEVEL=warn")
	p, address := i.serveQuietly(t)
	l := mixed(t, address)
	capacity := capacity(l, overloadTime(t)/4)
	healthy := watchHealth(t, address)
	var all []loadgen.Sample
	rate := 2 * capacity
	for all = l.Send(overloadWorkers, rate, overloadTime(t)); len(loadgen.Answered(all, 503)) == 0 && rate < 16*capacity; {
		rate *= 2 // It was busy with something else when it was measured.
		all = l.Send(overloadWorkers, rate, overloadTime(t))
	}
	normal := untilNormal(t, l)
	healthy()
	judge(t, capacity, rate, all)
	t.Logf("peak memory %d MB, normal again after %v", peakMemory(t, p), normal.Round(time.Millisecond))
	if mb := peakMemory(t, p); mb > 300 {
		t.Errorf("it took %d MB", mb)
	}
}

func judge(t *testing.T, capacity, rate float64, all []loadgen.Sample) {
	t.Helper()
	accepted, refused := loadgen.Answered(all, 200), loadgen.Answered(all, 503)
	t.Logf("capacity %.0f/s, offered %.0f/s: %d requests, %d accepted, %d refused; sent late by %v at most (p99)",
		capacity, rate, len(all), len(accepted), len(refused), loadgen.Within(.99, all, loadgen.Late).Round(time.Millisecond))
	kinds := map[string][]loadgen.Sample{"accepted": accepted}
	for _, s := range refused {
		kinds[s.Answer.Text] = append(kinds[s.Answer.Text], s)
	}
	for kind, samples := range kinds {
		t.Logf("%6d within %v (p50), %v (p99): %s", len(samples), loadgen.Within(.5, samples, loadgen.Took).Round(time.Millisecond),
			loadgen.Within(.99, samples, loadgen.Took).Round(time.Millisecond), strings.TrimSpace(kind))
	}
	if len(refused) == 0 || len(accepted) == 0 {
		t.Error("nothing is refused, or all")
	}
	noise := 5 * loadgen.Within(.99, all, loadgen.Late) // How late the sender was tells what else the machine does.
	for part, most := range map[float64]time.Duration{.5: 250 * time.Millisecond, .9: time.Second, .99: 2500 * time.Millisecond} {
		// Only who has a place in the line of passwords may be refused as late as after 2 s.
		if d := loadgen.Within(part, refused, loadgen.Took); d > most+noise {
			t.Errorf("%v of the refusals take up to %v", part, d)
		}
	}
	if d := loadgen.Within(.99, accepted, loadgen.Took); d > 5*time.Second+noise {
		t.Errorf("what is accepted takes %v", d)
	}
	for _, s := range all {
		if s.Err != nil || s.Answer.Status != 200 && !isRefusal(s.Answer) {
			t.Fatalf("%v: %d %v %s", s.Err, s.Answer.Status, s.Answer.Header(), s.Answer.Text)
		}
	}
}

// isRefusal wants the words of the surface, and when to come back.
func isRefusal(a loadgen.Answer) bool {
	var said struct{ Error string }
	err := json.Unmarshal([]byte(a.Text), &said)
	return a.Status == 503 && err == nil && said.Error != "" && a.Header().Get("Retry-After") != ""
}

// watchHealth asks now and then, until told to end, what must always be answered.
func watchHealth(t *testing.T, address string) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		c := loadgen.Client{Address: address}
		defer c.Close()
		for ctx.Err() == nil {
			for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
				if a, err := c.Send(loadgen.Message("GET", path, "", nil)); err != nil || a.Status != 200 {
					t.Errorf("%s under overload: %v %d %s", path, err, a.Status, a.Text)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

// untilNormal waits until everything is answered as it should be, and fast.
func untilNormal(t *testing.T, l loadgen.Traffic) time.Duration {
	t.Helper()
	c, begin := loadgen.Client{Address: l.Address}, time.Now()
	defer c.Close()
	wait.Until(t, "all is normal again", func() bool {
		for n := range 20 {
			if s := l.One(&c, n, time.Now()); s.Err != nil || s.Answer.Status != 200 || s.Took > 250*time.Millisecond {
				return false
			}
		}
		return true
	})
	took := time.Since(begin)
	if took > 10*time.Second {
		t.Errorf("normal again only after %v", took)
	}
	return took
}

// peakMemory is the most that a process ever had, in MB; 0 where that can't be told.
func peakMemory(t *testing.T, p *process) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	kb, _ := strconv.Atoi(string(m[1])) // It is digits.
	return kb / 1024
}

// A flood of sign-ins is refused as such: who reads, reads.
func TestAFloodOfSignInsHarmsNobodyElse(t *testing.T) {
	i := install(t)
	i.env = append(slices.Clone(i.env), "BCRYPT_COST=10", "GESTA_LOG_LEVEL=warn", "GESTA_MAX_REQUESTS=32")
	_, address := i.serveQuietly(t)
	paths, tokens := signUp(client{t, "http://" + address}, 0, 2)
	flood := loadgen.Traffic{Address: address, Request: loadgen.Repeat(signIns(0, 2))}
	readers := loadgen.Traffic{Address: address, Request: loadgen.Repeat([][]byte{loadgen.Message("GET", paths[0], tokens[0], nil)})}
	var signedIn, read []loadgen.Sample
	var both sync.WaitGroup
	both.Go(func() { signedIn = flood.Send(200, 1000, 2*time.Second) })
	both.Go(func() { read = readers.Send(2, 20, 2*time.Second) })
	both.Wait()
	if busy := loadgen.Answered(signedIn, 503); len(busy) == 0 || !isRefusal(busy[0].Answer) {
		t.Errorf("%d sign-ins are refused", len(busy))
	}
	if len(loadgen.Answered(signedIn, 200)) == 0 {
		t.Error("nobody gets in")
	}
	if good := len(loadgen.Answered(read, 200)); good < len(read)*9/10 { // The flood takes both cores: now and then a read waits too long for one.
		t.Errorf("%d of %d reads are answered", good, len(read))
	}
	t.Logf("reads within %v (p50), %v (p99); %d of %d sign-ins refused", loadgen.Within(.5, read, loadgen.Took).Round(time.Millisecond),
		loadgen.Within(.99, read, loadgen.Took).Round(time.Millisecond), len(loadgen.Answered(signedIn, 503)), len(signedIn))
}

// serveQuietly starts a process that logs too little to say where it serves.
func (i installation) serveQuietly(t *testing.T) (p *process, address string) {
	t.Helper()
	address = freeAddress(t)
	p = start(t, i.env, "serve", "--listen", address, "--roles", "api,relay,projector")
	wait.Until(t, "it is ready", func() bool {
		c := loadgen.Client{Address: address}
		defer c.Close()
		a, err := c.Send(loadgen.Message("GET", "/readyz", "", nil))
		return err == nil && a.Status == 200
	})
	return p, address
}
