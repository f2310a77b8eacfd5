package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestDocsDescribeTheAPIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args  []string
		title string
	}{
		{[]string{"docs", "openapi"}, "All APIs"},
		{[]string{"docs", "openapi", "--surface", "accounts"}, "Users, sign-in and sessions"},
	} {
		var document struct {
			OpenAPI string
			Info    struct{ Title, Version string }
			Paths   map[string]map[string]struct{ OperationID string }
		}
		if err := json.Unmarshal([]byte(mustGesta(t, nil, c.args...)), &document); err != nil {
			t.Fatal(err)
		}
		if document.OpenAPI != "3.1.0" || document.Info.Title != c.title || document.Info.Version != version {
			t.Errorf("%v: %+v", c.args, document)
		}
		if id := document.Paths["/users/{id}"]["get"].OperationID; id != "getUsersById" {
			t.Errorf("%v: %q", c.args, id)
		}
	}
	refuses(t, nil, "there are accounts", "docs", "openapi", "--surface", "none")
}

// Every row of every API says what it does, and every type on a wire what it is.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	var document struct {
		Paths      map[string]map[string]struct{ Summary string }
		Components struct {
			Schemas map[string]struct{ Description string }
		}
	}
	text := mustGesta(t, nil, "docs", "openapi")
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	if left := regexp.MustCompile(`\\u003c\w+`).FindString(text); left != "" {
		t.Errorf("an example has %s in it", left)
	}
	for path, methods := range document.Paths {
		for method, o := range methods {
			if o.Summary == "" {
				t.Errorf("%s %s does not say what it does", strings.ToUpper(method), path)
			}
		}
	}
	for name, s := range document.Components.Schemas {
		if s.Description == "" {
			t.Errorf("the type %s does not say what it is", name)
		}
	}
}
