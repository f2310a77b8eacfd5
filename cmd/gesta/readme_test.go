package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the README's table of settings anew")

const (
	readme     = "../../README.md"
	tableBegin = "<!-- configuration -->\n"
	tableEnd   = "<!-- /configuration -->"
)

// The README's table of settings is made from the code.
func TestEverySettingStandsInTheREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), tableBegin)
	is, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		t.Fatal("the README has no place for the settings")
	}
	ought := settingsTable(t)
	if is == ought {
		return
	}
	if !*update {
		t.Fatalf("the README's settings are not the code's; make golden writes:\n%s", ought)
	}
	if err := os.WriteFile(readme, []byte(before+tableBegin+ought+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func settingsTable(t *testing.T) string {
	t.Helper()
	var c cli
	parser, err := newParser(&c)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString("| Environment | Flag | Default | |\n|---|---|---|---|\n")
	row := func(f *kong.Flag, of string) {
		if len(f.Envs) == 0 {
			return
		}
		byDefault := ""
		if f.HasDefault {
			byDefault = "`" + f.Default + "`"
		}
		fmt.Fprintf(&out, "| `%s` | `%s--%s` | %s | %s |\n", f.Envs[0], of, f.Name, byDefault, f.Help)
	}
	for _, f := range parser.Model.Flags {
		row(f, "")
	}
	for _, command := range parser.Model.Children {
		for _, f := range command.Flags {
			row(f, command.Name+" ")
		}
	}
	return out.String()
}
