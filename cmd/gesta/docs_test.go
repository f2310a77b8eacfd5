package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
	"gesta/domain/schema"
	"gesta/domain/spec"
)

func printed(t *testing.T, c docsEvents) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Run(nil, streams{out: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheEventsAreDescribedInAsyncAPI(t *testing.T) {
	t.Parallel()
	official, err := os.ReadFile("../../eventstore/envelope/asyncapi/testdata/asyncapi-specs/3.0.0.json")
	if err != nil {
		t.Fatal(err)
	}
	text := printed(t, docsEvents{})
	if err := spec.Validator(t, official, "")([]byte(text)); err != nil {
		t.Error(err)
	}
	var d struct{ Channels map[string]any }
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(newCatalogue())), slices.Sorted(maps.Keys(d.Channels))); diff != "" {
		t.Error(diff)
	}
}

func TestTheSchemaOfOneType(t *testing.T) {
	t.Parallel()
	const typ = "identity.user.registered"
	want := string(schema.Text(newCatalogue()[typ], 1))
	for _, c := range []docsEvents{{Type: typ}, {Type: typ, Schema: 1}} {
		if diff := cmp.Diff(want, printed(t, c)); diff != "" {
			t.Error(diff)
		}
	}
	for says, c := range map[string]docsEvents{
		"there are no events of type identity.user":                  {Type: "identity.user"},
		"identity.user.registered has no schema 2: there are 1 to 1": {Type: typ, Schema: 2},
		"has no schema -1":        {Type: typ, Schema: -1},
		"--schema is of a --type": {Schema: 1},
	} {
		if err := c.Run(nil, streams{out: &bytes.Buffer{}}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestDocumentsAsFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if out := printed(t, docsEvents{Out: folder}); out != "" {
		t.Errorf("printed is %s", out)
	}
	for _, d := range eventDocuments(newCatalogue()) {
		path := d.Path
		if path == domain.SchemaPrefix {
			path += "index.json"
		}
		text, err1 := os.ReadFile(filepath.Join(folder, path))
		ought, err2 := d.Body()
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(text, ought) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Consumers read what each event means, and the README says it too.
func TestEveryEventIsDescribed(t *testing.T) {
	t.Parallel()
	inTable := eventsOfREADME(t)
	for name, typ := range newCatalogue() {
		if schema.Of(typ, typ.Schema).Description == "" {
			t.Errorf("no comment says what %s means", name)
		}
		if !slices.Contains(inTable, name) {
			t.Errorf("the README's table of events does not know %s", name)
		}
	}
	for _, name := range inTable {
		if _, known := newCatalogue()[name]; !known {
			t.Errorf("the README's table of events has %s, which is none", name)
		}
	}
}

var named = regexp.MustCompile("`([a-z_.]+)`")

// eventsOfREADME are the names in its table, where a second one in a row is only the last word of its own.
func eventsOfREADME(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "| Event | When |\n|---|---|\n")
	if !found {
		t.Fatal("the README has no table of events")
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	for row := range strings.SplitSeq(table, "\n") {
		var of string
		for _, name := range named.FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
			if i := strings.LastIndex(name[1], "."); i >= 0 {
				of = name[1][:i+1]
				all = append(all, name[1])
			} else {
				all = append(all, of+name[1])
			}
		}
	}
	return all
}

// checkDescribed holds exported events against the documents that a process serves.
func (c client) checkDescribed(export string) {
	c.t.Helper()
	document := []byte(c.expect(200, "GET", "/docs/asyncapi.json", "", nil).text)
	messages, data := map[string]func([]byte) error{}, map[string]func([]byte) error{}
	for line := range strings.Lines(export) {
		var e struct {
			Type, DataSchema string
			Data             json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			c.t.Fatal(err)
		}
		if messages[e.Type] == nil {
			messages[e.Type] = spec.Validator(c.t, document, "#/components/messages/"+e.Type+"/payload")
			data[e.Type] = spec.Validator(c.t, []byte(c.expect(200, "GET", e.DataSchema, "", nil).text), "")
		}
		if err := messages[e.Type]([]byte(line)); err != nil {
			c.t.Errorf("%s is not what the document says: %v", line, err)
		}
		if err := data[e.Type](e.Data); err != nil {
			c.t.Errorf("%s is not what %s says: %v", e.Data, e.DataSchema, err)
		}
	}
	if len(messages) < 10 {
		c.t.Errorf("%d types are few", len(messages))
	}
}
