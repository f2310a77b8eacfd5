package proof

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// difference is a tile as it is made of the events, and which of its stored hashes are others or not there.
type difference struct {
	place
	made    []byte // nil once it is compared
	root    *tlog.Hash
	entries []int
	absent  bool // no hash of it is stored
}

// compare compares the tiles of a page with the stored ones.
func (w *audit) compare(ctx context.Context) error {
	if len(w.page) == 0 {
		return nil
	}
	var places []place
	for _, d := range w.page {
		places = append(places, d.place)
	}
	stored, err := readTiles(ctx, w.DB, places...)
	if err != nil {
		return err
	}
	for _, d := range w.page {
		w.tiles++
		if hashes := stored[d.place]; !bytes.HasPrefix(hashes, d.made) {
			w.differ(d, hashes)
		}
	}
	w.page = w.page[:0]
	return nil
}

func (w *audit) differ(d difference, stored []byte) {
	if len(w.differences) == maxDifferences {
		w.more++
		return
	}
	for i := range len(d.made) / tlog.HashSize {
		of := func(hashes []byte) []byte {
			return hashes[min(i*tlog.HashSize, len(hashes)):min((i+1)*tlog.HashSize, len(hashes))]
		}
		if !bytes.Equal(of(d.made), of(stored)) {
			d.entries = append(d.entries, i)
		}
	}
	if len(d.made) == tileBytes {
		root := rootOf(d.made)
		d.root = &root
	}
	d.made, d.absent = nil, len(stored) == 0
	w.differences = append(w.differences, d)
}

// judge tells changed events from changed tiles by the checkpoint that was signed.
func (w *audit) judge(ctx context.Context) error {
	j, err := w.judgement(ctx)
	if err != nil {
		return err
	}
	found := len(w.missing)
	for _, d := range w.differences {
		n, err := j.blame(d)
		if err != nil {
			return err
		}
		found += n
	}
	if w.more > 0 {
		w.say("%d more tiles of hashes are not those of the events", w.more)
	}
	if wrong := w.rowsAre != nil && *w.rowsAre != w.signed.Hash; wrong && found == 0 {
		w.say("the root of the first %d events is not the one that was signed: events and hashes were changed together, or another history was signed", w.signed.N)
	}
	return nil
}

// judgement is what differences are judged by.
type judgement struct {
	*audit
	right    int64           // up to here all events are proven to be those that were signed
	tree     tlog.Tree       // what was signed, or else what the tiles come to
	proven   tlog.HashReader // nil where the tiles come to nothing
	explains map[place]bool  // tiles that differ
}

func (w *audit) judgement(ctx context.Context) (judgement, error) {
	j := judgement{audit: w, explains: map[place]bool{}}
	for _, d := range w.differences {
		j.explains[d.place] = true
	}
	switch {
	case w.signed != nil:
		j.tree = w.signed.Tree
		if w.rowsAre != nil && *w.rowsAre == w.signed.Hash {
			j.right = w.signed.N
		}
	case w.size() > 0:
		tree, err := treeOf(ctx, w.DB, w.size())
		if errors.Is(err, ErrDamaged) {
			return j, nil
		}
		if err != nil {
			return j, err
		}
		j.tree = tree
	}
	if j.tree.N > 0 {
		j.proven = hashesOf(ctx, w.DB, j.tree)
	}
	return j, nil
}

// blame says who is to blame for a difference, and answers how many findings that were.
func (j judgement) blame(d difference) (found int, err error) {
	right := slices.DeleteFunc(slices.Clone(d.entries), func(i int) bool { return d.last(i) > j.right })
	if len(right) > 0 {
		j.tileDamaged(d, right)
		return 1, nil
	}
	entries := slices.DeleteFunc(slices.Clone(d.entries), func(i int) bool { return j.explained(d.place, i) })
	if len(entries) == 0 {
		return 0, nil
	}
	stored, err := j.isProven(d.level, d.tile*tileWidth+int64(entries[0]), nil)
	if err != nil {
		return 0, err
	}
	made := false
	if !stored && d.root != nil {
		made, err = j.isProven(d.level+1, d.tile, d.root)
	}
	switch {
	case err != nil:
		return 0, err
	case made:
		j.tileDamaged(d, entries)
	case stored && d.level == 0:
		j.eachRun(d, entries, func(first, last int64) { j.say("%s changed", positions(first, last, "is", "are")) })
	case stored:
		j.eachRun(d, entries, func(first, last int64) {
			j.say("%s changed, together with the hashes that stand for them", positions(first, last, "is", "or some of them are"))
		})
	case d.absent:
		j.say("%s of hashes is missing; it stands for positions %d to %d", d.place, d.first(entries[0]), d.last(entries[len(entries)-1]))
	default:
		j.eachRun(d, entries, func(first, last int64) {
			j.say("%s not what the hashes in %s say: which of them was changed can't be told", positions(first, last, "is", "are"), d.place)
		})
	}
	return 1, nil
}

// explained tells a hash that differs since what it stands for does.
func (j judgement) explained(p place, entry int) bool {
	if p.level > 0 {
		return j.explains[place{p.level - 1, p.tile*tileWidth + int64(entry)}]
	}
	position := p.first(entry)
	return slices.ContainsFunc(j.missing, func(gap [2]int64) bool { return gap[0] <= position && position <= gap[1] })
}

// isProven tells whether the stored hash of a place in the tree is what the root vouches for, and is a given one.
func (j judgement) isProven(level int, n int64, want *tlog.Hash) (bool, error) {
	if j.proven == nil || n >= spans(j.tree.N, level) {
		return false, nil
	}
	hashes, err := j.proven.ReadHashes([]int64{tlog.StoredHashIndex(level*tileHeight, n)})
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return err == nil && (want == nil || hashes[0] == *want), err
}

// tileDamaged says which events the hashes stand for, which are what was signed.
func (j judgement) tileDamaged(d difference, entries []int) {
	what := "damaged"
	if d.absent {
		what = "missing"
	}
	j.say("%s of hashes is %s; it stands for positions %d to %d, whose events are as they were signed", d.place, what,
		d.first(entries[0]), d.last(entries[len(entries)-1]))
}

// eachRun shows neighbours together.
func (j judgement) eachRun(d difference, entries []int, show func(first, last int64)) {
	for i := 0; i < len(entries); {
		n := i + 1
		for n < len(entries) && entries[n] == entries[n-1]+1 {
			n++
		}
		show(d.first(entries[i]), d.last(entries[n-1]))
		i = n
	}
}
