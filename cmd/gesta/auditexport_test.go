package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What was there stays until there is something whole to put in its place.
func TestAFileIsReplacedByAWholeOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "bundle"), filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	full := errors.New("the disk is full")
	write := func(text string, err error) func(io.Writer) error {
		return func(out io.Writer) error { return errors.Join(justErr(io.WriteString(out, text)), err) }
	}
	is := func(want string, entries int) {
		t.Helper()
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		if err != nil || string(text) != want {
			t.Errorf("%q %v", text, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != entries {
			t.Error(left, err)
		}
	}
	if err := writeWhole(path, write("half", full)); !errors.Is(err, full) {
		t.Error(err)
	}
	is("", 1)
	for _, one := range []struct {
		to, text string
		err      error
		want     string
	}{{path, "one", nil, "one"}, {path, "tw", full, "one"}, {path, "two", nil, "two"}, {link, "three", nil, "three"}, {link, "fo", full, "three"}} {
		if err := writeWhole(one.to, write(one.text, one.err)); !errors.Is(err, one.err) {
			t.Error(err)
		}
		is(one.want, 2)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is gone", err)
	}
	if err := writeWhole(os.DevNull, write("away", full)); !errors.Is(err, full) {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode()&os.ModeDevice == 0 {
		t.Error("a device is gone", err)
	}
	if err := writeWhole(dir, write("", nil)); err == nil {
		t.Error("a folder is written")
	}
}

func justErr(_ int, err error) error { return err }
