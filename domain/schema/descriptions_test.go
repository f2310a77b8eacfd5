package schema

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
)

// UPDATE_GOLDEN=1 writes the descriptions anew.
func TestDescriptionsAreTheCommentsOfTheSource(t *testing.T) {
	t.Parallel()
	ought := map[string]string{}
	for _, folder := range []string{"domain", "eventstore"} {
		maps.Copy(ought, comments(t, "../..", folder))
	}
	if len(ought) == 0 {
		t.Fatal("the source says nothing")
	}
	if cmp.Equal(ought, descriptions) {
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Fatalf("make golden writes what the comments of events say now (-is +ought):\n%s", cmp.Diff(descriptions, ought))
	}
	text, err := json.MarshalIndent(ought, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("descriptions.json", append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// comments are those of all structs that say how private their fields are.
func comments(t *testing.T, root, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(root, filepath.Dir(path))
		collect(all, "gesta/"+filepath.ToSlash(within), file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func collect(all map[string]string, in string, file *ast.File) {
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range decl.Specs {
			if spec, ok := s.(*ast.TypeSpec); ok {
				describe(all, in+"."+spec.Name.Name, spec, decl)
			}
		}
	}
}

func describe(all map[string]string, name string, spec *ast.TypeSpec, decl *ast.GenDecl) {
	shape, ok := spec.Type.(*ast.StructType)
	if !ok || !isTagged(shape) {
		return
	}
	note(all, name, spec.Doc, spec.Comment)
	if !decl.Lparen.IsValid() {
		note(all, name, decl.Doc)
	}
	for _, f := range shape.Fields.List {
		for _, n := range f.Names {
			note(all, name+"."+n.Name, f.Doc, f.Comment)
		}
	}
}

func note(all map[string]string, name string, groups ...*ast.CommentGroup) {
	for _, g := range groups {
		if words := strings.Join(strings.Fields(g.Text()), " "); words != "" {
			all[name] = words
		}
	}
}

func isTagged(s *ast.StructType) bool {
	for _, f := range s.Fields.List {
		if f.Tag != nil && strings.Contains(f.Tag.Value, domain.PrivacyTag+`:"`) {
			return true
		}
	}
	return false
}
