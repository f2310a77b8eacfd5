package proof

import (
	"context"
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

// Log makes the tree grow by what a scribe reads, and signs it. Only one goroutine at a time may write. What was signed
// is remembered outside of the database as well, by this process and in a file: whoever may change all that is in the
// database must not have another history signed.
type Log struct {
	DB      DB
	Key     Key
	File    File             // of checkpoints that were signed earlier; "" for none
	Signed  func(Checkpoint) // is told of each checkpoint once it is stored, and again by who leads next if it is not in the file; nil for nobody
	Refused func(error)      // is told why nothing is signed, each time that it is tried; nil for nobody

	edge   *edge // of what is known to be committed; nil where nothing is
	next   *edge // of what is written and not known to be committed
	buffer []byte

	last      *Checkpoint // that this process has told of
	continued bool        // the edge was seen to continue what was signed, and has grown since
	settled   int64       // up to here there is nothing to sign
	tried     time.Time

	mu     sync.Mutex
	status Status
}

// Status is what a log of this process has come to.
type Status struct {
	Signed int64 // events that the last checkpoint stands for, as far as this process knows
	Count  int64 // checkpoints that this process has signed
	Err    error // why none is signed
}

// Status may be asked for at any time.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Begin forgets what others may have changed while they led.
func (l *Log) Begin() {
	l.edge, l.next, l.continued, l.settled = nil, nil, false, 0
}

// Write adds rows that follow each other, in the transaction of whoever moves the checkpoint.
func (l *Log) Write(ctx context.Context, tx pgx.Tx, rows []eventstore.Recorded) error {
	e, err := l.take(ctx, tx, rows[0].Position-1)
	if err != nil {
		return err
	}
	l.edge, l.next = nil, nil // Until this is committed nothing is known.
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

// take answers the edge of a tree of some size, which is read where it is not known. What it is known of is the history
// of this turn of leading: in it, nobody else has moved the checkpoint.
func (l *Log) take(ctx context.Context, db DB, size int64) (*edge, error) {
	if l.edge != nil && l.edge.size == size {
		return l.edge, nil
	}
	l.edge, l.next, l.continued = nil, nil, false
	e, err := readEdge(ctx, db, size)
	if err == nil {
		l.edge = e
	}
	return e, err
}

// Wrote is told how far all is committed, now and then, and signs the log if it has grown. Why it does not is in the
// Status, and stops nobody: the log goes on growing.
func (l *Log) Wrote(ctx context.Context, at eventstore.Mark) error {
	level := l.next == nil
	if !level {
		l.edge, l.next = l.next, nil
	}
	if time.Since(l.tried) < SignEvery || at.Position == l.settled {
		return nil
	}
	l.tried = time.Now()
	if err := l.sign(ctx, at.Position, level); ctx.Err() == nil {
		l.note(err)
	}
	return nil
}

func (l *Log) note(err error) {
	l.mu.Lock()
	l.status.Err = err
	l.mu.Unlock()
	if err != nil && l.Refused != nil {
		l.Refused(err)
	}
}
