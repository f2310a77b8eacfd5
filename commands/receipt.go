package commands

import (
	"context"

	"gesta/domain"
)

// Receipt is what a request's commands led to: where its last event stands (0 without any), and
// whether readers could not see it in time.
type Receipt struct {
	Position  int64
	Pending   bool
	Revisions []Revision // of what was looked at or changed, the latest last
}

// Revision is a stream at the version of the last event that changed what is shown of it.
type Revision struct {
	Stream  domain.Stream
	Version int64
}

type receiptKey struct{}

// WithReceipt answers a context that notes in the receipt what is executed under it.
func WithReceipt(ctx context.Context) (context.Context, *Receipt) {
	r := &Receipt{}
	return context.WithValue(ctx, receiptKey{}, r), r
}

func noteReceipt(ctx context.Context, position int64, settled bool) {
	if r, ok := ctx.Value(receiptKey{}).(*Receipt); ok {
		r.Position, r.Pending = max(r.Position, position), r.Pending || !settled
	}
}

func noteRevision(ctx context.Context, s domain.Stream, version int64) {
	if r, ok := ctx.Value(receiptKey{}).(*Receipt); ok && ctx.Value(asideKey{}) == nil && version > 0 {
		r.Revisions = append(r.Revisions, Revision{s, version})
	}
}

func (w *Work) noteRevisions() {
	for _, t := range w.tracks {
		noteRevision(w.ctx, t.stream, t.revision)
	}
}

type asideKey struct{}

// Aside answers a context for what is executed on the side: nobody waits until readers see it, no receipt
// notes it, no record of a request comes with it, and no condition is put on it.
func Aside(ctx context.Context) context.Context {
	for _, key := range []any{onceKey{}, conditionKey{}} {
		ctx = context.WithValue(ctx, key, nil)
	}
	return context.WithValue(ctx, asideKey{}, true)
}

// settle waits until readers see a work that was appended, and notes both in the receipt.
func (w *Work) settle(position int64) {
	if w.ctx.Value(asideKey{}) == nil {
		noteReceipt(w.ctx, position, w.x.Settle(w.ctx, position, w.written()))
	}
}
