package commands

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"gesta/domain"
	"gesta/eventstore"
)

// Request is what a client wants to happen once, however often it asks.
type Request struct {
	Scope string // whose keys these are
	Key   string // of the client's choosing
	Asks  string // all that is asked; another request under the same key is refused
}

// Refusals of keys.
var (
	ErrKeyReused = &domain.Fault{
		Kind: domain.Unprocessable, Code: "idempotency_key_reused", Text: "this Idempotency-Key was used for another request",
	}
	ErrInProgress = &domain.Fault{
		Kind: domain.Conflict, Code: "request_in_progress", Retry: time.Second,
		Text: "a request with this Idempotency-Key is still being processed",
	}
)

// KeyLife is how long a key is known for, at the least.
const KeyLife = 24 * time.Hour

// How long a request waits for another one under the same key.
const keyWait = 2 * time.Second

// Made is what a request led to: the streams that its append wrote, each at the version that it left.
type Made struct{ Streams []Revision }

// Of is the first stream of a kind; zero if there is none.
func (m Made) Of(kind string) Revision {
	for _, s := range m.Streams {
		if s.Stream.Kind == kind {
			return s
		}
	}
	return Revision{}
}

// Last is the last stream of a kind; zero if there is none.
func (m Made) Last(kind string) (last Revision) {
	for _, s := range m.Streams {
		if s.Stream.Kind == kind {
			last = s
		}
	}
	return last
}

func (m Made) streams() (all []domain.Stream) {
	for _, s := range m.Streams {
		all = append(all, s.Stream)
	}
	return all
}

// spelled is how a stream stands in a record.
type spelled struct {
	Stream  string `json:"stream"`
	Version int64  `json:"version"`
}

// MarshalJSON spells the streams.
func (m Made) MarshalJSON() ([]byte, error) {
	all := make([]spelled, len(m.Streams))
	for i, s := range m.Streams {
		all[i] = spelled{s.Stream.String(), s.Version}
	}
	return json.Marshal(map[string][]spelled{"made": all})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Made) UnmarshalJSON(text []byte) error {
	var in struct{ Made []spelled }
	err := json.Unmarshal(text, &in)
	if in.Made == nil {
		err = errors.Join(err, errors.New("commands: a record without what was made"))
	}
	for _, one := range in.Made {
		s, bad := domain.ParseStream(one.Stream)
		m.Streams, err = append(m.Streams, Revision{s, one.Version}), errors.Join(err, bad)
	}
	return err
}

// Repeat has do happen once for a request: its record is in the same commit as what do appends, once at most, or
// in one of its own when do decides nothing. Whoever asks again gets what the first one made; so does whoever asks
// at the same time and loses. What do refuses leaves no record. It refuses with ErrKeyReused, with ErrInProgress when
// another one is at it for too long, and with what do refuses with.
func (x *Executor) Repeat(ctx context.Context, r Request, do func(context.Context) error) (made Made, again bool, err error) {
	o := x.once(r)
	if err := x.awaitKey(ctx, o.key); err != nil {
		return made, false, err
	}
	defer x.keys.release(o.key)
	if made, again, err = x.made(ctx, o); again || err != nil {
		return made, again, err
	}
	if err = do(context.WithValue(ctx, onceKey{}, o)); err == nil && !o.spent {
		err = x.recordAlone(ctx, o)
	}
	if err == nil || o.spent {
		return made, false, err
	}
	// What was refused may have been done meanwhile, by the same request at another process: without knowing that,
	// nothing is certain.
	if done, again, lost := x.made(ctx, o); again || lost != nil {
		return done, again, lost
	}
	return made, false, err
}

// Repeated answers what a request has led to, if it was made before.
func (x *Executor) Repeated(ctx context.Context, r Request) (made Made, again bool, err error) {
	return x.made(ctx, x.once(r))
}

// once keeps neither key nor request: clients choose them, and may put anything into them.
func (x *Executor) once(r Request) *once {
	key, asks := x.Claims.sum("request", r.Scope+"\x00"+r.Key), x.Claims.sum("asks", r.Asks)
	return &once{scope: eventstore.RequestScope, key: hex.EncodeToString(key[:]), fingerprint: asks[:]}
}

func (x *Executor) awaitKey(ctx context.Context, key string) error {
	waiting, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	err := x.keys.acquire(waiting, key)
	if err != nil && ctx.Err() == nil {
		return ErrInProgress
	}
	return unavailable(err)
}

func (x *Executor) made(ctx context.Context, o *once) (made Made, again bool, err error) {
	first, again, err := x.Store.Idempotent(ctx, o.scope, o.key)
	switch {
	case err != nil || !again:
		return made, false, unavailable(err)
	case !hmac.Equal(first.Fingerprint, o.fingerprint):
		return made, false, ErrKeyReused
	}
	return made, true, json.Unmarshal(first.Result, &made)
}

// recordAlone records that there was nothing to decide.
func (x *Executor) recordAlone(ctx context.Context, o *once) error {
	record, err := o.record(nil)
	if err := errors.Join(err, Proven(ctx)); err != nil {
		return err
	}
	_, err = x.Store.Append(ctx, eventstore.Append{Idempotency: record})
	return unavailable(err)
}

// Settled waits until readers see all that has happened so far, and notes it in the receipt: whoever repeats a
// request hears how far that was.
func (x *Executor) Settled(ctx context.Context, made Made) error {
	head, err := x.Store.Head(ctx)
	if err == nil {
		noteReceipt(ctx, head.Position, x.Settle(ctx, head.Position, made.streams()))
	}
	return unavailable(err)
}

// How many records of requests are forgotten in one go, and how often there are any.
const (
	forgetBatch = 1000
	forgetEvery = time.Minute
)

// ForgetRequests removes the records of requests whose time is over, a few at a time, until ctx ends. Any number of
// processes may do it.
func (x *Executor) ForgetRequests(ctx context.Context, failed func(error)) {
	for ctx.Err() == nil {
		n, err := x.Store.ForgetRequests(ctx, KeyLife, forgetBatch)
		if err != nil && ctx.Err() == nil {
			failed(err)
		}
		if n < forgetBatch {
			rest(ctx, forgetEvery)
		}
	}
}
