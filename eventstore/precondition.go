package eventstore

import (
	"context"
	"sync"
)

// Precondition is a claim that must be held for anything to be answered or appended under a context: that
// of a session that lives, say. A store asks for it in the same round trip as the first question under the
// context; where nothing was asked, Met asks.
type Precondition struct {
	Store Store // that knows who holds the claim
	Claim Claim

	refusal error // where nobody holds it
	mu      sync.Mutex
	judged  bool
	verdict error
}

type preconditionKey struct{}

// WithPrecondition answers a context that Require can put a precondition in. Whoever makes one must ask
// Met before anything is said to anybody.
func WithPrecondition(ctx context.Context) context.Context {
	return context.WithValue(ctx, preconditionKey{}, new(*Precondition))
}

// WithoutPrecondition answers a context under which something is asked whatever becomes of the precondition.
func WithoutPrecondition(ctx context.Context) context.Context {
	return context.WithValue(ctx, preconditionKey{}, nil)
}

// Require refuses whatever is asked under ctx unless the claim is held. Where ctx has no place for a
// precondition, or has one already, that is found out at once.
func Require(ctx context.Context, s Store, c Claim, refusal error) error {
	p := &Precondition{Store: s, Claim: c, refusal: refusal}
	place, _ := ctx.Value(preconditionKey{}).(**Precondition)
	if place == nil || *place != nil {
		return p.ask(ctx)
	}
	*place = p
	return nil
}

// Met answers nil where ctx has no precondition or it is met, and the refusal where it is not.
func Met(ctx context.Context) error {
	p, err := Unasked(ctx)
	if p == nil {
		return err
	}
	return p.ask(ctx)
}

// Unasked answers the precondition of ctx if it is still to be asked for, so that it can go along with
// another question; otherwise what came of it.
func Unasked(ctx context.Context) (*Precondition, error) {
	place, _ := ctx.Value(preconditionKey{}).(**Precondition)
	if place == nil || *place == nil {
		return nil, nil
	}
	p := *place
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.judged {
		return nil, p.verdict
	}
	return p, nil
}

func (p *Precondition) ask(ctx context.Context) error {
	_, held, err := p.Store.Holder(WithoutPrecondition(ctx), p.Claim)
	if err != nil {
		return p.Fail(err)
	}
	return p.Judge(held)
}

// Judge notes whether the claim is held, and answers the refusal if it is not.
func (p *Precondition) Judge(held bool) error {
	if held {
		return p.Fail(nil)
	}
	return p.Fail(p.refusal)
}

// Fail notes that it could not be found out whether the claim is held: so nothing is answered either.
func (p *Precondition) Fail(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judged, p.verdict = true, err
	return err
}
