package projections

import (
	"cmp"
	"context"
	"iter"
	"math"
	"time"

	"gesta/domain"
)

// errNotIndexed is what whoever waits for a position is told when it takes too long.
var errNotIndexed = &domain.Fault{
	Kind: domain.Unavailable, Code: "position_not_reached", Text: "the index of the history has not reached this position yet", Retry: time.Second,
}

const (
	indexBound = 2 * time.Second       // for which somebody waits for a position, at most
	indexPoll  = 25 * time.Millisecond // meanwhile
	tailPoll   = 200 * time.Millisecond
)

// Await waits until all events up to a position are found, for two seconds at most. It answers a Fault of kind
// Unavailable where they are not by then.
func (h History) Await(ctx context.Context, position int64) error {
	bounded, cancel := context.WithTimeoutCause(ctx, indexBound, errNotIndexed)
	defer cancel()
	for {
		at, err := h.Indexed(bounded)
		switch {
		case err == nil && at >= position:
			return nil
		case bounded.Err() != nil:
			return context.Cause(bounded)
		case err != nil:
			return err
		}
		rest(bounded, indexPoll)
	}
}

// Pages are all pages from the one that is asked for to where the history ends when the first is read, each in a short
// read of its own. They end with the first error. Without a limit they are of MaxHistoryLimit.
func (h History) Pages(ctx context.Context, q HistoryQuery) iter.Seq2[HistoryPage, error] {
	q.Limit = cmp.Or(q.Limit, MaxHistoryLimit)
	return func(yield func(HistoryPage, error) bool) {
		for {
			p, err := h.Events(ctx, q)
			if !yield(p, err) || err != nil || !p.More {
				return
			}
			if q = q.Beyond(p); !q.Descending {
				q.Before = min(cmp.Or(q.Before, math.MaxInt64), max(p.Indexed, q.After)+1)
			}
		}
	}
}

// Tail are all pages from the one that is asked for, in the order of the history, and then those of what comes, until ctx
// ends, or with the first error. While nothing comes there is an empty one every so often, so that whoever writes them to
// somebody can see whether that one is still there.
func (h History) Tail(ctx context.Context, q HistoryQuery) iter.Seq2[HistoryPage, error] {
	q.Descending, q.Limit = false, cmp.Or(q.Limit, MaxHistoryLimit)
	return func(yield func(HistoryPage, error) bool) {
		for {
			p, err := h.Events(ctx, q)
			if ctx.Err() != nil || !yield(p, err) || err != nil {
				return
			}
			if q = q.Beyond(p); !p.More && !h.awaitMore(ctx, p.Indexed, yield) {
				return
			}
		}
	}
}

// awaitMore waits until the index has moved on, and tells whether anybody still wants to know.
func (h History) awaitMore(ctx context.Context, from int64, yield func(HistoryPage, error) bool) bool {
	for {
		if rest(ctx, tailPoll); ctx.Err() != nil {
			return false
		}
		at, err := h.Indexed(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			yield(HistoryPage{}, err)
			return false
		case at != from:
			return true
		case !yield(HistoryPage{Indexed: at}, nil):
			return false
		}
	}
}
