package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"gesta/domain/identity"
	"gesta/eventstore/postgres/cluster"
	"gesta/eventstore/relay/natsembed"
)

// devCmd runs everything on this machine.
type devCmd struct {
	Listen     []string `env:"GESTA_LISTEN" default:"localhost:8080,localhost:8081,localhost:8082,localhost:8083,localhost:8084" help:"Addresses to serve on: the ports that the documents' examples use."`
	NATSListen string   `name:"nats-listen" env:"GESTA_NATS_LISTEN" default:"127.0.0.1:4222" help:"Where NATS takes subscribers."`
}

var allRoles = []string{"api", "relay", "projector", "policies", "audit"}

// Run starts a Postgres and a NATS, puts in the demo data, and serves until ctx ends.
func (c *devCmd) Run(ctx context.Context, s *Settings, std streams) error {
	if err := s.check(); err != nil {
		return err
	}
	log := s.logger(std.err)
	sys, err := s.startDev(ctx)
	if errors.Is(err, cluster.ErrRunning) {
		return fmt.Errorf("another gesta runs on %s", s.Data)
	}
	if err != nil {
		return endedBy(ctx, err)
	}
	told := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		<-sys.server.Done()
		cancel(errors.New("postgres ended"))
	}()
	err = sys.migrate(ctx)
	if err == nil {
		err = c.serve(ctx, s, sys, log, std.out)
	}
	return errors.Join(endedBy(told, err), sys.server.Err(), sys.close())
}

func (c *devCmd) serve(ctx context.Context, s *Settings, sys *system, log *slog.Logger, out io.Writer) error {
	ns, err := natsembed.Start(natsembed.Options{Dir: s.natsDir(), Listen: c.NATSListen, Guarded: true, Log: log})
	if err != nil {
		return err
	}
	defer ns.Stop()
	if err := s.keepNATSPlace(ns); err != nil {
		return err
	}
	nc, err := ns.Connect(natsOptions(log)...)
	if err != nil {
		return err
	}
	defer nc.Close()
	return s.serve(ctx, sys, log, nc, plan{
		roles: allRoles, listen: c.Listen, wait: startTime, prepare: seedUnlessHardened,
		started: func(ctx context.Context, n *node) error {
			login := "the hardened profile puts in no demo data; see 'gesta admin create'"
			if !s.hardened() {
				login = n.demoLogin(ctx)
			}
			if err := n.catchUp(ctx); err != nil {
				return err
			}
			return c.greet(out, n, ns.URL(), login)
		},
	})
}

// seedUnlessHardened puts in the demo data while nothing else runs: it takes a fraction of the time then.
func seedUnlessHardened(ctx context.Context, a *app) error {
	if a.hardened() {
		return nil
	}
	for _, put := range a.seeds() {
		switch err := put(ctx); {
		case errors.Is(err, identity.ErrEmailTaken):
			a.log.Warn("demo data is left out: somebody else has one of its addresses", "error", err)
		case err != nil:
			return err
		}
	}
	return nil
}

// How long a newcomer waits for read models at the most, and how often it is looked for them.
const (
	catchUpTime  = 30 * time.Second
	catchUpEvery = 20 * time.Millisecond
)

// catchUp waits, bounded, until readers see what there is, also where read models are made for the first time.
func (n *node) catchUp(ctx context.Context) error {
	head, err := n.store.Head(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	for !n.fence.Await(ctx, head.Position) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(catchUpEvery):
		}
	}
	return nil
}

// greet says where everything is. Passwords stand in files, not here.
func (c *devCmd) greet(out io.Writer, n *node, natsURL, login string) error {
	_, err := fmt.Fprintf(out, `
gesta is up; Ctrl-C stops it

  REST      http://localhost:%s
  health    /healthz /readyz /metrics
  NATS      %s  subjects gesta.events.>
  Postgres  %s  schema %s, as %s
  data      %s
  %s

`, strings.Join(n.ports(), " :"), natsURL, n.sys.place(), n.sys.schema, devLogin, n.Data, login)
	return err
}
