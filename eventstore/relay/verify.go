package relay

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	verifyEvery = time.Second // between two looks at what was published
	atOnce      = 20_000      // messages that are looked at each time, so that a stream that is filled anew is not slowed
	recheck     = 10_000      // messages before it that a session looks at again: a crash of the server spoils the last ones
)

// verify looks once at each message that was published, a moment later: whether it is there under its
// event's id. It never holds up publishing, and what fails is left to the next look.
func (l *link) verify(ctx context.Context, js jetstream.JetStream, end int64) {
	tick := time.NewTicker(verifyEvery)
	defer tick.Stop()
	verified := max(0, end-recheck)
	for {
		verified = l.verifyFrom(ctx, js, verified)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// verifyFrom answers up to where it has looked.
func (l *link) verifyFrom(ctx context.Context, js jetstream.JetStream, verified int64) int64 {
	to := min(verified+atOnce, l.acks.mark().Position)
	if to <= verified {
		return verified
	}
	a := &audit{store: l.relay.Store, js: js}
	if err := a.run(ctx, verified+1, to); err != nil {
		return verified
	}
	l.relay.damaged(a.findings)
	l.count(ctx)
	l.relay.status.verified.Store(to)
	return to
}

// count finds what is missing anywhere: the server knows where its own stream begins, and its gaps.
func (l *link) count(ctx context.Context) {
	info, err := l.stream.Info(ctx)
	if err == nil && info.State.NumDeleted > 0 {
		info, err = l.stream.Info(ctx, jetstream.WithDeletedDetails(true))
	}
	if err != nil {
		return
	}
	a := &audit{next: keepsFrom(info)}
	a.missing(int64(info.State.FirstSeq))
	for _, sequence := range info.State.Deleted[:min(maxFindings-len(a.findings), len(info.State.Deleted))] {
		a.find(int64(sequence), Missing, "")
	}
	l.relay.damaged(a.findings)
}

// damaged keeps and logs what was not known before.
func (r *Relay) damaged(findings []Finding) {
	for _, f := range findings {
		if r.status.damaged(f) {
			r.log().Error("relay: the stream is damaged; delete it to have it filled anew with the same bytes",
				"position", f.Position, "damage", string(f.Damage), "detail", f.Detail)
		}
	}
}
