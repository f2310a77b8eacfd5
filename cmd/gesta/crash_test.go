package main

import (
	"context"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCrash kills replicas, Postgres and NATS at random moments while clients write and read, at last all of
// them at once, and then asks whether all that was answered is true. CRASH_KILLS is how many of each are
// killed. CRASH_SEED draws the same kills, pauses and commands again; how they fall together is up to the
// machine.
func TestCrash(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, number(t, "CRASH_SEED", rand.Uint64()))
	kills := int(number(t, "CRASH_KILLS", 3))
	t.Logf("seed %d: CRASH_SEED=%[1]d CRASH_KILLS=%d draws the same kills and commands", c.seed, kills)
	c.begin(t)
	working, finish := context.WithTimeout(t.Context(), time.Minute+time.Duration(kills)*30*time.Second)
	defer finish()
	var clients sync.WaitGroup
	for n := range crashClients {
		w := &worker{load: c.load, rng: c.random(uint64(100 + n)), admin: c.admin}
		clients.Go(func() { w.run(working) })
	}
	clients.Go(func() { c.verify(working, t) })
	for _, s := range c.schedule(kills) {
		rest(working, 300*time.Millisecond+time.Duration(c.rng.IntN(1500))*time.Millisecond)
		c.strike(working, s)
	}
	c.reading.Wait()
	c.blackout(working)
	c.level(t)
	finish()
	clients.Wait()
	c.level(t)
	c.await(t, "all is proven", isProven)
	c.check(t)
	c.summarise(t, kills)
}

// behind is what verify finds where something does not get on, which is no wonder while things break.
var behind = regexp.MustCompile(`WRONG: (positions \d+ to \d+ are not published|the read models are at position|the log is at position|what follows position \d+|no checkpoint is signed)`)

// verify verifies again and again while things break: it may fail then, but never find anything.
func (c *campaign) verify(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		if out, _ := gesta(t, c.env, "", "verify"); strings.Contains(behind.ReplaceAllString(out, ""), "WRONG") {
			c.load.finding("verify says %s", out)
		}
		rest(ctx, time.Second)
	}
}

// strike kills a service. What was acknowledged and shown just before Postgres was killed is read again
// as soon as anybody answers: it is the last to reach the disk.
func (c *campaign) strike(ctx context.Context, s *service) {
	if s != c.postgres {
		s.kill(ctx)
		return
	}
	c.reading.Wait()
	for ctx.Err() == nil && (c.witness == nil || c.witness.hazy) {
		c.witness = c.newWitness(ctx)
	}
	s.await(ctx)
	c.witness.changePhone(ctx)
	s.kill(ctx)
	c.reading.Go(func() { c.witness.read(ctx) })
}

// blackout kills everything at once.
func (c *campaign) blackout(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range c.services() {
		all.Go(func() { s.kill(ctx) })
	}
	all.Wait()
}

// newWitness makes an account; nil when nobody answers.
func (c *campaign) newWitness(ctx context.Context) *account {
	w := &worker{load: c.load, rng: c.random(99), admin: c.admin}
	a := w.register(ctx)
	if a == nil || !a.signIn(ctx) {
		return nil
	}
	c.load.keep(a.history)
	return a
}

// What readers have seen they see after a crash of the database as well, though the read models are
// taken back by it.
func TestReadersSeeNothingOlderAfterACrash(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, rand.Uint64())
	c.begin(t)
	for range 3 {
		c.level(t)
		c.strike(t.Context(), c.postgres)
		c.reading.Wait()
	}
	for _, f := range c.load.findings {
		t.Error(f)
	}
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// schedule is who is killed, in order.
func (c *campaign) schedule(kills int) (all []*service) {
	for n := range kills {
		all = append(all, c.postgres, c.nats, c.replicas[(n+c.rng.IntN(2))%crashReplicas])
	}
	c.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (c *campaign) check(t *testing.T) {
	t.Helper()
	for _, f := range c.load.findings {
		t.Error(f)
	}
	checkCommands(t, c.owner, c.load.asked)
	checkAddresses(t, c.owner, c.load.lost)
	checkUsers(t, c.load.users)
	if out, err := gesta(t, c.env, "", "verify"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	checkReadModels(t, c.installation)
}

// summarise says what was done, and that it was enough to find something.
func (c *campaign) summarise(t *testing.T, kills int) {
	t.Helper()
	counts := map[string][3]int{}
	var acked int
	for _, a := range c.load.asked {
		n := counts[a.kind]
		n[a.outcome]++
		counts[a.kind] = n
		if a.outcome == acknowledged {
			acked++
		}
	}
	var lines []string
	for kind, n := range counts {
		lines = append(lines, kind+": "+strconv.Itoa(n[acknowledged])+" acknowledged, "+strconv.Itoa(n[refused])+" refused, "+strconv.Itoa(n[unknown])+" unknown")
	}
	slices.Sort(lines)
	t.Logf("seed %d, %d users, %d findings by clients, longest outage seen by one %s\n%s", c.seed, len(c.load.users), len(c.load.findings), c.load.outage.Round(time.Millisecond), strings.Join(lines, "\n"))
	for _, s := range c.services() {
		t.Logf("%s: %d kills, %d starts failed, %d ends by itself %s", s.name, s.kills, s.failed, len(s.exits), strings.Join(s.exits, "\n"))
	}
	if c.postgres.kills <= kills || c.nats.kills <= kills || acked < 20*kills {
		t.Errorf("%d kills of Postgres, %d of NATS, %d commands acknowledged", c.postgres.kills, c.nats.kills, acked)
	}
}
