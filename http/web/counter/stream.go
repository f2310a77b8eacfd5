package counter

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Stream holds the counts, one message for each.
const Stream = "GESTA_LIMITS"

const prefix = "gesta.limits."

// How much the stream holds: whoever can ask from very many addresses must not fill the memory of NATS. What is too
// much drops the counts that have not changed for longest.
const (
	maxCounts = 1 << 18
	maxBytes  = 64 << 20
	// afterwards is how long counts outlive the longest window, for clocks that differ.
	afterwards = time.Minute
	// dedupWindow is the shortest there is: counts have no ids.
	dedupWindow = 100 * time.Millisecond
)

// Prepare makes the stream where there is none, and has one that was made under shorter limits keep counts for longer.
// What can't be done now, Add does later.
func (c *Counter) Prepare(ctx context.Context) {
	if !c.nc.IsConnected() {
		return
	}
	if err := c.prepare(ctx); err != nil {
		c.Log.Warn("the stream of counts is not as it ought to be", "error", err)
	}
}

func (c *Counter) prepare(ctx context.Context) error {
	s, err := c.js.Stream(ctx, Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return c.create(ctx)
	}
	if err != nil {
		return err
	}
	is := s.CachedInfo().Config
	if ought := c.config(is); !reflect.DeepEqual(is, ought) {
		_, err = c.js.UpdateStream(ctx, ought)
	}
	return err
}

// create is content with a stream that another process has made, whatever its limits.
func (c *Counter) create(ctx context.Context) error {
	_, err := c.js.CreateStream(ctx, c.config(jetstream.StreamConfig{Name: Stream, Storage: jetstream.MemoryStorage}))
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil
	}
	return err
}

// config is what a stream ought to be. It never keeps counts for less long than it does: other processes may have longer
// windows.
func (c *Counter) config(s jetstream.StreamConfig) jetstream.StreamConfig {
	s.Subjects = []string{prefix + "*"}
	s.AllowMsgCounter = true
	s.Retention, s.Discard = jetstream.LimitsPolicy, jetstream.DiscardOld
	s.MaxMsgsPerSubject, s.MaxMsgs, s.MaxBytes = 1, maxCounts, maxBytes
	s.MaxAge = max(s.MaxAge, c.Longest+afterwards)
	s.Duplicates = dedupWindow
	s.Replicas = max(1, c.Replicas)
	return s
}
