package main

import (
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gesta/eventstore/postgres/cluster"
)

// backup is what an operator has saved of an installation's database while nothing ran.
type backup struct {
	file     string // made by pg_dump
	template string // a copy of the database, where there is no pg_dump
}

// backup saves the database, or only the schemas that are named. A copy is always whole.
func (i installation) backup(t *testing.T, schemas ...string) backup {
	t.Helper()
	b := backup{file: filepath.Join(t.TempDir(), "backup")}
	args := []string{"--format=custom", "--file=" + b.file, "--dbname=" + i.owner}
	for _, s := range schemas {
		args = append(args, "--schema="+s)
	}
	if out, err := postgresProgram(t, "pg_dump", args...); err == nil {
		return b
	} else if slices.Equal(schemas, truthAlone) {
		t.Skipf("SKIPPED, NOT TESTED: pg_dump: %v %s", err, out)
	}
	u := i.database(t)
	b = backup{template: u + "_backup"}
	i.admin(t, "create database "+b.template+" template "+u)
	t.Cleanup(func() { i.admin(t, "drop database "+b.template) })
	return b
}

// restore puts the database back to a backup.
func (i installation) restore(t *testing.T, b backup, schemas ...string) {
	t.Helper()
	if b.template != "" {
		i.admin(t, "drop database "+i.database(t)+" with (force)")
		i.admin(t, "create database "+i.database(t)+" template "+b.template)
		return
	}
	i.exec(t, "drop schema "+strings.Join(schemas, ", ")+" cascade")
	if out, err := postgresProgram(t, "pg_restore", "--dbname="+i.owner, b.file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

var (
	wholeDatabase = []string{"gesta", "gesta_keys", "gesta_read"}
	truthAlone    = []string{"gesta", "gesta_keys"}
)

func postgresProgram(t *testing.T, name string, args ...string) ([]byte, error) {
	t.Helper()
	binaries, err := cluster.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(filepath.Join(binaries.Dir, name), args...).CombinedOutput()
}

func (i installation) database(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(i.owner)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// admin runs a statement from outside of the database.
func (i installation) admin(t *testing.T, sql string) {
	t.Helper()
	u, err := url.Parse(i.owner)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	installation{owner: u.String()}.exec(t, sql)
}
