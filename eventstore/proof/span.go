package proof

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// span is a part of a tree: the leaves from one up to another, not included.
type span struct{ from, to int64 }

func (s span) size() int64 { return s.to - s.from }

// halves are what RFC 6962 makes a node of: the largest power of two that is smaller, and the rest.
func (s span) halves() (left, right span) {
	middle := s.from + 1<<(bits.Len64(uint64(s.size()-1))-1)
	return span{s.from, middle}, span{middle, s.to}
}

// isNode tells a subtree that is kept as a hash.
func (s span) isNode() bool { return s.size()&(s.size()-1) == 0 }

func (s span) index() int64 {
	return tlog.StoredHashIndex(bits.TrailingZeros64(uint64(s.size())), s.from/s.size())
}

func (s span) apart(other span) bool { return s.to <= other.from || other.to <= s.from }

// outside lists the subtrees of s that stand for all that is not in the part, in the order in which rootAround asks
// for them: O(log n).
func (s span) outside(part span, all []int64) []int64 {
	switch {
	case part.from <= s.from && s.to <= part.to:
		return all
	case s.apart(part) && s.isNode():
		return append(all, s.index())
	}
	left, right := s.halves()
	return right.outside(part, left.outside(part, all))
}

// rootAround is the root of s, of the leaves in the part and of the subtrees beside it, each asked for once, from the
// left to the right.
func (s span) rootAround(part span, outside, leaf func() (tlog.Hash, error)) (tlog.Hash, error) {
	switch {
	case s.apart(part) && s.isNode():
		return outside()
	case s.size() == 1:
		return leaf()
	}
	left, right := s.halves()
	a, err := left.rootAround(part, outside, leaf)
	if err != nil {
		return a, err
	}
	b, err := right.rootAround(part, outside, leaf)
	return tlog.NodeHash(a, b), err
}
