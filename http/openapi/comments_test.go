package openapi

import (
	"reflect"
	"slices"
	"testing"

	"gesta/domain/schema/commenttest"
)

// undocumented are packages whose types are in no document.
var undocumented = []string{"gesta/http/openapi", "gesta/http/server"}

func TestCommentsAreThoseOfTheTypes(t *testing.T) {
	t.Parallel()
	commenttest.Golden(t, "comments.json", func(pkg string, tag reflect.StructTag) bool {
		return tag.Get("json") != "" && !slices.Contains(undocumented, pkg)
	}, "http")
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
