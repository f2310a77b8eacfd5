package cluster

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// world is a file system of its own with nothing on PATH.
func world(t *testing.T) search {
	t.Helper()
	t.Setenv("PATH", "")
	t.Setenv("PG_BIN", "")
	return search{root: t.TempDir(), fetch: func(context.Context) (string, error) { return "", exec.ErrNotFound }}
}

func program(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// postgres puts both programs into a folder below the world's root.
func (s search) postgres(t *testing.T, dir string) string {
	t.Helper()
	absolute := filepath.Join(s.root, dir)
	program(t, absolute, "initdb", "")
	program(t, absolute, "postgres", "")
	return absolute
}

func (s search) expect(t *testing.T, dir string) {
	t.Helper()
	if found, err := s.find(patience(t)); err != nil || found.Dir != dir {
		t.Errorf("found %q (%v), not %q", found.Dir, err, dir)
	}
}

// TestTheOrderOfTheSearch adds one place after the other, the last choice first.
func TestTheOrderOfTheSearch(t *testing.T) {
	s := world(t)
	s.fetch = func(context.Context) (string, error) { return "/fetched", nil }
	s.expect(t, "/fetched")

	s.expect(t, s.postgres(t, "Applications/Postgres.app/Contents/Versions/latest/bin"))
	s.expect(t, s.postgres(t, "opt/homebrew/opt/postgresql@16/bin"))
	s.expect(t, s.postgres(t, "usr/local/opt/postgresql@17/bin"))
	s.expect(t, s.postgres(t, "usr/pgsql-15/bin"))
	s.expect(t, s.postgres(t, "usr/lib/postgresql/9.6/bin"))
	s.expect(t, s.postgres(t, "usr/lib/postgresql/10/bin"))

	onPath := s.postgres(t, "on/path")
	tools := filepath.Join(s.root, "tools")
	t.Setenv("PATH", tools+string(filepath.ListSeparator)+onPath)
	s.expect(t, onPath)

	configured := s.postgres(t, "configured")
	program(t, tools, "pg_config", `[ "$1" = --bindir ] && echo `+configured)
	s.expect(t, configured)

	named := s.postgres(t, "named")
	t.Setenv("PG_BIN", named)
	s.expect(t, named)
}

func TestAFolderCountsOnlyWithBothPrograms(t *testing.T) {
	s := world(t)
	clients := filepath.Join(s.root, "usr/lib/postgresql/18/bin")
	program(t, clients, "psql", "")
	program(t, clients, "initdb", "")
	s.expect(t, s.postgres(t, "usr/lib/postgresql/15/bin"))

	t.Setenv("PG_BIN", clients)
	if _, err := s.find(patience(t)); err == nil || errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "PG_BIN") {
		t.Errorf("a PG_BIN that cannot be meant: %v", err)
	}
}

func TestNothingFoundSaysInOneLineWhatToInstall(t *testing.T) {
	s := world(t)
	t.Setenv("XDG_CACHE_HOME", s.root)
	t.Setenv("HOME", s.root)
	offline := func(context.Context) (string, error) { return "", errors.New("npm pack: offline") }
	for _, s.fetch = range []func(context.Context) (string, error){fetch, offline} {
		_, err := s.find(patience(t))
		if !errors.Is(err, ErrNoPostgres) {
			t.Fatalf("the error is %v", err)
		}
		if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "install") {
			t.Errorf("the text is %q", text)
		}
	}
}

// file is an entry of a tarball.
type file struct {
	name, content string
	kind          byte
	mode          int64
}

func plain(name, content string) file { return file{name, content, tar.TypeReg, 0o644} }

