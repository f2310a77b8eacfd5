package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gesta/commands/verify"
	"gesta/eventstore/proof"
)

// auditCmd is for auditors, and for who answers to them.
type auditCmd struct {
	Key     auditKey     `cmd:"" help:"Print the key that checkpoints are verified with: name+hash+base64. Hand it out by a way that nobody else can write to."`
	Verify  auditVerify  `cmd:"" help:"Make the log anew from the events and compare it with the stored one and with what was signed; 1 when something is wrong."`
	Export  auditExport  `cmd:"" help:"Write events with what proves them, as JSON lines: 'gesta audit verify --bundle' needs the key and nothing else."`
	Rebuild auditRebuild `cmd:"" help:"Have what is made of the history for auditors made anew, by whoever runs the role audit."`
}

type (
	auditKey    struct{}
	auditVerify struct {
		Since  string `type:"existingfile" help:"A checkpoint that was kept earlier, or a file with many: the history must be a continuation of each. When not set, those of this origin in GESTA_CHECKPOINTS_FILE."`
		Bundle string `type:"existingfile" help:"Verify this export instead: without a database or a network."`
		Key    string `help:"The key that 'gesta audit key' prints, or @FILE; the store's own when not set, which --bundle must not trust."`
	}
	auditExport struct {
		From int64  `default:"1" help:"Position of the first event."`
		To   int64  `help:"Position of the last one; all that is signed when not set."`
		Out  string `type:"path" help:"A file; the standard output when not set."`
	}
)

// Run prints the key.
func (auditKey) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withProofKey(ctx, std, func(_ *app, key proof.Key) error {
		_, err := fmt.Fprintln(std.out, key.Verifier())
		return err
	})
}

func (s *Settings) withProofKey(ctx context.Context, std streams, do func(*app, proof.Key) error) error {
	return s.with(ctx, std, func(a *app) error {
		if err := a.lookVault(ctx); err != nil {
			return err
		}
		key, err := a.proofKey()
		if err != nil {
			return err
		}
		return do(a, key)
	})
}

var errNoKey = errors.New("a bundle is verified by --key, which must not come from whom the bundle comes from: 'gesta audit key' prints it, and so does GET /audit/v1/key")

// Run verifies what is stored, or a bundle.
func (c auditVerify) Run(ctx context.Context, s *Settings, std streams) error {
	key, open, err := c.key()
	if err != nil {
		return err
	}
	switch {
	case c.Bundle != "" && c.Since != "":
		return errors.New("a bundle is verified by itself: --bundle and --since don't go together")
	case c.Bundle != "":
		return c.bundle(key, std.out)
	case key != "":
		origin, _, _ := strings.Cut(key, "+")
		return s.with(ctx, std, func(a *app) error { return c.verify(ctx, a, origin, open, std) })
	}
	return s.withProofKey(ctx, std, func(a *app, key proof.Key) error { return c.verify(ctx, a, key.Origin(), key.Open, std) })
}

// key is the one that was given, if one was.
func (c auditVerify) key() (key string, open proof.Opener, err error) {
	key = c.Key
	if path, isFile := strings.CutPrefix(key, "@"); isFile {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", nil, err
		}
		key = strings.TrimSpace(string(text))
	}
	if c.Key != "" {
		open, err = proof.OpenWith(key)
	}
	return key, open, err
}

func (c auditVerify) bundle(key string, out io.Writer) error {
	if key == "" {
		return errNoKey
	}
	file, err := os.Open(c.Bundle)
	if err != nil {
		return err
	}
	defer file.Close()
	b, err := proof.VerifyBundle(file, key)
	if err != nil {
		fmt.Fprintf(out, "bundle: WRONG: %v\n", err)
		return errFindings
	}
	_, err = fmt.Fprintf(out, "bundle: events %d to %d are in the history of %d events that %s has signed; 0 findings\n", b.From, b.To, b.Checkpoint.N, b.Checkpoint.Origin)
	return err
}

func (c auditVerify) verify(ctx context.Context, a *app, origin string, open proof.Opener, std streams) error {
	progress := auditProgress(std.err)
	all := check{"proof", func(ctx context.Context, a *app, report verify.Report) (string, error) {
		kept, err := c.kept(a, origin, open, report)
		if err != nil {
			return "", err
		}
		return a.auditProof(ctx, report, proof.Audit{Open: open, Kept: kept, Progress: progress})
	}}
	if !all.print(ctx, a, std.out) {
		return errFindings
	}
	return nil
}

func (c auditVerify) kept(a *app, origin string, open proof.Opener, report verify.Report) ([]proof.KeptCheckpoint, error) {
	if c.Since == "" {
		return a.keptOwn(origin, open, report)
	}
	all, err := keptIn(c.Since, "", open, report)
	if err == nil && len(all) == 0 {
		report("there is no checkpoint of this key in " + c.Since)
	}
	return all, err
}
