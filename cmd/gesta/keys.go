package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gesta/commands"
	"gesta/domain/privacy"
)

// keysCmd is about the keys of all persons.
type keysCmd struct {
	Rotate  keysRotate  `cmd:"" help:"Wrap all keys by GESTA_MASTER_KEY that GESTA_MASTER_KEY_PREVIOUS still wraps; no event is rewritten. A 'gesta dev' that does not run gets a new master key."`
	Reapply keysReapply `cmd:"" help:"Forget again whom receipts say to be forgotten, after a restore of an older backup."`
	Public  keysPublic  `cmd:"" help:"Print the key that receipts are verified with, as PEM."`
}

type (
	keysRotate  struct{}
	keysReapply struct {
		Receipts []string `arg:"" name:"receipt" type:"existingfile" help:"Files with receipts."`
	}
	keysPublic struct{}
)

var errDevRuns = errors.New("'gesta dev' runs, and knows the old master key: stop it first")

// Run wraps keys anew. It may be cut off and run again.
func (keysRotate) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		ofDev := s.database() == "" && s.MasterKey == "" && s.MasterKeyFile == ""
		if ofDev && !a.isAlone() {
			return errDevRuns
		}
		if ofDev {
			if err := a.beginNextMasterKey(); err != nil {
				return err
			}
		}
		if err := a.openVault(ctx); err != nil {
			return err
		}
		if err := a.rotate(ctx, std); err != nil || !ofDev {
			return err
		}
		return endNextMasterKey(s.Data)
	})
}

// rotate is done when no key is left that the new master key does not wrap: somebody may have added one meanwhile.
func (a *app) rotate(ctx context.Context, std streams) error {
	all, replaced, err := a.store.RewrapKeys(ctx, a.vault.Keys.Rewrap)
	if err != nil {
		return err
	}
	left, err := a.store.KeysBeside(ctx, a.vault.Keys.Heads()[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%d of %d keys are wrapped anew; no event was rewritten\n", replaced, all)
	if left > 0 {
		return fmt.Errorf("%d keys are still wrapped by the old master key: some process adds them, or they are damaged; run this again", left)
	}
	return nil
}

// masterKeyFile is where `gesta dev` keeps its master key, and beside it the next one while keys are wrapped anew.
func masterKeyFile(dir string) (this, next string) {
	this = filepath.Join(dir, "master-key")
	return this, this + ".next"
}

// nextMasterKey is there while keys are wrapped anew, or after that was cut off: some may be wrapped by it.
func nextMasterKey(dir string) ([][]byte, error) {
	_, path := masterKeyFile(dir)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := parseMasterKey(string(text))
	return [][]byte{key}, err
}

// beginNextMasterKey has keys wrapped by the next master key from now on.
func (a *app) beginNextMasterKey() error {
	_, path := masterKeyFile(a.Data)
	if _, err := keptSecret(path); err != nil {
		return err
	}
	next, err := nextMasterKey(a.Data)
	if err != nil {
		return err
	}
	kept, err := a.sys.secrets()
	if err != nil {
		return err
	}
	kept.master = append(next, kept.master[0])
	a.sys.secrets = func() (secrets, error) { return kept, nil }
	return nil
}

func endNextMasterKey(dir string) error {
	this, next := masterKeyFile(dir)
	return os.Rename(next, this)
}

// Run forgets again, person by person: one that can't be is named, and keeps no other from it.
func (c keysReapply) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withPrivacy(ctx, std, func(ctx context.Context, a *app) error {
		var failed error
		for _, path := range c.Receipts {
			if err := a.reapply(ctx, std, path); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", path, err))
			}
		}
		return failed
	})
}

func (a *app) reapply(ctx context.Context, std streams, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for all, n := json.NewDecoder(file), 0; ; n++ {
		var receipt commands.SignedForgetting
		switch err := all.Decode(&receipt); {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case err != nil:
			return commands.ErrReceipt
		}
		if err := a.reapplyOne(ctx, std, path, receipt); err != nil {
			return err
		}
	}
}

func (a *app) reapplyOne(ctx context.Context, std streams, path string, receipt commands.SignedForgetting) error {
	again, err := a.privacy.Reapply(ctx, receipt)
	if errors.Is(err, privacy.ErrSubjectUnknown) {
		fmt.Fprintf(std.err, "%s: nothing is kept about this person\n", path)
		return nil
	}
	if err != nil {
		return err
	}
	return a.printReceipt(ctx, std, again)
}

// Run prints the public key.
func (keysPublic) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		if err := a.openVault(ctx); err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(a.vault.Keys.Receipts().Public())
		if err != nil {
			return err
		}
		return pem.Encode(std.out, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
	})
}
