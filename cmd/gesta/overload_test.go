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
	capacity := l.capacity(overloadTime(t) / 4)
	healthy := watchHealth(t, address)
	var all []sample
	rate := 2 * capacity
	for all = l.send(overloadWorkers, rate, overloadTime(t)); len(answered(all, 503)) == 0 && rate < 16*capacity; {
		rate *= 2 // It was busy with something else when it was measured.
		all = l.send(overloadWorkers, rate, overloadTime(t))
	}
	normal := untilNormal(t, l)
	healthy()
	judge(t, capacity, rate, all)
	t.Logf("peak memory %d MB, normal again after %v", peakMemory(t, p), normal.Round(time.Millisecond))
	if mb := peakMemory(t, p); mb > 300 {
		t.Errorf("it took %d MB", mb)
	}
}

func judge(t *testing.T, capacity, rate float64, all []sample) {
	t.Helper()
	accepted, refused := answered(all, 200), answered(all, 503)
	t.Logf("capacity %.0f/s, offered %.0f/s: %d requests, %d accepted, %d refused; sent late by %v at most (p99)",
		capacity, rate, len(all), len(accepted), len(refused), within(.99, all, late).Round(time.Millisecond))
	kinds := map[string][]sample{"accepted": accepted}
	for _, s := range refused {
		kinds[s.answer.text] = append(kinds[s.answer.text], s)
	}
	for kind, samples := range kinds {
		t.Logf("%6d within %v (p50), %v (p99): %s", len(samples), within(.5, samples, took).Round(time.Millisecond),
			within(.99, samples, took).Round(time.Millisecond), strings.TrimSpace(kind))
	}
	if len(refused) == 0 || len(accepted) == 0 {
		t.Error("nothing is refused, or all")
	}
	noise := 5 * within(.99, all, late) // How late the sender was tells what else the machine does.
	for part, most := range map[float64]time.Duration{.5: 250 * time.Millisecond, .9: time.Second, .99: 2500 * time.Millisecond} {
		// Only who has a place in the line of passwords may be refused as late as after 2 s.
		if d := within(part, refused, took); d > most+noise {
			t.Errorf("%v of the refusals take up to %v", part, d)
		}
	}
	if d := within(.99, accepted, took); d > 5*time.Second+noise {
		t.Errorf("what is accepted takes %v", d)
	}
	for _, s := range all {
		if s.err != nil || s.answer.status != 200 && !isRefusal(s.answer) {
			t.Fatalf("%v: %d %v %s", s.err, s.answer.status, s.answer.header, s.answer.text)
		}
	}
}

// isRefusal wants the words of the surface, and when to come back.
func isRefusal(a answer) bool {
	var said struct{ Error string }
	err := json.Unmarshal([]byte(a.text), &said)
	return a.status == 503 && err == nil && said.Error != "" && a.header.Get("Retry-After") != ""
}

// watchHealth asks now and then, until told to end, what must always be answered.
func watchHealth(t *testing.T, address string) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		c := raw{address: address}
		defer c.close()
		for ctx.Err() == nil {
			for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
				if a, err := c.send(message("GET", path, "", nil)); err != nil || a.status != 200 {
					t.Errorf("%s under overload: %v %d %s", path, err, a.status, a.text)
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
func untilNormal(t *testing.T, l traffic) time.Duration {
	t.Helper()
	c, begin := raw{address: l.address}, time.Now()
	defer c.close()
	wait.Until(t, "all is normal again", func() bool {
		for n := range 20 {
			if s := l.one(&c, n, time.Now()); s.err != nil || s.answer.status != 200 || s.took > 250*time.Millisecond {
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
	flood := traffic{address, signIns(0, 2)}
	readers := traffic{address, [][]byte{message("GET", paths[0], tokens[0], nil)}}
	var signedIn, read []sample
	var both sync.WaitGroup
	both.Go(func() { signedIn = flood.send(200, 1000, 2*time.Second) })
	both.Go(func() { read = readers.send(2, 20, 2*time.Second) })
	both.Wait()
	if busy := answered(signedIn, 503); len(busy) == 0 || !isRefusal(busy[0].answer) {
		t.Errorf("%d sign-ins are refused", len(busy))
	}
	if len(answered(signedIn, 200)) == 0 {
		t.Error("nobody gets in")
	}
	if good := len(answered(read, 200)); good < len(read)*9/10 { // The flood takes both cores: now and then a read waits too long for one.
		t.Errorf("%d of %d reads are answered", good, len(read))
	}
	t.Logf("reads within %v (p50), %v (p99); %d of %d sign-ins refused", within(.5, read, took).Round(time.Millisecond),
		within(.99, read, took).Round(time.Millisecond), len(answered(signedIn, 503)), len(signedIn))
}

// serveQuietly starts a process that logs too little to say where it serves.
func (i installation) serveQuietly(t *testing.T) (p *process, address string) {
	t.Helper()
	address = freeAddress(t)
	p = start(t, i.env, "serve", "--listen", address, "--roles", "api,relay,projector")
	wait.Until(t, "it is ready", func() bool {
		c := raw{address: address}
		defer c.close()
		a, err := c.send(message("GET", "/readyz", "", nil))
		return err == nil && a.status == 200
	})
	return p, address
}
