package proof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/eventstore"
)

// Audit makes the log anew from the events, and compares it with the tiles, with the checkpoint that was signed last,
// and with others that were kept. It reads page by page, and holds no more than that.
type Audit struct {
	DB       DB
	Store    eventstore.Store
	Open     Opener
	Kept     []KeptCheckpoint
	Report   func(finding string)
	Progress func(position, of int64) // is told after each page; nil for nobody
}

const (
	auditPage = 10 * tileWidth // events, and the tiles they fill, that are compared at once

	// maxDifferences is how many tiles that differ are looked into; the others are counted.
	maxDifferences = 1000
)

// audit is an Audit on its way.
type audit struct {
	Audit
	row
	signed *Checkpoint // nil where none is there that this key has signed
	edge
	page    []difference // tiles of this page
	missing [][2]int64   // from, to
	met     []bool       // by kept checkpoint, as far as the events reach

	differences []difference
	more, tiles int

	buffer  []byte
	rowsAre *tlog.Hash // the root of the events at the size that was signed; nil where they don't reach so far
	end     int64      // the last event that was looked at
	stopped bool       // at a gap that is too large: what follows it was not looked at
}

// Run answers what was compared, with counts, and reports what is wrong. Err says why it could not be told.
func (a Audit) Run(ctx context.Context) (checked string, err error) {
	w := &audit{Audit: a}
	w.Kept = slices.SortedStableFunc(slices.Values(a.Kept), func(x, y KeptCheckpoint) int { return cmp.Compare(x.N, y.N) })
	if w.row, err = readRow(ctx, a.DB); err != nil {
		return "", err
	}
	w.openSigned()
	if err := w.walk(ctx, w.reach()); err != nil {
		return "", err
	}
	if w.end < w.size() && !w.stopped {
		w.say("%s missing: the history ends at %d", positions(w.end+1, w.size(), "is", "are"), w.end)
	}
	if err := w.compareKept(ctx); err != nil {
		return "", err
	}
	err = w.judge(ctx)
	return w.checked(), err
}

func (w *audit) say(format string, args ...any) { w.Report(fmt.Sprintf(format, args...)) }

// size is that of the tiles.
func (w *audit) size() int64 { return w.row.size }

// reach is as far as anything speaks of.
func (w *audit) reach() int64 {
	reach := w.size()
	for _, k := range w.Kept {
		reach = max(reach, k.N)
	}
	if w.signed != nil {
		reach = max(reach, w.signed.N)
	}
	return reach
}

func (w *audit) checked() string {
	text := fmt.Sprintf("%d events, %d tiles", w.end, w.tiles)
	if w.signed != nil {
		text += fmt.Sprintf(", signed up to %d", w.signed.N)
	}
	if len(w.Kept) > 0 {
		text += fmt.Sprintf(", %d kept checkpoints", len(w.Kept))
	}
	return text
}

func (w *audit) openSigned() {
	if w.text == "" {
		if w.size() > 0 {
			w.say("no checkpoint is signed, though the log has %d events", w.size())
		}
		return
	}
	c, err := w.Open(w.text)
	switch {
	case errors.Is(err, ErrSignature):
		w.say("the checkpoint is forged: it is not signed by this key")
	case err != nil:
		w.say("the checkpoint is none: %v", err)
	case c.N != w.row.signed:
		w.say("the checkpoint stands for %d events, and is kept as one of %d", c.N, w.row.signed)
	case c.N > w.size():
		w.say("the log has %d of the %d events that were signed: its tail was cut, or it is being made anew", w.size(), c.N)
	}
	if err == nil {
		w.signed = &c
	}
}

// walk adds all events up to a position. In the place of one that is missing stands what no event has for a hash.
func (w *audit) walk(ctx context.Context, reach int64) error {
	for after := int64(0); after < reach; after = w.end {
		rows, err := w.Store.Read(ctx, after, int(min(auditPage, reach-after)))
		if err == nil {
			err = w.addRows(rows, reach)
		}
		if err == nil {
			err = w.compare(ctx)
		}
		if err != nil {
			return err
		}
		if w.Progress != nil {
			w.Progress(w.end, reach)
		}
		if w.end == after || w.stopped {
			break
		}
	}
	if w.edge.size < w.size() { // What there is of the last tiles is compared all the same.
		w.partial(w.take)
	}
	return w.compare(ctx)
}

func (w *audit) addRows(rows []eventstore.Recorded, reach int64) error {
	for _, r := range rows {
		if r.Position > reach {
			return nil
		}
		if err := w.skip(r.Position - 1); err != nil || w.stopped {
			return err
		}
		var h tlog.Hash
		h, w.buffer = LeafOf(r).hash(w.buffer)
		if err := w.grow(h); err != nil {
			return err
		}
		w.end = r.Position
	}
	return nil
}

// skip stands for events that are missing up to a position. Of more than a page there is no telling how many there are:
// a position is as large as whoever changed it wants.
func (w *audit) skip(last int64) error {
	first := w.edge.size + 1
	if first > last {
		return nil
	}
	if last-first >= auditPage {
		w.stopped = true
		w.say("positions %d to %d are missing: what follows them was not looked into", first, last)
		return nil
	}
	w.say("%s missing", positions(first, last, "is", "are"))
	w.missing = append(w.missing, [2]int64{first, last})
	for w.edge.size < last {
		if err := w.grow(tlog.Hash{}); err != nil {
			return err
		}
	}
	return nil
}

func positions(first, last int64, is, are string) string {
	if first == last {
		return fmt.Sprintf("position %d %s", first, is)
	}
	return fmt.Sprintf("positions %d to %d %s", first, last, are)
}

// take keeps a tile to be compared with the stored one.
func (w *audit) take(p place, hashes []byte) {
	w.page = append(w.page, difference{place: p, made: hashes[:len(hashes):len(hashes)]})
}

// grow adds a leaf, and takes down what is asked for of trees of this size.
func (w *audit) grow(h tlog.Hash) error {
	full := w.take
	if w.edge.size >= w.size() {
		full = func(place, []byte) {} // No tile has to be there yet.
	}
	w.add(h, full)
	if w.edge.size == w.size() {
		w.partial(func(p place, hashes []byte) { w.take(p, slices.Clone(hashes)) })
	}
	asked := w.signed != nil && w.edge.size == w.signed.N
	for len(w.met) < len(w.Kept) && w.Kept[len(w.met)].N == w.edge.size {
		root, err := w.root()
		if err != nil {
			return err
		}
		w.met = append(w.met, root == w.Kept[len(w.met)].Hash)
	}
	if !asked {
		return nil
	}
	root, err := w.root()
	w.rowsAre = &root
	return err
}
