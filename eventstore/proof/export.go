package proof

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/eventstore"
)

// exportPage is how many events are read at once.
const exportPage = 1000

// Export writes the events of some positions, with what proves them by the last checkpoint: whoever has the key can
// verify them without anything else. It reads in short statements, and holds a page at a time. To is 0 for all that is
// signed; key is shown in the head.
//
// It refuses like Prover.Inclusion but for faults of a damaged log, and answers ErrDamaged where what it has written is not what was signed.
func (p Prover) Export(ctx context.Context, out io.Writer, from, to int64, key string) (Checkpoint, error) {
	c, err := p.Checkpoint(ctx)
	if err != nil {
		return c, err
	}
	if to == 0 {
		to = c.N
	}
	switch {
	case from < 1, to < from:
		return c, ErrNoSizes
	case to > c.N:
		return c, ErrBeyondCheckpoint
	}
	h := head{Format: BundleFormat, Version: bundleVersion, Origin: c.Origin, From: from, To: to, Checkpoint: c.Text, Key: key}
	beside, err := hashesOf(ctx, p.DB, c.Tree).ReadHashes(span{0, c.N}.outside(h.part(), nil))
	if err != nil {
		return c, err
	}
	h.Hashes = make([]string, 0, len(beside))
	for _, one := range beside {
		h.Hashes = append(h.Hashes, one.String())
	}
	return c, p.write(ctx, out, h, c, beside)
}

func (p Prover) write(ctx context.Context, out io.Writer, h head, c Checkpoint, beside []tlog.Hash) error {
	first, err := h.text()
	if err != nil {
		return err
	}
	w := &exporter{ctx: ctx, store: p.Store, out: bufio.NewWriterSize(out, 1<<20), part: h.part(), last: h.From - 1}
	if _, err := w.out.Write(first); err != nil {
		return err
	}
	root, err := span{0, c.N}.rootAround(w.part, next(beside), w.event)
	if err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	if root != c.Hash {
		return fmt.Errorf("%w, or some of positions %d to %d are changed: this bundle does not verify", ErrDamaged, h.From, h.To)
	}
	return nil
}

// next answers one after the other.
func next(hashes []tlog.Hash) func() (tlog.Hash, error) {
	return func() (tlog.Hash, error) {
		if len(hashes) == 0 {
			return tlog.Hash{}, errHashes
		}
		h := hashes[0]
		hashes = hashes[1:]
		return h, nil
	}
}

// exporter writes one event after the other.
type exporter struct {
	ctx    context.Context
	store  eventstore.Store
	out    *bufio.Writer
	part   span
	last   int64
	page   []eventstore.Recorded
	buffer []byte
	line   []byte
}

func (w *exporter) event() (h tlog.Hash, err error) {
	if len(w.page) == 0 {
		if w.page, err = w.store.Read(w.ctx, w.last, int(min(exportPage, w.part.to-w.last))); err != nil {
			return h, err
		}
	}
	if w.last++; len(w.page) == 0 || w.page[0].Position != w.last {
		return h, fmt.Errorf("%w: position %d is missing", ErrDamaged, w.last)
	}
	l := LeafOf(w.page[0])
	w.page = w.page[1:]
	h, w.buffer = l.hash(w.buffer)
	if w.line, err = lineOf(w.line[:0], l, h); err != nil {
		return h, err
	}
	_, err = w.out.Write(w.line)
	return h, err
}
