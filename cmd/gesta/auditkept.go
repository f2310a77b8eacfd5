package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gesta/commands/verify"
	"gesta/eventstore/proof"
)

// keptOwn are the checkpoints of an origin that processes have kept in the file of the settings; none without one.
func (a *app) keptOwn(origin string, open proof.Opener, report verify.Report) ([]proof.KeptCheckpoint, error) {
	if a.CheckpointsFile == "" {
		return nil, nil
	}
	all, _, err := keptIn(a.CheckpointsFile, origin, open, report)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // Nothing is signed yet, or it is another machine's.
	}
	return all, err
}

// keptIn reads the checkpoints of an origin, or "" for all, and reports those that are not signed by the key. Found is
// false where there was not even the beginning of one.
func keptIn(path, origin string, open proof.Opener, report verify.Report) (all []proof.KeptCheckpoint, found bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	cut, err := proof.ReadKept(file, func(k proof.Kept) error {
		found = true
		if origin != "" && k.Origin() != origin {
			return nil
		}
		one, err := open(k.Text)
		if err != nil {
			report(fmt.Sprintf("line %d of %s: %v", k.Line, path, err))
			return nil
		}
		all = append(all, proof.KeptCheckpoint{Line: k.Line, Origin: one.Origin, Tree: one.Tree})
		return nil
	})
	return all, found || cut > 0, err
}
