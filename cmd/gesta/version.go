package main

import (
	"fmt"
	"runtime/debug"
)

// version is set by `make build`.
var version = "dev"

type versionCmd struct{}

// Run prints the version and what it was built with.
func (versionCmd) Run(_ *Settings, std streams) error {
	goVersion := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
	}
	_, err := fmt.Fprintf(std.out, "gesta %s %s\n", version, goVersion)
	return err
}
