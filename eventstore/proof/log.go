package proof

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"gesta/eventstore"
)

// Name is that of the log's scribe, and of its checkpoint.
const Name = "proof"

// Subject is where each checkpoint is published, as it is: core NATS keeps none.
const Subject = "gesta.checkpoints"

// SignEvery is how often a log that grows is signed, at most.
const SignEvery = time.Second

// Log makes the tree grow by what a scribe reads, and signs it. Only one goroutine at a time may write.
type Log struct {
	DB     DB
	Key    Key
	Signed func(Checkpoint) // is told of each checkpoint once it is stored; nil for nobody

	edge   *edge // of what is known to be committed; nil where nothing is
	next   *edge // of what is written and not known to be committed
	buffer []byte
	tried  time.Time

	mu     sync.Mutex
	status Status
}

// Status is what a log of this process has come to.
type Status struct {
	Signed int64 // events that the last checkpoint stands for
	Count  int64 // checkpoints that were signed
	Err    error // why none is signed
}

// Status may be asked for at any time.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Write adds rows that follow each other, in the transaction of whoever moves the checkpoint.
func (l *Log) Write(ctx context.Context, tx pgx.Tx, rows []eventstore.Recorded) error {
	e, err := l.take(ctx, tx, rows[0].Position-1)
	if err != nil {
		return err
	}
	var filled tiles
	for _, r := range rows {
		if r.Position != e.size+1 {
			return fmt.Errorf("proof: position %d follows %d", r.Position, e.size)
		}
		var h tlog.Hash
		h, l.buffer = LeafOf(r).hash(l.buffer)
		e.add(h, filled.add)
	}
	e.partial(filled.add)
	if err := filled.write(ctx, tx, e.size); err != nil {
		return err
	}
	l.next = e
	return nil
}

// take takes the edge of a tree of some size, which is read where it is not known: the other one may not be
// committed, or somebody else has written since.
func (l *Log) take(ctx context.Context, db DB, size int64) (*edge, error) {
	e := l.edge
	l.edge, l.next = nil, nil
	if e != nil && e.size == size {
		return e, nil
	}
	return readEdge(ctx, db, size)
}

// Wrote is told how far all is committed, now and then, and signs the log if it has grown.
func (l *Log) Wrote(ctx context.Context, at eventstore.Mark) error {
	if l.next != nil && l.next.size == at.Position {
		l.edge, l.next = l.next, nil
	}
	was := l.Status()
	if time.Since(l.tried) < SignEvery || at.Position == was.Signed {
		return was.Err
	}
	l.tried = time.Now()
	err := l.sign(ctx, at.Position)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Err = err
	return err
}

// ErrOtherHistory refuses to sign a history that is not a continuation of the one that was signed.
var ErrOtherHistory = errors.New("proof: the history is not the one that was signed, and is signed no more; see 'gesta audit verify'")

// sign signs the tree of some size, if it is a continuation of the one that was signed last. A log that is being made
// anew is signed again when it has grown past that.
func (l *Log) sign(ctx context.Context, size int64) error {
	was, err := readRow(ctx, l.DB)
	if err != nil || size < was.signed || size == 0 {
		return err
	}
	if err := l.agrees(ctx, was); err != nil || size == was.signed {
		return err
	}
	tree, err := treeOf(ctx, l.DB, size)
	if err != nil {
		return err
	}
	c, err := l.Key.Sign(tree)
	if err != nil {
		return err
	}
	kept, err := was.replace(ctx, l.DB, c)
	if err == nil && kept {
		l.tell(c)
	}
	return err
}

func (l *Log) tell(c Checkpoint) {
	l.mu.Lock()
	l.status.Signed = c.N
	l.status.Count++
	l.mu.Unlock()
	if l.Signed != nil {
		l.Signed(c)
	}
}

// agrees compares the root that was signed with what the tree has there.
func (l *Log) agrees(ctx context.Context, was row) error {
	if was.text == "" {
		return nil
	}
	c, err := l.Key.Open(was.text)
	if err != nil {
		return fmt.Errorf("%w: the stored checkpoint: %w", ErrOtherHistory, err)
	}
	tree, err := treeOf(ctx, l.DB, c.N)
	if err == nil && (tree != c.Tree || c.N != was.signed) {
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
