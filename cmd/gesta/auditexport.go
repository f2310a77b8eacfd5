package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gesta/eventstore/proof"
)

// Run writes a bundle.
func (c auditExport) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withProofKey(ctx, std, func(a *app, key proof.Key) error {
		write := func(out io.Writer) error {
			_, err := a.prover(key.Open).Export(ctx, out, c.From, c.To, key.Verifier())
			return err
		}
		if c.Out == "" {
			return write(std.out)
		}
		return writeWhole(c.Out, write)
	})
}

// writeWhole puts a file in its place once all of it is on the disk: what was there before stays until then. What is no
// file, such as a pipe, is written to as it is.
func writeWhole(path string, write func(io.Writer) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writeBeside(path, 0o600, write)
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return writeBeside(path, info.Mode().Perm(), write)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

func writeBeside(path string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if err := errors.Join(write(file), file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
