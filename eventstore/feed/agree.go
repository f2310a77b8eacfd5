package feed

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
)

// agrees tells whether the stream ends within the store's history. Where it doesn't, the store was
// restored from an older backup, or somebody else has published: what the stream holds must not be
// followed. That the last message is the store's own means that all before it are, since each names the
// one it follows.
func (t *follower) agrees(ctx context.Context, js jetstream.JetStream) bool {
	stream, err := js.Stream(ctx, envelope.Stream)
	if err != nil {
		return false
	}
	last := int64(stream.CachedInfo().State.LastSeq)
	if last == 0 {
		return true
	}
	stored, err := t.feed.Store.Read(ctx, last-1, 1) // Asked after the stream, the store can only be further.
	if err != nil || len(stored) == 0 || stored[0].Position != last {
		return false
	}
	m, err := stream.GetMsg(ctx, uint64(last))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true // It has expired, and so has what could be wrong.
	}
	return err == nil && m.Header.Get(jetstream.MsgIDHeader) == stored[0].ID.String()
}
