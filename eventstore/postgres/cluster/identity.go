package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// identity is as whom the programs of Postgres run: they refuse to run as root.
type identity struct {
	name  string
	owner *account // whom the home must belong to; nil where it is ours already
	apply func(*syscall.SysProcAttr)
}

// account is a user as the system counts them.
type account struct{ uid, gid int }

// identities are the ways to run, the best one first. Root's best way is a user namespace: outside it
// the child is root still, so it reaches whatever root's folders hold.
func identities() []identity {
	if os.Geteuid() != 0 {
		return []identity{{name: "this user", apply: func(*syscall.SysProcAttr) {}}}
	}
	a := unprivileged()
	return append(namespaced(a), switched(a))
}

// unprivileged is the user `postgres`, else `nobody`: initdb insists on a user that has a name.
func unprivileged() account {
	for _, name := range []string{"postgres", "nobody"} {
		if a, err := lookUp(name); err == nil {
			return a
		}
	}
	return account{uid: 65534, gid: 65534}
}

func lookUp(name string) (account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return account{uid: uid, gid: gid}, err
}

// switched runs as that user outright, who must be able to enter the home and to read the binaries.
func switched(a account) identity {
	return identity{name: fmt.Sprintf("user %d", a.uid), owner: &a, apply: func(attr *syscall.SysProcAttr) {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}}
}

// attributes also give the child a process group of its own: an interrupt from the terminal is for
// us, who stop the server last.
func (i identity) attributes() *syscall.SysProcAttr {
	attr := mortal()
	attr.Setpgid = true
	i.apply(attr)
	return attr
}

// choose is the first identity that can run these binaries from this folder, which it then owns, and
// their version.
func choose(ctx context.Context, candidates []identity, b Binaries, dir string) (identity, int, error) {
	var refusals []error
	for _, i := range candidates {
		version, err := i.adopt(ctx, b, dir)
		if err == nil {
			return i, version, nil
		}
		refusals = append(refusals, fmt.Errorf("cluster: cannot run Postgres as %s: %w", i.name, err))
	}
	return identity{}, 0, errors.Join(refusals...)
}

func (i identity) adopt(ctx context.Context, b Binaries, dir string) (version int, err error) {
	if err := i.own(dir); err != nil {
		return 0, err
	}
	return i.probe(ctx, b, dir)
}

// own gives all in a folder to the identity.
func (i identity) own(dir string) error {
	if i.owner == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, i.owner.uid, i.owner.gid)
	})
}

// oldest is the first version that copies databases as files, which the tests rest on.
const oldest = 15

// probe asks the server for its version, which costs milliseconds and shows that it can be run.
func (i identity) probe(ctx context.Context, b Binaries, dir string) (version int, err error) {
	cmd := exec.Command(filepath.Join(b.Dir, "postgres"), "--version")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, environment(), i.attributes()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := run(ctx, cmd); err != nil {
		return 0, explained(err, said.String())
	}
	if version = major(said.String()); version < oldest {
		return 0, fmt.Errorf("%s in %s: version %d or newer is needed", oneLine(said.String()), b.Dir, oldest)
	}
	return version, nil
}

// explained joins an error with what the program said, if anything, on one line.
func explained(err error, said string) error {
	if line := oneLine(said); line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
