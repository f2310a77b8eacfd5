package openapi

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// UPDATE_GOLDEN=1 writes the comments anew.
func TestCommentsAreThoseOfTheTypes(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(commentsBelow(t, ".."), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("comments.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(commentsText), string(got)); diff != "" {
		t.Errorf("comments.json is not what the types say, see `make golden` (-is +should be):\n%s", diff)
	}
}

// wireless are the folders below http that have no types of rows.
var wireless = []string{"openapi", "server", "webtest"}

// commentsBelow gathers the comments of all types that have JSON tags, in the packages of a folder.
func commentsBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains(wireless, entry.Name()) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, filepath.Dir(file))
		gather(all, path.Join("gesta/http", filepath.ToSlash(below)), parsed)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func gather(all map[string]string, pkg string, file *ast.File) {
	for _, d := range file.Decls {
		general, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range general.Specs {
			if spec, ok := s.(*ast.TypeSpec); ok {
				gatherType(all, pkg+"."+spec.Name.Name, spec, general.Doc)
			}
		}
	}
}

func gatherType(all map[string]string, key string, spec *ast.TypeSpec, doc *ast.CommentGroup) {
	of, ok := spec.Type.(*ast.StructType)
	if !ok || !onTheWire(of) {
		return
	}
	note(all, key, spec.Doc, doc)
	for _, field := range of.Fields.List {
		for _, name := range field.Names {
			note(all, key+"."+name.Name, field.Doc, field.Comment)
		}
	}
}

// onTheWire tells whether a type has fields with JSON tags.
func onTheWire(s *ast.StructType) bool {
	for _, f := range s.Fields.List {
		if f.Tag != nil && reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json") != "" {
			return true
		}
	}
	return false
}

// note keeps the first comment that says something, on one line.
func note(all map[string]string, key string, comments ...*ast.CommentGroup) {
	for _, c := range comments {
		if text := strings.Join(strings.Fields(c.Text()), " "); text != "" {
			all[key] = text
			return
		}
	}
}

func TestACommentOfATypeDoesNotNameIt(t *testing.T) {
	t.Parallel()
	for comment, want := range map[string]string{
		"user is somebody with an account.": "Somebody with an account.",
		"user asks for something.":          "Asks for something.",
		"Something else.":                   "Something else.",
		"":                                  "",
		"users are several.":                "users are several.",
	} {
		if got := aboutType("user", comment); got != want {
			t.Errorf("%q: %q", comment, got)
		}
	}
}
