package main

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"gesta/domain"
	"gesta/http/server"
	"gesta/projections"
)

// Refusals of a reader who asks for a position.
var (
	errBeyondHead = &domain.Fault{Kind: domain.Invalid, Code: "position_beyond_head", Text: "X-Min-Position is beyond the last event"}
	errNotReached = &domain.Fault{Kind: domain.Unavailable, Code: "position_not_reached", Text: "X-Min-Position is not reached yet", Retry: time.Second}
)

// reached waits until readers see everything up to a position.
func (n *node) reached(ctx context.Context, position int64) error {
	if err := n.recorded(ctx, position); err != nil {
		return err
	}
	if !n.fence.Await(ctx, position) {
		return errNotReached
	}
	return nil
}

// recorded refuses a position that nothing has been given yet.
func (a *app) recorded(ctx context.Context, position int64) error {
	head, err := a.store.Head(ctx)
	switch {
	case err != nil:
		return errNotReached
	case position > head.Position:
		return errBeyondHead
	}
	return nil
}

// ready tells whether this process can do its roles' work: all of it needs Postgres, none of it needs
// NATS or an up-to-date read model. Those are named all the same.
func (n *node) ready(ctx context.Context) server.Readiness {
	head, err := n.store.Head(ctx)
	detail := map[string]any{"roles": n.roles, "nats": n.nc.Status().String()}
	if err != nil {
		detail["postgres"] = "unavailable"
		return server.Readiness{Detail: detail}
	}
	detail["postgres"], detail["head"] = "ok", head.Position
	if s, err := n.fence.Checkpoint(ctx); err == nil {
		detail["projector"] = n.projectorDetail(ctx, s, head.Position)
	}
	if err := n.projector.Err(); err != nil {
		detail["projector_error"] = err.Error()
	}
	if n.has("relay") {
		detail["relay"] = n.relayDetail(head.Position)
	}
	if n.has("policies") {
		detail["policies"] = n.policies.detail(ctx, head.Position)
	}
	if n.has("audit") {
		detail["audit"] = n.scribesDetail(ctx, head.Position)
	}
	return server.Readiness{Ready: true, Detail: detail}
}

// projectorDetail names the lag, and what readers don't see.
func (n *node) projectorDetail(ctx context.Context, s projections.Standing, head int64) map[string]any {
	detail := map[string]any{"position": s.Position, "lag": head - s.Position}
	if s.Stale {
		detail["stale"] = "some read models stand still until they are rebuilt"
	}
	if count, err := projections.CountParked(ctx, n.reads); err == nil && count > 0 {
		detail["parked"], detail["parked_streams"] = count, n.someParked(ctx)
	}
	if last, found, err := n.rebuilds().Last(ctx); err == nil && found && last.State != projections.Done {
		detail["rebuild"] = map[string]any{"id": last.ID, "state": last.State, "position": last.Position, "target": last.Target}
	}
	return detail
}

// How many parked streams are named: all are, by `gesta projections status`.
const namedStreams = 10

func (n *node) someParked(ctx context.Context) (streams []string) {
	some, _ := projections.ParkedStreams(ctx, n.reads, namedStreams) // How many there are is told all the same.
	for _, p := range some {
		streams = append(streams, p.Stream.String())
	}
	return streams
}

// relayDetail names the lag of a relay that leads; one that stands by knows of none.
func (n *node) relayDetail(head int64) map[string]any {
	s := n.relay.Status()
	detail := map[string]any{"leading": s.Leading}
	if s.Leading {
		detail["position"], detail["lag"], detail["verified"] = s.Position, head-s.Position, s.Verified
	}
	if len(s.Damaged) > 0 {
		detail["damaged"] = s.Damaged
	}
	if s.Err != nil {
		detail["error"], detail["forked"] = s.Err.Error(), s.Forked != nil
	}
	return detail
}

// observe makes the positions of the relay, the projector and the policies metrics.
func (n *node) observe() {
	gauge := func(name, help string, value func() float64) {
		n.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	gauge("gesta_nats_connected", "Whether NATS is there.", func() float64 { return truth(n.nc.Status() == nats.CONNECTED) })
	gauge("gesta_projector_position", "Position of the last event in the read models.", func() float64 { return float64(n.projected()) })
	gauge("gesta_projector_lag", "How many events the read models are behind the history.", func() float64 { return float64(n.lag()) })
	if n.has("policies") {
		n.observePolicies(gauge)
	}
	n.observeScribes(gauge)
	n.observeProof(gauge)
	if n.vault != nil {
		gauge("gesta_privacy_forgotten", "How many persons were forgotten.", func() float64 { return float64(scraped(n.store.CountForgotten)) })
		gauge("gesta_privacy_cached_keys", "How many persons' keys this process has in memory.", func() float64 { return float64(n.vault.Keys.Cached()) })
	}
	gauge("gesta_projector_parked_streams", "How many streams' events are held, because one of them can't be written.", func() float64 { return float64(n.parkedStreams()) })
	gauge("gesta_projector_rebuild_position", "How far the rebuild of the read models is; 0 while there is none.", func() float64 { return float64(n.rebuilt()) })
	if !n.has("relay") {
		return
	}
	gauge("gesta_relay_leading", "Whether this process publishes.", func() float64 { return truth(n.relay.Status().Leading) })
	gauge("gesta_relay_forked", "Whether nothing is published until 'gesta events fork-epoch' has parted the history from what was published and is lost.", func() float64 { return truth(n.relay.Status().Forked != nil) })
	gauge("gesta_relay_position", "Position of the last published event.", func() float64 { return float64(n.relay.Status().Position) })
	gauge("gesta_stream_verified_position", "Up to here each message was found in the stream after it was published; 0 where another process leads.", func() float64 { return float64(n.relay.Status().Verified) })
	gauge("gesta_stream_damaged_messages", "Messages of the stream that are known to be changed, missing or doubled.", func() float64 { return float64(len(n.relay.Status().Damaged)) })
	gauge("gesta_relay_lag", "How many events the stream is behind the history; 0 where another process leads.", func() float64 { return float64(n.relayLag()) })
}

// scrapeTime is how long a scrape waits for the database.
const scrapeTime = time.Second

// scraped is -1 where it can't be found out in time.
func scraped(find func(context.Context) (int64, error)) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	found, err := find(ctx)
	if err != nil {
		return -1
	}
	return found
}

func (n *node) projected() int64 {
	return scraped(func(ctx context.Context) (int64, error) {
		s, err := n.fence.Checkpoint(ctx)
		return s.Position, err
	})
}

func (n *node) parkedStreams() int64 {
	return scraped(func(ctx context.Context) (int64, error) {
		count, err := projections.CountParked(ctx, n.reads)
		return int64(count), err
	})
}

// rebuilt is how far the rebuild is that is being done; 0 without any.
func (n *node) rebuilt() int64 {
	return scraped(func(ctx context.Context) (int64, error) {
		last, _, err := n.rebuilds().Last(ctx)
		if last.State.Ended() {
			return 0, err
		}
		return last.Position, err
	})
}

func (n *node) lag() int64 { return n.behind(n.projected()) }

func (n *node) relayLag() int64 {
	s := n.relay.Status()
	if !s.Leading {
		return 0
	}
	return n.behind(s.Position)
}

// behind is -1 for a position that could not be found out.
func (n *node) behind(position int64) int64 {
	if position < 0 {
		return -1
	}
	return scraped(func(ctx context.Context) (int64, error) {
		head, err := n.store.Head(ctx)
		return head.Position - position, err
	})
}
