package commands

import (
	"context"
	"encoding/json"
	"errors"

	"gesta/eventstore"
)

type onceKey struct{}

// once is the record that the one append under a context brings.
type once struct {
	scope, key  string
	fingerprint []byte
	spent       bool
}

// Once answers a context under which one append may be made, with a record of the scope and key in the
// same commit: whoever comes a second time is refused with *eventstore.Repeated. Deciding nothing leaves
// no record. The context is for one goroutine.
func Once(ctx context.Context, scope, key string) context.Context {
	return context.WithValue(ctx, onceKey{}, &once{scope: scope, key: key, fingerprint: []byte{}})
}

// errTwice is a programmer's mistake: the second append would be taken for a repetition of the first.
var errTwice = errors.New("commands: a second append under one Once")

// record answers the record that the work's append brings; nil for none.
func (w *Work) record() (*eventstore.Idempotency, error) {
	o, ok := w.ctx.Value(onceKey{}).(*once)
	switch {
	case !ok:
		return nil, nil
	case o.spent:
		return nil, errTwice
	}
	return o.record(w.made())
}

// made are the streams that have new events.
func (w *Work) made() (all []Revision) {
	for _, t := range w.tracks {
		if len(t.events) > 0 {
			all = append(all, Revision{t.stream, t.version + int64(len(t.events))})
		}
	}
	return all
}

func (o *once) record(made []Revision) (*eventstore.Idempotency, error) {
	result, err := json.Marshal(Made{made})
	return &eventstore.Idempotency{Scope: o.scope, Key: o.key, Fingerprint: o.fingerprint, Result: result}, err
}

// spend notes that the work was appended.
func (w *Work) spend() {
	if o, ok := w.ctx.Value(onceKey{}).(*once); ok {
		o.spent = true
	}
}
