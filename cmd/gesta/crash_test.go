package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gesta/eventstore/postgres/cluster"
)

// campaignAdmin is the address of the administrator, which nobody else gets.
const campaignAdmin = "admin@example.com"

// How many replicas and clients there are.
const (
	crashReplicas = 3
	crashClients  = 6
)

// campaign is an installation whose every part is killed.
type campaign struct {
	installation
	seed     uint64
	admin    string // an administrator's access token
	rng      *rand.Rand
	load     *load
	postgres *service
	nats     *service
	replicas []*service
	natsURL  string
	witness  *account       // of what readers had seen before Postgres was killed
	reading  sync.WaitGroup // the witness is
}

// TestCrash kills replicas, Postgres and NATS at random moments while clients write and read, and then
// asks whether all that was answered is true. CRASH_KILLS is how many of each are killed. CRASH_SEED
// draws the same kills, pauses and commands again; how they fall together is up to the machine.
func TestCrash(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, number(t, "CRASH_SEED", rand.Uint64()))
	kills := int(number(t, "CRASH_KILLS", 3))
	t.Logf("seed %d: CRASH_SEED=%[1]d CRASH_KILLS=%d draws the same kills and commands", c.seed, kills)
	c.begin(t)
	working, finish := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for n := range crashClients {
		w := &worker{load: c.load, rng: c.random(uint64(100 + n)), admin: c.admin}
		clients.Go(func() { w.run(working) })
	}
	for _, s := range c.schedule(kills) {
		rest(working, 300*time.Millisecond+time.Duration(c.rng.IntN(1500))*time.Millisecond)
		c.strike(working, s)
	}
	c.reading.Wait()
	c.level(t)
	finish()
	clients.Wait()
	c.level(t)
	c.check(t)
	c.summarise(t, kills)
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

// random draws from the seed: each part of the campaign has a source of its own.
func (c *campaign) random(part uint64) *rand.Rand { return rand.New(rand.NewPCG(c.seed, part)) }

// newCampaign makes an installation of servers that come back by themselves.
func newCampaign(t *testing.T, seed uint64) *campaign {
	t.Helper()
	c := &campaign{seed: seed}
	c.rng = c.random(0)
	c.newPostgres(t)
	c.newNATS(t)
	c.env = append(c.env,
		"MIGRATE_DATABASE_URL="+c.owner, "NATS_URL="+c.natsURL, "GESTA_LOG_LEVEL=warn", "RATE_LIMITS=off",
		"ACCOUNTS_ACCESS_TTL=24h", "JWT_SECRET=0123456789012345678901234567890123456789",
		"GESTA_MASTER_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
	)
	var bases []string
	for n := range uint64(crashReplicas) {
		listen := "127.0.0.1:" + ownPort(t)
		bases = append(bases, "http://"+listen)
		c.replicas = append(c.replicas, newService("gesta", c.random(10+n), func(context.Context) (victim, error) {
			return launchGesta(c.env, listen)
		}))
	}
	c.load = newLoad(bases)
	return c
}

// newPostgres makes a durable cluster with the app's login on a port of its own, and leaves it stopped.
func (c *campaign) newPostgres(t *testing.T) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "postgres")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "port"), []byte(ownPort(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := cluster.Start(t.Context(), cluster.Options{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	c.owner = server.URL("postgres")
	app, err := withLogin(c.owner, devLogin, "app")
	if err != nil {
		t.Fatal(err)
	}
	if err := makeLogin(t.Context(), c.owner, devLogin, "app"); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.env = append(c.env, "DATABASE_URL="+app)
	c.postgres = newService("postgres", c.random(1), func(ctx context.Context) (victim, error) {
		return launchPostgres(ctx, dir)
	})
}

func (c *campaign) newNATS(t *testing.T) {
	t.Helper()
	listen, dir := "127.0.0.1:"+ownPort(t), filepath.Join(t.TempDir(), "nats")
	c.natsURL = "nats://" + listen
	c.nats = newService("nats", c.random(2), func(context.Context) (victim, error) { return launchNATS(listen, dir) })
}

func connectNATS(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// begin starts everything; what runs at the end of the test is killed.
func (c *campaign) begin(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	for _, s := range c.services() {
		running.Go(func() { s.run(ctx) })
		s.await(t.Context())
	}
	api := client{t, c.load.replicas[0]}
	admin := registration(campaignAdmin)
	admin["role"] = "BO"
	api.expect(201, "POST", "/users", "", admin)
	c.admin = api.expect(200, "POST", "/auth/login", "", credentials(campaignAdmin)).field("access_token")
}

func (c *campaign) services() []*service {
	return append([]*service{c.postgres, c.nats}, c.replicas...)
}

// schedule is who is killed, in order.
func (c *campaign) schedule(kills int) (all []*service) {
	for n := range kills {
		all = append(all, c.postgres, c.nats, c.replicas[(n+c.rng.IntN(2))%crashReplicas])
	}
	c.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// level waits until everything runs, and relay and projector have caught up with the history.
func (c *campaign) level(t *testing.T) {
	t.Helper()
	for _, s := range c.services() {
		s.await(t.Context())
	}
	eventually(t, "all is level", func() bool {
		for _, base := range c.load.replicas {
			detail, _ := c.load.try(t.Context(), base, query{method: "GET", path: "/readyz"}).fields["detail"].(map[string]any)
			head, up := detail["head"].(float64)
			if up && at(detail["relay"]) == head && at(detail["projector"]) == head {
				return true
			}
		}
		return false
	})
}

func numeral(n any) string {
	f, is := n.(float64)
	if !is {
		return ""
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

func (c *campaign) check(t *testing.T) {
	t.Helper()
	for _, f := range c.load.findings {
		t.Error(f)
	}
	checkCommands(t, c.owner, c.load.asked)
	checkAddresses(t, c.owner, c.load.lost)
	checkUsers(t, c.load.users)
	checkStream(t, c.owner, c.natsURL)
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
	if killed := c.postgres.kills; killed != kills || c.nats.kills != kills || acked < 20*kills {
		t.Errorf("%d kills of Postgres, %d of NATS, %d commands acknowledged", killed, c.nats.kills, acked)
	}
}