func tarball(t *testing.T, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Typeflag: f.kind, Mode: f.mode, Size: int64(len(f.content))}
		if f.kind == tar.TypeSymlink {
			header.Linkname, header.Size, f.content = f.content, 0, ""
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func integrity(tarball []byte) string {
	sum := sha512.Sum512(tarball)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

var wholePackage = []file{
	{"package/native/bin/initdb", "#!/bin/sh\n", tar.TypeReg, 0o755},
	{"package/native/bin/postgres", "#!/bin/sh\n", tar.TypeReg, 0o755},
	plain("package/native/lib/libpq.so.5.18", "library"),
	plain("package/native/pg-symlinks.json", `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so"}]`),
}

func TestAPackageIsFetchedOnce(t *testing.T) {
	cache, tools := t.TempDir(), t.TempDir()
	packed := filepath.Join(cache, "packed")
	if err := os.WriteFile(packed, tarball(t, wholePackage...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	t.Setenv("PATH", tools+string(filepath.ListSeparator)+os.Getenv("PATH"))
	program(t, tools, "npm", "cp "+packed+" package.tgz")
	npmPinned(t, integrity(tarball(t, wholePackage...)))

	bin, err := fetch(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	library, err := os.ReadFile(filepath.Join(bin, "../lib/libpq.so"))
	if err != nil || string(library) != "library" || !complete(bin) {
		t.Errorf("unpacked wrongly: %q, %v", library, err)
	}
	program(t, tools, "npm", "echo must not be asked twice; exit 1")
	if again, err := fetch(patience(t)); err != nil || again != bin {
		t.Errorf("the second time: %q, %v", again, err)
	}
}

// npmPinned replaces the pinned sum of this platform's package for one test.
func npmPinned(t *testing.T, integrity string) {
	t.Helper()
	platform := npmPlatform()
	before, known := npmIntegrity[platform]
	npmIntegrity[platform] = integrity
	t.Cleanup(func() {
		npmIntegrity[platform] = before
		if !known {
			delete(npmIntegrity, platform)
		}
	})
}

func TestAnotherPackageThanThePinnedOneIsRefused(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	err := install(tarball(t, wholePackage...), npmIntegrity["linux-x64"], home)
	if err == nil || !strings.Contains(err.Error(), "not the pinned one") {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(home); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was unpacked all the same (%v)", err)
	}
}

func TestWhoeverInstallsSecondIsContent(t *testing.T) {
	home, packed := filepath.Join(t.TempDir(), "home"), tarball(t, wholePackage...)
	for range 2 {
		if err := install(packed, integrity(packed), home); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(home), "new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNoPackageWritesOutsideItsFolder(t *testing.T) {
	for name, files := range map[string][]file{
		"climbing":         {plain("package/../../escaped", "x")},
		"climbing midway":  {plain("package/native/../../../escaped", "x")},
		"absolute":         {plain("/escaped", "x")},
		"elsewhere":        {plain("escaped", "x")},
		"through a link":   {{"package/out", "..", tar.TypeSymlink, 0o777}, plain("package/out/escaped", "x")},
		"a link outwards":  {plain("package/native/pg-symlinks.json", `[{"source":"../../escaped","target":"native/x"}]`)},
		"a link elsewhere": {plain("package/native/pg-symlinks.json", `[{"source":"native/x","target":"../escaped"}]`)},
		"one file twice":   {plain("package/a", "x"), plain("package/a", "y")},
		"broken links":     {plain("package/native/pg-symlinks.json", `{`)},
	} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "in", "here")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unpack(bytes.NewReader(tarball(t, files...)), dir); err == nil {
			t.Errorf("%s: unpacked", name)
		}
		for _, outside := range []string{parent, filepath.Dir(dir)} {
			if _, err := os.Lstat(filepath.Join(outside, "escaped")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: escaped (%v)", name, err)
			}
		}
	}
}

func TestBrokenBytesAreNoPackage(t *testing.T) {
	packed := tarball(t, wholePackage...)
	for name, broken := range map[string][]byte{"no gzip": []byte("no gzip"), "cut": packed[:len(packed)/2]} {
		if err := unpack(bytes.NewReader(broken), t.TempDir()); err == nil {
			t.Errorf("%s: unpacked", name)
		}
	}
}
