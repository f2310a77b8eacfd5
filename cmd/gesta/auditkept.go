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
	all, err := keptIn(a.CheckpointsFile, origin, open, report)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // Nothing is signed yet, or it is another machine's.
	}
	return all, err
}

// keptIn reads the checkpoints of an origin, or "" for all, and reports those that are not signed by the key.
func keptIn(path, origin string, open proof.Opener, report verify.Report) (all []proof.KeptCheckpoint, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_, err = proof.ReadKept(file, func(k proof.Kept) error {
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
	return all, err
}
