package main

import (
	"context"
	"maps"
	"time"

	"gesta/http/web"
	"gesta/http/web/counter"
)

// credentialLimit is how often a credential may be tried under the hardened profile: from one address, and without
// success at one account. Documents that name a limit keep it.
var credentialLimit = web.Limit{Requests: 10, Per: time.Minute}

func (s *Settings) limits(surfaces []web.Surface) (web.Limits, error) {
	limits := web.Limits{}
	if s.hardened() {
		limits = web.LimitCredentials(surfaces, credentialLimit)
	}
	maps.Copy(limits, web.DocumentedLimits(surfaces))
	return web.ParseLimits(s.RateLimits, limits, surfaces...)
}

// limit has the surfaces' limits counted by all processes together.
func (n *node) limit() (err error) {
	n.limits.Limits, err = n.app.limits(n.surfaces)
	if err != nil || n.limits.Limits.Longest() == 0 {
		return err
	}
	n.counter, err = counter.New(n.nc, counter.Options{
		Key: n.hasher.Key("rate limits"), Longest: n.limits.Limits.Longest(), Replicas: n.Stream.Replicas, Log: n.log,
	})
	n.limits.Counter = n.counter
	return err
}

// prepareTime is how long a start waits for the stream of counts, which is made later if need be.
const prepareTime = 2 * time.Second

func (n *node) prepareCounts(ctx context.Context) {
	if n.counter == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	n.counter.Prepare(ctx)
}

// weaknesses are those of the settings, and rows that this process serves where credentials can be tried at any rate.
func (n *node) weaknesses() []string {
	weak := n.Settings.weaknesses()
	if !n.has("api") {
		return weak
	}
	for _, row := range n.limits.Limits.Unlimited(n.surfaces) {
		weak = append(weak, row+": no rate limit")
	}
	return weak
}

// warn says what is weak, and what does not work for want of a setting.
func (n *node) warn() {
	if n.hardened() && (n.has("api") || n.has("policies")) && n.identity.Mail == nil {
		n.log.Warn("no mail is configured, so that no address can be verified; set GESTA_SMTP_URL")
	}
	if weak := n.weaknesses(); len(weak) > 0 {
		n.log.Warn("these settings are weak; GESTA_PROFILE=hardened is less so", "profile", n.Profile, "weak", weak)
	}
}
