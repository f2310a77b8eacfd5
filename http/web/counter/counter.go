// Package counter counts for all processes together: in a JetStream stream of counters, where each publication answers
// the sum. NATS sees neither what is counted nor whom.
package counter

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/http/web"
)

// Options say how a Counter counts.
type Options struct {
	Key      []byte        // hashes what is counted; the same in every process
	Longest  time.Duration // what is the longest that anything is counted for
	Replicas int           // on how many NATS servers counts are held; 0 for 1
	Wait     time.Duration // for an answer; 0 for 100 ms
	Log      *slog.Logger
}

// How long an answer may take, and how long nobody waits after there was none.
const (
	wait  = 100 * time.Millisecond
	pause = time.Second
)

// Counter is a web.Counter. While NATS is away or silent it refuses at once, and one request in a second tries.
type Counter struct {
	Options
	nc    *nats.Conn
	js    jetstream.JetStream
	retry atomic.Int64 // unix nanoseconds: when it is tried again; 0 while all is well
}

var _ web.Counter = (*Counter)(nil)

// New counts over a connection.
func New(nc *nats.Conn, o Options) (*Counter, error) {
	js, err := jetstream.New(nc)
	if o.Wait == 0 {
		o.Wait = wait
	}
	return &Counter{Options: o, nc: nc, js: js}, err
}

// Why nothing was counted.
const (
	away   = web.Uncounted("away")   // there is no connection to NATS
	slow   = web.Uncounted("slow")   // it has not answered in time
	failed = web.Uncounted("failed") // it has refused
	paused = web.Uncounted("paused") // it has just not answered, or refused
)

// Add is web.Counter.Add. It has its own time: what is left of a request's says nothing about NATS.
func (c *Counter) Add(ctx context.Context, key string, n int, ends time.Time) (int, error) {
	if !c.nc.IsConnected() {
		return 0, away
	}
	add := c.add
	if at := c.retry.Load(); at != 0 {
		if !c.mayTry(at, time.Now()) {
			return 0, paused
		}
		add = c.addAnew
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Wait)
	defer cancel()
	sum, err := add(ctx, c.subject(key, ends), n)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		sum, err = c.addAnew(ctx, c.subject(key, ends), n)
	}
	c.note(err)
	return sum, reasonOf(err)
}

// mayTry lets one through when it is time to try again.
func (c *Counter) mayTry(at int64, now time.Time) bool {
	return now.UnixNano() >= at && c.retry.CompareAndSwap(at, now.Add(pause).UnixNano())
}

func reasonOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return slow
	}
	return failed
}

// note remembers whether counting works, and says so when that changes.
func (c *Counter) note(err error) {
	if err == nil {
		if c.retry.Swap(0) != 0 {
			c.Log.Info("requests are counted together again")
		}
		return
	}
	if c.retry.Swap(time.Now().Add(pause).UnixNano()) == 0 {
		c.Log.Warn("requests are not counted for the rate limits, and pass", "error", err)
	}
}

// add never waits for a stream that is not there.
func (c *Counter) add(ctx context.Context, subject string, n int) (int, error) {
	m := &nats.Msg{Subject: subject, Header: nats.Header{"Nats-Incr": {strconv.Itoa(n)}}}
	ack, err := c.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(ack.Value)
}

// addAnew makes the stream first: it is lost with the memory of NATS. That it is missing shows at once, or not at all
// where somebody else hears what is said to it.
func (c *Counter) addAnew(ctx context.Context, subject string, n int) (int, error) {
	if err := c.create(ctx); err != nil {
		return 0, err
	}
	return c.add(ctx, subject, n)
}

// subject hashes what is counted, whose window is part of it: a stream of counters can't end one by one.
func (c *Counter) subject(key string, ends time.Time) string {
	mac := hmac.New(sha256.New, c.Key)
	mac.Write(strconv.AppendInt(nil, ends.Unix(), 10))
	mac.Write([]byte(" " + key))
	return prefix + hex.EncodeToString(mac.Sum(nil)[:16])
}
