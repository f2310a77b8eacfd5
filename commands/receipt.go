package commands

import "context"

// Receipt is what a request's commands led to: where its last event stands (0 without any), and
// whether readers could not see it in time.
type Receipt struct {
	Position int64
	Pending  bool
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

type asideKey struct{}

// Aside answers a context for what is executed on the side: nobody waits until readers see it, and no
// receipt notes it.
func Aside(ctx context.Context) context.Context { return context.WithValue(ctx, asideKey{}, true) }

// settle waits until readers see a work that was appended, and notes both in the receipt.
func (w *Work) settle(position int64) {
	if w.ctx.Value(asideKey{}) == nil {
		noteReceipt(w.ctx, position, w.x.Settle(w.ctx, position, w.written()))
	}
}
