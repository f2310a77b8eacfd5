// Package commenttest holds files of doc comments, which no binary has by itself, to the source.
package commenttest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root leads from a package two folders down, whose test it is, to the module.
const root = "../.."

// Counts tells of a struct in a package whether its comments count, by the tag of one of its fields: one will do.
type Counts func(pkg string, tag reflect.StructTag) bool

// Golden fails a test whose JSON file is not what the comments below folders of the module say: those of structs by
// package.Name, those of their fields by package.Name.Field. UPDATE_GOLDEN=1 writes the file anew.
func Golden(t *testing.T, file string, counts Counts, folders ...string) {
	t.Helper()
	all := comments{}
	for _, folder := range folders {
		if err := all.walk(folder, counts); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) == 0 {
		t.Fatal("the source says nothing")
	}
	ought, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	hold(t, file, string(ought)+"\n")
}

func hold(t *testing.T, file, ought string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(ought), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(is), ought); diff != "" {
		t.Errorf("make golden writes into %s what the comments say now (-is +ought):\n%s", file, diff)
	}
}

// comments are each on one line.
type comments map[string]string

func (all comments) walk(folder string, counts Counts) error {
	return filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(root, filepath.Dir(path))
		all.add("gesta/"+filepath.ToSlash(within), file, counts)
		return err
	})
}

func (all comments) add(pkg string, file *ast.File, counts Counts) {
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range decl.Specs {
			if spec, ok := s.(*ast.TypeSpec); ok {
				all.addType(pkg, spec, decl, counts)
			}
		}
	}
}

func (all comments) addType(pkg string, spec *ast.TypeSpec, decl *ast.GenDecl, counts Counts) {
	of, ok := spec.Type.(*ast.StructType)
	if !ok || !isCounted(pkg, of, counts) {
		return
	}
	above := decl.Doc
	if decl.Lparen.IsValid() { // What stands above a group is about no single type.
		above = spec.Doc
	}
	key := pkg + "." + spec.Name.Name
	all.note(key, above, spec.Comment)
	for _, f := range of.Fields.List {
		for _, n := range f.Names {
			all.note(key+"."+n.Name, f.Doc, f.Comment)
		}
	}
}

func isCounted(pkg string, of *ast.StructType, counts Counts) bool {
	return slices.ContainsFunc(of.Fields.List, func(f *ast.Field) bool {
		return f.Tag != nil && counts(pkg, reflect.StructTag(strings.Trim(f.Tag.Value, "`")))
	})
}

// note keeps the first comment that says something: one above a thing goes before one behind it.
func (all comments) note(key string, groups ...*ast.CommentGroup) {
	for _, g := range groups {
		if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
			all[key] = text
			return
		}
	}
}
