package commenttest

import (
	"go/parser"
	"go/token"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const source = `package p

// Alone is
// one.
type Alone struct {
	// Above.
	A int ` + "`json:\"a\"`" + ` // behind
	B int // behind
	C int
}

// About neither.
type (
	// First is in a group.
	First struct {
		A int ` + "`json:\"a\"`" + `
	}
	Second struct {
		A int ` + "`json:\"a\"`" + `
	} // behind
	Third struct {
		A int ` + "`json:\"a\"`" + `
	}
)

// Untagged does not count.
type Untagged struct{ A int }
`

func TestCommentsGoByWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	all := comments{}
	all.add("p", file, func(pkg string, tag reflect.StructTag) bool { return pkg == "p" && tag.Get("json") != "" })
	ought := comments{
		"p.Alone": "Alone is one.", "p.Alone.A": "Above.", "p.Alone.B": "behind",
		"p.First": "First is in a group.", "p.Second": "behind",
	}
	if diff := cmp.Diff(ought, all); diff != "" {
		t.Error(diff)
	}
}
