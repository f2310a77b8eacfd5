package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers is the import picture: a package may import those of lower layers. The first entry that is
// the package, or a folder above it, counts.
var layers = []struct {
	path  string
	layer int
}{
	{"cmd/gesta/loadgen", 0}, // knows HTTP alone
	{"cmd", 9},
	{"http/web/webtest", 9}, // tests a whole stack
	{"http/web/counter", 7},
	{"http/openapi/openapitest", 8}, // of tests alone
	{"http/openapi", 7},
	{"http/server", 8},
	{"http/web", 6},
	{"http", 7}, // the surfaces
	{"commands", 5},
	{"projections", 5},
	{"eventstore/wait", 0}, // of tests alone
	{"eventstore/storetest", 4},
	{"eventstore/relay", 4},
	{"eventstore/feed", 4},
	{"eventstore/scribe", 4},
	{"eventstore/timers", 4},
	{"eventstore/", 3}, // adapters and the forms of an event
	{"eventstore", 2},
	{"migrations", 2},
	{"deploy", 0}, // files
	{"domain/id", 0},
	{"domain/value", 0},
	{"domain/schema", 1},
	{"domain/", 2}, // contexts
	{"domain", 1},
}

func layerOf(path string) int {
	for _, l := range layers {
		if path == l.path || strings.HasPrefix(path, strings.TrimSuffix(l.path, "/")+"/") {
			return l.layer
		}
	}
	return -1
}

// Imports point down, siblings never meet, and domain is vocabulary everyone may speak.
func TestImportPicture(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if p.ImportPath == "gesta" {
			continue // The README's program, where a reader has saved it.
		}
		from := strings.TrimPrefix(p.ImportPath, "gesta/")
		if layerOf(from) < 0 {
			t.Errorf("%s has no layer", from)
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, "gesta/")
			if ours && !mayImport(from, to) {
				t.Errorf("%s may not import %s", from, to)
			}
		}
	}
}

func mayImport(from, to string) bool {
	return layerOf(to) < layerOf(from) || sameFamily(from, to)
}

// sameFamily lets the parts of one adapter meet: a folder and what lies below it.
func sameFamily(from, to string) bool {
	return strings.HasPrefix(from, to+"/") || strings.HasPrefix(to, from+"/") || adapter(from) == adapter(to)
}

func adapter(path string) string {
	parts := strings.SplitN(path, "/", 3)
	if len(parts) < 3 || parts[0] != "eventstore" {
		return path
	}
	return parts[0] + "/" + parts[1]
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) (all []goPackage) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "gesta/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// What the fixed list of the README calls below the surfaces knows no surface by name.
func TestNoSurfaceIsNamedBelow(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("git", "grep", "-nwE", "promenade|storefront|coppertone|auctoritas|accounts", "--",
		":/domain/*.go", ":/commands/*.go", ":/projections/*.go", ":/eventstore/*.go", ":/http/web/*.go",
		":(top,exclude)*_test.go", ":(top,exclude)eventstore/relay/relaytest").Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		t.Fatal(err)
	}
	if len(out) > 0 {
		t.Errorf("surfaces are named below the surfaces:\n%s", out)
	}
}
