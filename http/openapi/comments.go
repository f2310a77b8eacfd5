package openapi

import (
	_ "embed"
	"encoding/json"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The doc comments of the types on the wires and of their fields, which no binary has by itself, by
// "<package>.<type>" and "<package>.<type>.<field>". `make golden` writes them.
//
//go:embed comments.json
var commentsText []byte

var comments = func() (all map[string]string) {
	if err := json.Unmarshal(commentsText, &all); err != nil {
		panic(err) // The tests have read it.
	}
	return all
}()

// commentOf says what a type means, or a field of it or of a type that it embeds; "" where nothing is said.
func commentOf(t reflect.Type, field string) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return ""
	}
	if field != "" && t.Kind() == reflect.Struct {
		if f, found := t.FieldByName(field); found && len(f.Index) > 1 {
			return commentOf(t.Field(f.Index[0]).Type, field)
		}
	}
	name, _, _ := strings.Cut(t.Name(), "[")
	key := t.PkgPath() + "." + name
	if field != "" {
		return comments[key+"."+field]
	}
	return aboutType(name, comments[key])
}

// aboutType makes of "user is somebody." a description that does not name the type: "Somebody."
func aboutType(name, comment string) string {
	rest, named := strings.CutPrefix(comment, name+" ")
	if !named {
		return comment
	}
	for _, verb := range []string{"is ", "are "} {
		rest = strings.TrimPrefix(rest, verb)
	}
	first, size := utf8.DecodeRuneInString(rest)
	return string(unicode.ToUpper(first)) + rest[size:]
}
