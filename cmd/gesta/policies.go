package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gesta/commands"
	"gesta/eventstore/feed"
	"gesta/eventstore/timers"
)

// policies react to the history, in the processes that have the role.
type policies struct {
	*commands.PolicyWorker
	timers timers.Table
}

// newPolicies answers nil where the process has another role.
func (n *node) newPolicies() *policies {
	if !n.has("policies") {
		return nil
	}
	reactions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gesta_policies_reactions_total", Help: "Reactions of policies to events, by what became of them.",
	}, []string{"policy", "outcome"})
	n.metrics.MustRegister(reactions)
	table := timers.Table{DB: n.store.Pool(), Follower: "policies"}
	return &policies{timers: table, PolicyWorker: &commands.PolicyWorker{
		Policies: commands.Policies, Contexts: commands.Contexts{Identity: n.identity},
		Store: n.store, Vault: n.vault, Timers: table, Lead: n.leader("policies").Lead, Now: time.Now,
		Feed:    &feed.Feed{Store: n.store, NC: n.nc, Handoff: n.handoff, Log: n.log},
		Reacted: func(policy, outcome string) { reactions.WithLabelValues(policy, outcome).Inc() }, Log: n.log, Tracer: n.tracer,
	}}
}

// detail names how far the policies are, whoever leads, and which reactions fail.
func (p *policies) detail(ctx context.Context, head int64) map[string]any {
	detail := map[string]any{"leading": p.Leading()}
	if err := p.Err(); err != nil {
		detail["error"] = err.Error()
	}
	s, err := p.timers.Status(ctx)
	if err != nil {
		return detail
	}
	detail["position"], detail["lag"], detail["timers"] = s.Position, head-s.Position, s.Waiting
	if s.Failing > 0 {
		detail["failing"], detail["oldest_failing"] = s.Failing, failing(s.Oldest)
	}
	return detail
}

func failing(all []timers.Timer) (named []map[string]any) {
	for _, t := range all {
		named = append(named, map[string]any{
			"policy": t.Name, "position": t.Cause.Position, "attempts": t.Attempts, "error": t.Error, "again": t.Due,
		})
	}
	return named
}

// observePolicies makes where the policies are metrics; -1 where it can't be found out.
func (n *node) observePolicies(gauge func(name, help string, value func() float64)) {
	status := func(of func(timers.Status) int64) func() float64 {
		return func() float64 {
			return float64(scraped(func(ctx context.Context) (int64, error) {
				s, err := n.policies.timers.Status(ctx)
				return of(s), err
			}))
		}
	}
	gauge("gesta_policies_position", "Position of the last event that policies have reacted to.",
		status(func(s timers.Status) int64 { return s.Position }))
	gauge("gesta_policies_lag", "How many events the policies are behind the history.",
		status(func(s timers.Status) int64 { return n.behind(s.Position) }))
	gauge("gesta_policies_timers", "Reactions whose time has not come, or that failed and are tried again.",
		status(func(s timers.Status) int64 { return int64(s.Waiting) }))
	gauge("gesta_policies_failing", "Reactions that failed and are tried again.",
		status(func(s timers.Status) int64 { return int64(s.Failing) }))
}
