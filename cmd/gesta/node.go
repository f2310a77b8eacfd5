package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"gesta/eventstore/checkpoint"
	"gesta/eventstore/envelope"
	"gesta/eventstore/feed"
	"gesta/eventstore/leader"
	"gesta/eventstore/proof"
	"gesta/eventstore/relay"
	"gesta/eventstore/scribe"
	"gesta/eventstore/seal"
	"gesta/http/server"
	"gesta/http/web"
	"gesta/http/web/counter"
	"gesta/projections"
)

// node is a process that runs roles: api, relay, projector, policies, audit. Any number of processes may run
// any of them; but for api, of each one leads and the others stand by.
type node struct {
	*app
	plan
	nc        *nats.Conn
	relay     *relay.Relay
	projector *projections.Projector
	policies  *policies // nil without that role
	scribes   []*scribe.Scribe
	proof     *proof.Log // nil without the role audit
	fence     *projections.Fence
	limits    *web.Limiter
	counter   *counter.Counter // nil where nothing is limited
	listeners []net.Listener
}

func newNode(a *app, nc *nats.Conn, p plan) (n *node, err error) {
	if len(p.roles) == 0 {
		return nil, errors.New("a process without any role does nothing; see --roles")
	}
	n = &node{app: a, plan: p, nc: nc, limits: &web.Limiter{Now: time.Now}}
	if n.has("api") {
		if err := n.limit(); err != nil {
			return nil, err
		}
	}
	n.fence = &projections.Fence{
		Checkpoint: projections.Checkpoint(a.reads, a.sys.schema), Parked: projections.IsParked(a.reads), Bound: settleBound,
	}
	if n.executor != nil {
		n.executor.Settle, n.executor.Tracer = n.fence.Settle, n.tracer
	}
	n.relay = a.newRelay(nc)
	n.projector = a.newProjector(n.leader("projector").Lead, n.passed)
	n.projector.Feed = &feed.Feed{Store: a.ahead(), NC: nc, Handoff: a.handoff, Log: a.log}
	n.policies = n.newPolicies()
	if n.has("audit") {
		if n.proof, err = n.newProof(); err != nil {
			return nil, err
		}
		n.scribes = n.newScribes()
	}
	n.observe()
	return n, nil
}

func (a *app) newRelay(nc *nats.Conn) *relay.Relay {
	return &relay.Relay{
		Store: a.store, NC: nc, Handoff: a.handoff, Limits: a.Stream.limits(), Log: a.log, Tracer: a.tracer,
		Checkpoint: checkpoint.Row{DB: a.store.Pool(), Follower: "relay"}, Leader: a.leader("relay"),
	}
}

func (a *app) newProjector(lead func(context.Context, func(context.Context) error) error, passed func(projections.Standing)) *projections.Projector {
	return &projections.Projector{
		URL: a.sys.url, Schema: a.sys.schema, Vault: a.vault, Projections: projections.All,
		Feed: &feed.Feed{Store: a.ahead(), Log: a.log}, Store: a.ahead(), Lead: lead, Passed: passed, Log: a.log, Tracer: a.tracer,
	}
}

// ahead is the store for who reads the history page by page.
func (a *app) ahead() seal.Ahead { return seal.Ahead{Store: a.store, Vault: a.vault} }

func (a *app) leader(role string) leader.Postgres {
	return leader.Postgres{URL: a.sys.url, Name: a.sys.schema + "/" + role, Log: a.log}
}

// passed tells the requests of this process, and hints to those of others, how far readers can see.
func (n *node) passed(s projections.Standing) {
	n.fence.Passed(s)
	envelope.Hint(n.nc, envelope.HintProjected, s.Position)
}

func (n *node) has(role string) bool { return slices.Contains(n.roles, role) }

// run runs the roles until ctx ends, or one of them can't go on. Requests finish before anything they
// wait for stops.
func (n *node) run(ctx context.Context) error {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	workers, working := errgroup.WithContext(working)
	n.work(working, workers)
	serving, ctx := errgroup.WithContext(ctx)
	serving.Go(func() error { return n.started(ctx, n) })
	serving.Go(func() error { return n.serve(ctx) })
	serving.Go(func() error { return failureOf(ctx, working) })
	err := serving.Wait()
	stop()
	return errors.Join(err, ended(workers.Wait()))
}

// work starts what stands behind the requests.
func (n *node) work(ctx context.Context, workers *errgroup.Group) {
	start := func(run func(context.Context) error) {
		workers.Go(func() error { return ended(run(ctx)) })
	}
	start(relay.Hinter{NC: n.nc, Handoff: n.handoff}.Run)
	if n.vault != nil {
		start(n.forget)
	}
	if n.has("api") {
		start(n.fence.Run)
		start(n.hearProjected)
		start(n.forgetRequests)
	}
	if n.has("relay") {
		start(n.relay.Run)
	}
	if n.has("projector") {
		start(n.projector.Run)
	}
	if n.has("policies") {
		start(n.policies.Run)
	}
	for _, s := range n.scribes {
		start(s.Run)
	}
}

// failureOf waits for the end of either and answers why the work ended, if that was first.
func failureOf(ctx, working context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-working.Done():
		return context.Cause(working)
	}
}

// endedBy is for who was told to end, which is no failure, however far it had come.
func endedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(err)
	}
	return err
}

// ended takes the end of a context for what it is: no failure.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// forgetRequests keeps the records of requests from piling up.
func (n *node) forgetRequests(ctx context.Context) error {
	n.executor.ForgetRequests(ctx, func(err error) { n.log.Warn("records of requests are not forgotten", "error", err) })
	return nil
}

// hearProjected wakes the fence when a projector elsewhere says it has moved on.
func (n *node) hearProjected(ctx context.Context) error {
	hints, err := envelope.Listen(n.nc, envelope.HintProjected)
	if err != nil {
		return err
	}
	defer hints.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hints.Wake:
			n.fence.Wake()
		}
	}
}

// serve answers health and metrics in every process, and the surfaces in those that run api.
func (n *node) serve(ctx context.Context) error {
	s := &server.Server{
		Ready: n.ready, Metrics: n.metrics, Log: n.log, Tracer: n.tracer,
		Host:   web.Host{Limits: n.limits, Requests: n.executor, Reached: n.reached},
		Limits: server.Limits{Requests: n.MaxRequests, Connections: n.MaxConnections},
		Times:  server.Times{Grace: n.drain}, Proxies: n.TrustedProxies,
	}
	if n.has("api") {
		s.Documents, s.Surfaces = n.documents(), n.surfaces
		n.prepareCounts(ctx)
	}
	return s.Serve(ctx, n.listeners)
}

func (n *node) addresses() []string {
	var out []string
	for _, l := range n.listeners {
		out = append(out, l.Addr().String())
	}
	return out
}

// ports are those served on, once each.
func (n *node) ports() []string {
	var out []string
	for _, a := range n.addresses() {
		_, port, _ := net.SplitHostPort(a) // A listener's address always has one.
		if !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	return out
}
