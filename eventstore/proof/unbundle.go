package proof

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// Bundle is what a bundle has proven.
type Bundle struct {
	From, To   int64
	Checkpoint Checkpoint
}

// BundleError says which line of a bundle is wrong; Position is 0 where none can be told.
type BundleError struct {
	Line     int
	Position int64
	Err      error
}

func (e *BundleError) Error() string {
	if e.Position == 0 {
		return fmt.Sprintf("line %d %v", e.Line, e.Err)
	}
	return fmt.Sprintf("line %d (position %d) %v", e.Line, e.Position, e.Err)
}

// Unwrap answers what is wrong.
func (e *BundleError) Unwrap() error { return e.Err }

// What is wrong with bundles.
var (
	errHashes   = errors.New("has not as many hashes as it needs")
	errKey      = errors.New("names another key than the one it is verified by")
	errMissing  = errors.New("is missing")
	errLeaf     = errors.New("is changed: its hash is another")
	errTrailing = errors.New("is one too many")
	errSpan     = errors.New("has a checkpoint that does not reach so far")

	// ErrOtherRoot says that a bundle is not part of what was signed.
	ErrOtherRoot = errors.New("proof: the events and hashes don't come to the root that was signed: some of them were changed, or are from another history")
)

// maxLine is longer than the line of any event.
const maxLine = 4 << 20

// VerifyBundle verifies a bundle by the key alone, line by line. It answers *BundleError where a line is known to be
// wrong, else ErrOtherRoot.
func VerifyBundle(in io.Reader, key string) (b Bundle, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	lines.Split(wholeLines)
	r := &unbundler{lines: lines}
	h, beside, err := r.head(key, &b)
	if err != nil {
		return b, err
	}
	r.position = h.From - 1
	asked := next(beside)
	used := 0
	root, err := span{0, b.Checkpoint.N}.rootAround(h.part(), func() (tlog.Hash, error) { used++; return asked() }, r.event)
	switch {
	case errors.Is(err, errHashes), err == nil && used != len(beside):
		return b, &BundleError{Line: 1, Err: errHashes}
	case err != nil:
		return b, err
	case r.next() != nil:
		return b, &BundleError{Line: r.line, Err: errTrailing}
	case lines.Err() != nil:
		return b, lines.Err()
	case root != b.Checkpoint.Hash:
		return b, ErrOtherRoot
	}
	return b, nil
}

// wholeLines splits into lines with their ends.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// unbundler reads line after line.
type unbundler struct {
	lines    *bufio.Scanner
	line     int
	position int64
	buffer   []byte
}

// next is nil at the end.
func (r *unbundler) next() []byte {
	r.line++
	if !r.lines.Scan() {
		return nil
	}
	return r.lines.Bytes()
}

func (r *unbundler) head(key string, b *Bundle) (h head, beside []tlog.Hash, err error) {
	wrong := func(err error) error { return &BundleError{Line: 1, Err: err} }
	open, err := OpenWith(key)
	if err != nil {
		return h, nil, err
	}
	if h, err = parseHead(r.next()); err != nil {
		return h, nil, errors.Join(r.lines.Err(), wrong(err))
	}
	if b.Checkpoint, err = open(h.Checkpoint); err != nil {
		return h, nil, wrong(fmt.Errorf("has a checkpoint that is refused: %w", err))
	}
	b.From, b.To = h.From, h.To
	switch {
	case h.Key != string(bytes.TrimSpace([]byte(key))) || h.Origin != b.Checkpoint.Origin:
		return h, nil, wrong(errKey)
	case h.From < 1 || h.To < h.From || h.To > b.Checkpoint.N:
		return h, nil, wrong(errSpan)
	}
	for _, text := range h.Hashes {
		one, err := tlog.ParseHash(text)
		if err != nil || one.String() != text {
			return h, nil, wrong(errHashes)
		}
		beside = append(beside, one)
	}
	return h, beside, nil
}

func (r *unbundler) event() (h tlog.Hash, err error) {
	r.position++
	wrong := func(err error) error { return &BundleError{Line: r.line, Position: r.position, Err: err} }
	text := r.next()
	if text == nil {
		return h, errors.Join(r.lines.Err(), wrong(errMissing))
	}
	l, leaf, err := parseLine(text)
	if err != nil {
		return h, wrong(err)
	}
	if l.Position != r.position {
		return h, wrong(fmt.Errorf("is not there: position %d is", l.Position))
	}
	if h, r.buffer = l.hash(r.buffer); h.String() != leaf {
		return h, wrong(errLeaf)
	}
	return h, nil
}
