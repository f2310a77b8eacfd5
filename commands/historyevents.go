package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"gesta/domain"
	"gesta/eventstore"
)

// StreamPage asks for a part of a stream.
type StreamPage struct {
	After, Before int64 // positions, exclusive; 0 for no bound
	Descending    bool  // the last events first
	Limit         int   // DefaultStreamPage for 0, at most MaxStreamPage
}

// How many events are on a page. It ends sooner behind one with which it has more than maxPageBytes.
const (
	DefaultStreamPage = 100
	MaxStreamPage     = 1000

	maxPageBytes = 8 << 20
	chunk        = 100 // are read at once
)

// Events answers a part of a stream from the store itself, of whatever kind it is, and whether more follow. It refuses
// with ErrStreamNotFound. A position is found in a stream of n events by one read, or by some 2 log n.
func (h History) Events(ctx context.Context, s domain.Stream, q StreamPage) (rows []eventstore.Recorded, more bool, err error) {
	first, err := h.Store.ReadStream(ctx, s, 0, 1)
	if err != nil {
		return nil, false, unavailable(err)
	}
	if len(first) == 0 {
		return nil, false, ErrStreamNotFound
	}
	from, err := h.versionAt(ctx, s, q.After)
	if err != nil {
		return nil, false, unavailable(err)
	}
	q.Limit = min(cmp.Or(max(q.Limit, 0), DefaultStreamPage), MaxStreamPage)
	if q.Descending {
		rows, more, err = h.backwards(ctx, s, from, q)
	} else {
		rows, more, err = h.forwards(ctx, s, from, q)
	}
	return rows, more, unavailable(err)
}

// Shown is what events say, for whoever may see what is personal in them or may not: as seal.Vault.Shown.
func (h History) Shown(ctx context.Context, clear bool, rows []eventstore.Recorded) ([]json.RawMessage, error) {
	shown, err := h.Vault.Shown(ctx, clear, rows...)
	return shown, unavailable(err)
}

// forwards reads what follows a version, and one event more than is wanted.
func (h History) forwards(ctx context.Context, s domain.Stream, from int64, q StreamPage) (rows []eventstore.Recorded, more bool, err error) {
	for size := 0; ; {
		read, err := h.Store.ReadStream(ctx, s, from, min(chunk, q.Limit-len(rows)+1))
		if err != nil || len(read) == 0 {
			return rows, false, err
		}
		for _, r := range read {
			switch {
			case q.Before > 0 && r.Position >= q.Before:
				return rows, false, nil
			case len(rows) == q.Limit || size > maxPageBytes:
				return rows, true, nil
			}
			rows, size, from = append(rows, r), size+len(r.Data)+len(r.Meta), r.Version
		}
	}
}

// backwards reads what is between a version and the bound, from the bound on.
func (h History) backwards(ctx context.Context, s domain.Stream, from int64, q StreamPage) (rows []eventstore.Recorded, more bool, err error) {
	end := int64(math.MaxInt64)
	if q.Before > 0 {
		end = q.Before - 1
	}
	to, err := h.versionAt(ctx, s, end)
	for size := 0; err == nil && to > from && len(rows) < q.Limit && size <= maxPageBytes; {
		n := min(chunk, q.Limit-len(rows), int(to-from))
		read, failed := h.Store.ReadStream(ctx, s, to-int64(n), n)
		if err = failed; err != nil {
			break
		}
		for _, r := range slices.Backward(read) {
			if size > maxPageBytes {
				break
			}
			rows, size, to = append(rows, r), size+len(r.Data)+len(r.Meta), r.Version-1
		}
	}
	return rows, to > from, err
}

// versionAt is how many events of a stream there are up to a position, which most often is that of one of them.
func (h History) versionAt(ctx context.Context, s domain.Stream, position int64) (int64, error) {
	if position <= 0 {
		return 0, nil
	}
	if position < math.MaxInt64 {
		at, err := h.Store.Read(ctx, position-1, 1)
		if err != nil || len(at) > 0 && at[0].Stream == s {
			return versionOf(at), err
		}
	}
	low, high := int64(0), int64(1)
	for {
		has, err := h.has(ctx, s, high, position)
		if err != nil {
			return 0, err
		}
		if !has {
			break
		}
		low, high = high, 2*high
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		has, err := h.has(ctx, s, middle, position)
		if err != nil {
			return 0, err
		}
		if has {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

func versionOf(rows []eventstore.Recorded) int64 {
	if len(rows) == 0 {
		return 0
	}
	return rows[0].Version
}

// has tells whether a version of a stream is there and not behind a position.
func (h History) has(ctx context.Context, s domain.Stream, version, position int64) (bool, error) {
	rows, err := h.Store.ReadStream(ctx, s, version-1, 1)
	return len(rows) > 0 && rows[0].Position <= position, err
}
