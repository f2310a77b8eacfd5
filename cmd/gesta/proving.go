package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"gesta/commands/verify"
	"gesta/eventstore/leader"
	"gesta/eventstore/proof"
	"gesta/eventstore/scribe"
)

// proofKey signs checkpoints.
func (a *app) proofKey() (proof.Key, error) {
	return proof.NewKey(a.AuditOrigin, a.vault.Keys.Checkpoints())
}

// prover proves by what is signed.
func (a *app) prover(open proof.Opener) proof.Prover {
	return proof.Prover{DB: a.store.Pool(), Store: a.store, Open: open}
}

// proves is what proofs are made by, and the key that they are verified with.
func (a *app) proves() (proof.Prover, string) {
	key, err := a.proofKey()
	if err != nil {
		panic(err) // The origin was checked with the settings.
	}
	return a.prover(key.Open), key.Verifier()
}

// newProof is the log that this process makes grow when it leads.
func (n *node) newProof() (*proof.Log, error) {
	key, err := n.proofKey()
	if err != nil {
		return nil, err
	}
	unkept := prometheus.NewCounter(prometheus.CounterOpts{Name: "gesta_proof_checkpoints_unwritten_total", Help: "Signed checkpoints that could not be appended to GESTA_CHECKPOINTS_FILE."})
	l := &proof.Log{DB: n.store.Pool(), Key: key, File: proof.File(n.CheckpointsFile)}
	signed := prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "gesta_proof_checkpoints_total", Help: "Checkpoints of the history that this process has signed."}, func() float64 {
		return float64(l.Status().Count)
	})
	n.metrics.MustRegister(signed, unkept)
	l.Signed = func(c proof.Checkpoint) {
		if err := n.publishCheckpoint(c); err != nil {
			unkept.Inc()
			n.log.Error("a signed checkpoint is not in the file of checkpoints", "size", c.N, "error", err)
		}
	}
	var news leader.News
	l.Refused = func(err error) {
		if news.Is(err) {
			n.log.Error("the log of the history is not signed", "error", err)
		}
	}
	return l, nil
}

// noteNewKey tells of a key that was made where one has signed before: the stored checkpoint does not open, and nothing
// is signed until another origin is set.
func (a *app) noteNewKey(ctx context.Context) error {
	if !a.vault.Keys.MadeCheckpoints() {
		return nil
	}
	at, err := proof.ReachOf(ctx, a.store.Pool())
	if err == nil && at.Signed > 0 {
		a.log.Error("the key that checkpoints are signed with was not there, and was made anew: restore it from the backup of the schema of keys, or set another GESTA_AUDIT_ORIGIN", "signed", at.Signed)
	}
	return err
}

// publishCheckpoint hands a checkpoint to who listens, and to the file. Who does not hear it is sent the next one.
func (n *node) publishCheckpoint(c proof.Checkpoint) error {
	if n.nc.IsConnected() {
		_ = n.nc.Publish(proof.Subject, []byte(c.Text)) // NATS carries, and need not.
	}
	if n.CheckpointsFile == "" {
		return nil
	}
	return proof.File(n.CheckpointsFile).Append(c)
}

// proving makes the log grow.
func (n *node) proving() *scribe.Scribe {
	s := n.newScribe(proof.Name, n.proof.Write)
	s.Begin, s.Wrote = n.proof.Begin, n.proof.Wrote
	return s
}

// proofDetail names how far it is signed, whoever did, and why it is not where this process leads.
func (n *node) proofDetail(ctx context.Context, leading bool, detail map[string]any) {
	if err := n.proof.Status().Err; leading && err != nil {
		detail["error"] = err.Error()
	}
	if at, err := proof.ReachOf(ctx, n.store.Pool()); err == nil {
		detail["signed"] = at.Signed
	}
}

// observeProof makes what is signed metrics.
func (n *node) observeProof(gauge func(name, help string, value func() float64)) {
	if n.proof == nil {
		return
	}
	gauge("gesta_proof_signed_position", "Position of the last event that is signed, as this process saw when it led last.", func() float64 { return float64(n.proof.Status().Signed) })
	gauge("gesta_proof_refused", "Whether nothing is signed, since the history is not the one that was signed.", func() float64 {
		if errors.Is(n.proof.Status().Err, proof.ErrOtherHistory) && n.leadsProof() {
			return 1
		}
		return 0
	})
}

// leadsProof tells whether this process is the one that makes the log grow.
func (n *node) leadsProof() bool {
	return slices.ContainsFunc(n.scribes, func(s *scribe.Scribe) bool { return s.Name == proof.Name && s.Leading() })
}

// verifyProof compares the history with its log and with what was signed of it, now and earlier.
func (a *app) verifyProof(ctx context.Context, report verify.Report) (string, error) {
	key, err := a.proofKey()
	if err != nil {
		return "", err
	}
	kept, err := a.keptOwn(key.Origin(), key.Open, report)
	if err != nil {
		return "", err
	}
	return a.auditProof(ctx, report, proof.Audit{Open: key.Open, Kept: kept})
}

func (a *app) auditProof(ctx context.Context, report verify.Report, audit proof.Audit) (string, error) {
	if err := a.verifyProven(ctx, report); err != nil {
		return "", err
	}
	audit.DB, audit.Store, audit.Report = a.store.Pool(), a.store, report
	return audit.Run(ctx)
}

// verifyProven finds a log that does not get to where the history ended at first, or is not signed there.
func (a *app) verifyProven(ctx context.Context, report verify.Report) error {
	if a.isAlone() {
		return nil
	}
	head, err := a.store.Head(ctx)
	if err != nil {
		return err
	}
	var at proof.Reach
	level, err := soon(ctx, func() (bool, error) {
		at, err = proof.ReachOf(ctx, a.store.Pool())
		return min(at.Size, at.Signed) >= head.Position, err
	})
	switch {
	case err != nil || level:
		return err
	case at.Size < head.Position:
		report(fmt.Sprintf("the log is at position %d, and does not have what follows up to %d", at.Size, head.Position))
	default:
		report(fmt.Sprintf("what follows position %d up to %d is not signed", at.Signed, head.Position))
	}
	return nil
}
