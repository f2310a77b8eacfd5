package relay

import (
	"context"
	"errors"
	"reflect"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

// Limits say how much the stream keeps. The zero Limits keep everything on one server.
type Limits struct {
	MaxAge   time.Duration // 0 for ever
	MaxBytes int64         // 0 for any number
	Replicas int           // 0 for 1
}

// dedupWindow is the shortest there is: ids and sequences make sure of more than the window could,
// and a window costs memory.
const dedupWindow = 100 * time.Millisecond

// ensure answers the stream, made where there is none, and whether it is new.
func (r *Relay) ensure(ctx context.Context, js jetstream.JetStream) (s jetstream.Stream, fresh bool, err error) {
	s, err = js.Stream(ctx, envelope.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = r.create(ctx, js)
		return s, true, err
	}
	return s, false, err
}

func (r *Relay) create(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	first, err := r.first(ctx)
	if err != nil {
		return nil, err
	}
	config := r.Limits.config(jetstream.StreamConfig{Name: envelope.Stream, Storage: jetstream.FileStorage})
	config.FirstSeq = uint64(first)
	s, err := js.CreateStream(ctx, config)
	if err != nil || !isLeftOver(s.CachedInfo()) {
		return s, err
	}
	sleep(ctx, apiWait) // By then its files are gone, under the new one as well.
	// Who is stopped meanwhile leaves none that the next one would take for whole.
	return nil, errors.Join(errLeftOver, js.DeleteStream(context.WithoutCancel(ctx), envelope.Stream))
}

var errLeftOver = errors.New("the stream that was deleted was not gone yet; what has become of it is deleted as well")

// isLeftOver tells whether a new stream has the messages of the one before. A server no longer knows a stream that is
// being deleted, and only then removes its files: one that is made meanwhile takes them for its own, and loses them.
func isLeftOver(is *jetstream.StreamInfo) bool {
	return is.State.LastSeq >= is.Config.FirstSeq && is.State.LastTime.Before(is.Created)
}

// adjust changes a stream that was made by hand or under other limits. It must be known to be ours: shorter
// limits would drop messages of another store's.
func (r *Relay) adjust(ctx context.Context, js jetstream.JetStream, s jetstream.Stream) (jetstream.Stream, error) {
	is := s.CachedInfo().Config
	ought := r.Limits.config(is)
	if reflect.DeepEqual(is, ought) {
		return s, nil
	}
	return js.UpdateStream(ctx, ought)
}

func (l Limits) config(c jetstream.StreamConfig) jetstream.StreamConfig {
	c.Subjects = []string{envelope.Subjects}
	c.Retention, c.Discard = jetstream.LimitsPolicy, jetstream.DiscardOld
	c.DenyDelete, c.DenyPurge, c.NoAck = true, true, false
	c.Duplicates = dedupWindow
	c.MaxAge, c.MaxBytes, c.Replicas = l.MaxAge, l.MaxBytes, max(1, l.Replicas)
	if c.MaxBytes == 0 {
		c.MaxBytes = -1
	}
	c.MaxMsgs, c.MaxMsgsPerSubject, c.MaxMsgSize = -1, -1, -1
	return c
}

// first is the position a new stream begins with: the first one it would still keep.
func (r *Relay) first(ctx context.Context) (int64, error) {
	head, err := r.Store.Head(ctx)
	if err != nil {
		return 0, err
	}
	first, err := r.firstByAge(ctx, head.Position)
	if err != nil || r.Limits.MaxBytes == 0 {
		return first, err
	}
	return r.firstByBytes(ctx, first, head.Position)
}

// keepsFrom is the first position that a stream ought to have: the first of the history, unless it has
// limits, which may have dropped whatever lies before its first message.
func keepsFrom(is *jetstream.StreamInfo) int64 {
	if is.Config.MaxAge == 0 && is.Config.MaxBytes <= 0 {
		return 1
	}
	return int64(is.State.FirstSeq)
}

// firstByAge may search by halves, since the time of record never decreases with the position.
func (r *Relay) firstByAge(ctx context.Context, head int64) (int64, error) {
	if r.Limits.MaxAge == 0 {
		return 1, nil
	}
	var failure error
	since := time.Now().Add(-r.Limits.MaxAge)
	older := sort.Search(int(head), func(i int) bool {
		e, err := at(ctx, r.Store, int64(i)+1)
		failure = errors.Join(failure, err)
		return err != nil || !e.RecordedAt.Before(since)
	})
	return int64(older) + 1, failure
}

// firstByBytes walks back from the head until the limit is used up. It counts bodies alone: what it
// takes too many, the stream drops again.
func (r *Relay) firstByBytes(ctx context.Context, first, head int64) (int64, error) {
	left := r.Limits.MaxBytes
	for to := head; to >= first; to -= chunk {
		from := max(first, to-chunk+1)
		events, err := r.Store.Read(ctx, from-1, int(to-from+1))
		if err != nil {
			return 0, err
		}
		for i := len(events) - 1; i >= 0; i-- {
			if left -= int64(len(envelope.Encode(events[i], 1))); left < 0 {
				return events[i].Position + 1, nil
			}
		}
	}
	return first, nil
}

// at answers the event at a position, which the store must have.
func at(ctx context.Context, store eventstore.Store, position int64) (eventstore.Recorded, error) {
	events, err := store.Read(ctx, position-1, 1)
	if err != nil {
		return eventstore.Recorded{}, err
	}
	if len(events) == 0 || events[0].Position != position {
		return eventstore.Recorded{}, &missing{position}
	}
	return events[0], nil
}
