package proof

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrOtherHistory refuses to sign a history that is not a continuation of the one that was signed.
var ErrOtherHistory = errors.New("proof: the history is not the one that was signed, and is signed no more; see 'gesta audit verify'")

// sign signs the tree of some size, if it is a continuation of all that was signed under this origin as far as the
// store, this process and the file know. A log that is being made anew is signed again when it has grown past that;
// level says that there is nothing to wait for.
func (l *Log) sign(ctx context.Context, size int64, level bool) error {
	was, err := readRow(ctx, l.DB)
	if err != nil || size == 0 {
		return err
	}
	e, err := l.take(ctx, l.DB, size)
	if err != nil {
		return err
	}
	root, err := e.root()
	if err != nil {
		return err
	}
	tree := tlog.Tree{N: size, Hash: root}
	stored, known, err := l.earlier(was)
	if err != nil {
		return err
	}
	if grown, err := l.follows(ctx, tree, slices.Concat(stored, known), level); err != nil || !grown {
		return err
	}
	l.continued = true
	for _, c := range stored {
		// Whoever signed it may have crashed before it could tell.
		if !slices.ContainsFunc(known, func(k Checkpoint) bool { return k.N >= c.N }) {
			l.tell(c)
		}
		if c.Tree == tree {
			l.settle(size, false)
			return nil
		}
	}
	c, err := l.Key.Sign(tree)
	if err != nil {
		return err
	}
	// Who is stopped tells of it all the same, as long as it has not crashed: what is stored is not to be unheard of.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), toStore)
	defer cancel()
	kept, err := was.replace(ctx, l.DB, c)
	if err != nil || !kept {
		return err
	}
	l.settle(size, true)
	l.tell(c)
	return nil
}

// toStore is for how long a checkpoint is tried to be stored by who is stopped meanwhile.
const toStore = 5 * time.Second

// tell tells of a checkpoint that is stored, and remembers it.
func (l *Log) tell(c Checkpoint) {
	l.last = &c
	if l.Signed != nil {
		l.Signed(c)
	}
}

// settle notes how far all is signed.
func (l *Log) settle(size int64, signed bool) {
	l.settled = size
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Signed = size
	if signed {
		l.status.Count++
	}
}

// follows compares a tree with what was signed. It has not grown as long as it has yet to grow past that.
func (l *Log) follows(ctx context.Context, tree tlog.Tree, earlier []Checkpoint, level bool) (grown bool, err error) {
	for _, c := range earlier {
		switch {
		case c.N <= tree.N:
			if err := l.continues(ctx, tree, c); err != nil {
				return false, err
			}
		case level:
			return false, fmt.Errorf("%w: it ends at position %d, and %d events were signed", ErrOtherHistory, tree.N, c.N)
		default:
			return false, nil
		}
	}
	return true, nil
}

// earlier are the checkpoints of this origin that were signed before: the one that is stored, if there is one, and those
// that this process and the file know. Those of other origins bind nobody: a new one is how an operator goes on after
// events were lost on purpose.
func (l *Log) earlier(was row) (stored, known []Checkpoint, err error) {
	if was.text == "" && was.signed > 0 {
		return nil, nil, fmt.Errorf("%w: the checkpoint of %d events is not there", ErrOtherHistory, was.signed)
	}
	if originOf(was.text) == l.Key.Origin() {
		c, err := l.Key.Open(was.text)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("%w: the stored checkpoint: %w", ErrOtherHistory, err)
		case c.N != was.signed:
			return nil, nil, fmt.Errorf("%w: the stored checkpoint of %d events is kept as one of %d", ErrOtherHistory, c.N, was.signed)
		}
		stored = append(stored, c)
	}
	if l.last != nil {
		known = append(known, *l.last)
	}
	own := l.last != nil && l.last.Text == was.text
	if l.continued && own || l.File == "" { // What is in the file was looked at since this turn began.
		return stored, known, nil
	}
	text, err := l.File.Last(l.Key.Origin())
	if err != nil || text == "" {
		return stored, known, err
	}
	c, err := l.Key.Open(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the last checkpoint in the file: %w", ErrOtherHistory, err)
	}
	return stored, append(known, c), nil
}

// continues tells whether a tree has what was signed at its beginning. What this process has signed of the edge that it
// still has need not be looked at again.
func (l *Log) continues(ctx context.Context, tree tlog.Tree, c Checkpoint) error {
	if l.continued && l.last != nil && c == *l.last {
		return nil
	}
	root, err := tlog.TreeHash(c.N, hashesOf(ctx, l.DB, tree))
	if err == nil && root != c.Hash {
		err = fmt.Errorf("%w: its first %d events", ErrOtherHistory, c.N)
	}
	return err
}

// treeOf is the tree of some size by the tiles as they are.
func treeOf(ctx context.Context, db DB, size int64) (tlog.Tree, error) {
	e, err := readEdge(ctx, db, size)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := e.root()
	return tlog.Tree{N: size, Hash: root}, err
}

// row is that of the log.
type row struct {
	size, signed int64
	text         string
}

func readRow(ctx context.Context, db DB) (r row, err error) {
	err = db.QueryRow(ctx, "select size, signed, checkpoint from proof_log").Scan(&r.size, &r.signed, &r.text)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return r, err
}

// Reach is how many events the log has, and how many of them are signed.
type Reach struct{ Size, Signed int64 }

// ReachOf reads it.
func ReachOf(ctx context.Context, db DB) (Reach, error) {
	r, err := readRow(ctx, db)
	return Reach{r.size, r.signed}, err
}

// replace puts a checkpoint in the place of the last one, unless somebody else did.
func (r row) replace(ctx context.Context, db DB, c Checkpoint) (kept bool, err error) {
	tag, err := db.Exec(ctx, `update proof_log set signed = $1, checkpoint = $2, signed_at = now()
		where signed = $3 and checkpoint = $4 and size >= $1`, c.N, c.Text, r.signed, r.text)
	return tag.RowsAffected() == 1, err
}
