package proof

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/domain"
	"gesta/eventstore"
)

// Refusals of proofs.
var (
	ErrNothingSigned    = &domain.Fault{Kind: domain.NotFound, Code: "nothing_signed", Text: "no checkpoint is signed yet"}
	ErrNoPosition       = &domain.Fault{Kind: domain.Invalid, Code: "invalid_position", Text: "positions begin at 1"}
	ErrBeyondCheckpoint = &domain.Fault{Kind: domain.NotFound, Code: "beyond_checkpoint", Text: "the signed checkpoint does not reach so far"}
	ErrNoSizes          = &domain.Fault{Kind: domain.Invalid, Code: "invalid_sizes", Text: "from must be 1 or more, and to must not be less"}
	ErrLogRebuilding    = &domain.Fault{Kind: domain.Unavailable, Code: "log_rebuilding", Text: "the log is being made anew, and has yet to reach what was signed", Retry: 5 * time.Second}
	ErrLogDamaged       = &domain.Fault{Kind: domain.Unavailable, Code: "log_damaged", Text: "the history or its log is not what was signed, and proves nothing there until it is mended", Retry: time.Minute}
)

// Prover proves what the signed checkpoint says, to whoever trusts the key alone.
type Prover struct {
	DB    DB
	Store eventstore.Store
	Open  Opener // the checkpoints of this log
}

// damaged has a fault beside ErrDamaged: whether waiting helps is told by how far the log is.
func (p Prover) damaged(ctx context.Context, err error) error {
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	at, failed := ReachOf(ctx, p.DB)
	switch {
	case failed != nil:
		return failed
	case at.Size < at.Signed:
		return fmt.Errorf("%w: %w", ErrLogRebuilding, err)
	}
	return fmt.Errorf("%w: %w", ErrLogDamaged, err)
}

// Inclusion proves that the event of a position is in the history: tlog.CheckRecord(Hashes, Checkpoint.N,
// Checkpoint.Hash, Position-1, tlog.RecordHash(Leaf)) is nil.
type Inclusion struct {
	Position   int64
	Event      eventstore.Recorded
	Leaf       []byte // as Leaf.AppendTo encodes it
	Hashes     []tlog.Hash
	Checkpoint Checkpoint
}

// Consistency proves that a history of From events is the beginning of one of To events: tlog.CheckTree(Hashes, To.N,
// To.Hash, From.N, From.Hash) is nil.
type Consistency struct {
	From, To   tlog.Tree
	Hashes     []tlog.Hash
	Checkpoint Checkpoint // To's, or a later one

	// ToCheckpoint proves To by what was signed: tlog.CheckTree(ToCheckpoint, Checkpoint.N, Checkpoint.Hash, To.N, To.Hash)
	// is nil.
	ToCheckpoint []tlog.Hash
}

// Checkpoint is the last one that was signed; ErrNothingSigned before there is any.
func (p Prover) Checkpoint(ctx context.Context) (Checkpoint, error) {
	r, err := readRow(ctx, p.DB)
	if err != nil {
		return Checkpoint{}, err
	}
	if r.text == "" {
		return Checkpoint{}, ErrNothingSigned
	}
	return p.Open(r.text)
}

// Inclusion refuses with ErrNoPosition, ErrBeyondCheckpoint, ErrNothingSigned. Where the proof can't be made of what is
// stored it answers ErrDamaged, as ErrLogRebuilding or ErrLogDamaged.
func (p Prover) Inclusion(ctx context.Context, position int64) (i Inclusion, err error) {
	if position < 1 {
		return i, ErrNoPosition
	}
	if i.Checkpoint, err = p.Checkpoint(ctx); err != nil {
		return i, err
	}
	if position > i.Checkpoint.N {
		return i, ErrBeyondCheckpoint
	}
	i.Position = position
	err = i.prove(ctx, p)
	return i, p.damaged(ctx, err)
}

func (i *Inclusion) prove(ctx context.Context, p Prover) error {
	position := i.Position
	rows, err := p.Store.Read(ctx, position-1, 1)
	if err != nil {
		return err
	}
	if i.Hashes, err = tlog.ProveRecord(i.Checkpoint.N, position-1, hashesOf(ctx, p.DB, i.Checkpoint.Tree)); err != nil {
		return err
	}
	if len(rows) == 0 || rows[0].Position != position {
		return fmt.Errorf("%w: position %d is missing", ErrDamaged, position)
	}
	i.Event, i.Leaf = rows[0], LeafOf(rows[0]).AppendTo(nil)
	if tlog.CheckRecord(i.Hashes, i.Checkpoint.N, i.Checkpoint.Hash, position-1, tlog.RecordHash(i.Leaf)) != nil {
		return fmt.Errorf("%w: position %d is changed", ErrDamaged, position)
	}
	return nil
}

// Consistency refuses with ErrNoSizes, ErrBeyondCheckpoint, ErrNothingSigned. It answers ErrDamaged like Inclusion. To
// is 0 for the size of the last checkpoint.
func (p Prover) Consistency(ctx context.Context, from, to int64) (c Consistency, err error) {
	if from < 1 || to < 0 || to > 0 && from > to {
		return c, ErrNoSizes
	}
	if c.Checkpoint, err = p.Checkpoint(ctx); err != nil {
		return c, err
	}
	if to == 0 {
		to = c.Checkpoint.N
	}
	if from > c.Checkpoint.N || to > c.Checkpoint.N {
		return c, ErrBeyondCheckpoint
	}
	reader := hashesOf(ctx, p.DB, c.Checkpoint.Tree)
	older, err1 := tlog.TreeHash(from, reader)
	newer, err2 := tlog.TreeHash(to, reader)
	c.From, c.To = tlog.Tree{N: from, Hash: older}, tlog.Tree{N: to, Hash: newer}
	hashes, err3 := tlog.ProveTree(to, from, reader)
	beyond, err4 := tlog.ProveTree(c.Checkpoint.N, to, reader)
	c.Hashes, c.ToCheckpoint = hashes, beyond
	return c, p.damaged(ctx, errors.Join(err1, err2, err3, err4))
}
