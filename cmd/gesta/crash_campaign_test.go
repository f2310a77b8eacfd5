package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"gesta/eventstore/relay/relaytest"
	"gesta/eventstore/wait"
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
		"GESTA_MASTER_KEY="+testMasterKey,
	)
	var bases []string
	for n := range uint64(crashReplicas) {
		listen := freeAddress(t)
		bases = append(bases, "http://"+listen)
		c.replicas = append(c.replicas, newService("gesta", c.random(10+n), func(ctx context.Context) (victim, error) {
			return launchGesta(ctx, c.env, listen)
		}))
	}
	c.load = newLoad(bases)
	return c
}

// newPostgres makes a durable cluster with the app's login, and leaves it stopped.
func (c *campaign) newPostgres(t *testing.T) {
	t.Helper()
	dir, port := filepath.Join(t.TempDir(), "postgres"), relaytest.OwnPort(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := launchPostgres(t.Context(), dir, port)
	if err != nil {
		t.Fatal(err)
	}
	server := first.(postgresServer)
	c.owner = server.URL("postgres")
	app, err1 := withLogin(c.owner, devLogin, "app")
	err2 := makeLogin(t.Context(), c.owner, devLogin, "app")
	if err := errors.Join(err1, err2, server.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	c.env = append(c.env, "DATABASE_URL="+app)
	c.postgres = newService("postgres", c.random(1), func(ctx context.Context) (victim, error) {
		return launchPostgres(ctx, dir, port)
	})
}

func (c *campaign) newNATS(t *testing.T) {
	t.Helper()
	listen, dir := freeAddress(t), filepath.Join(t.TempDir(), "nats")
	c.natsURL = "nats://" + listen
	c.nats = newService("nats", c.random(2), func(ctx context.Context) (victim, error) {
		return launchNATS(ctx, listen, dir)
	})
}

// begin starts everything; what runs at the end of the test is killed.
func (c *campaign) begin(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		if t.Failed() {
			c.tell(t)
		}
		cancel()
		running.Wait()
	})
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

// tell says how each service does, and what it said last.
func (c *campaign) tell(t *testing.T) {
	for _, s := range c.services() {
		s.note(func() { t.Logf("%s runs: %v; ends by itself: %v", s.name, s.running, s.exits) })
	}
}

// level waits until everything runs, and relay and projector have caught up with the history.
func (c *campaign) level(t *testing.T) {
	t.Helper()
	c.await(t, "all is level", isLevel)
}

// await waits until a replica says so of itself.
func (c *campaign) await(t *testing.T, what string, is func(detail map[string]any) bool) {
	t.Helper()
	wait.Until(t, what, func() bool {
		return slices.ContainsFunc(c.load.replicas, func(base string) bool {
			detail, _ := c.load.try(t.Context(), base, query{method: "GET", path: "/readyz"}).fields["detail"].(map[string]any)
			return detail != nil && is(detail)
		})
	})
}

func numeral(n any) string {
	f, is := n.(float64)
	if !is {
		return ""
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}
