package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gesta/domain"
	"gesta/eventstore/envelope/asyncapi"
	"gesta/http/openapi"
	"gesta/http/server"
)

// docsCmd prints documents; it needs no database.
type docsCmd struct {
	Openapi docsOpenapi `cmd:"" name:"openapi" help:"The OpenAPI document of all APIs, or of one."`
	Events  docsEvents  `cmd:"" help:"The AsyncAPI document of the events, the JSON Schema of one, or all of them as files."`
}

type docsEvents struct {
	Type   string `xor:"what" help:"The JSON Schema of this type instead, as in identity.user.registered."`
	Schema int    `help:"Which of the type's schemas; the current one when not set."`
	Out    string `xor:"what" type:"path" help:"Write all documents into this folder, at the paths that they are served at."`
}

// documents are all that the server shows.
func (a *app) documents() []server.Document {
	all := eventDocuments(a.catalogue)
	for _, f := range openapi.Files(version, a.surfaces...) {
		all = append(all, server.Document(f))
	}
	return all
}

func eventDocuments(c domain.Catalogue) (all []server.Document) {
	for _, f := range asyncapi.Files(c, version) {
		all = append(all, server.Document{Path: f.Path, Type: f.Type, Body: func() ([]byte, error) { return f.Body, nil }})
	}
	return all
}

// Run prints, or writes, what is asked for.
func (c docsEvents) Run(_ *Settings, std streams) error {
	catalogue := newCatalogue()
	path, err := c.path(catalogue)
	if err != nil {
		return err
	}
	all := eventDocuments(catalogue)
	if c.Out != "" {
		return writeDocuments(c.Out, all)
	}
	i := slices.IndexFunc(all, func(d server.Document) bool { return d.Path == path })
	return write(std.out, all[i].Body)
}

// path is that of the document asked for.
func (c docsEvents) path(catalogue domain.Catalogue) (string, error) {
	t, known := catalogue[c.Type]
	schema := c.Schema
	if schema == 0 {
		schema = t.Schema
	}
	switch {
	case c.Type == "" && c.Schema != 0:
		return "", errors.New("--schema is of a --type")
	case c.Type == "":
		return asyncapi.Path, nil
	case !known:
		return "", fmt.Errorf("there are no events of type %s", c.Type)
	case schema < 1 || schema > t.Schema:
		return "", fmt.Errorf("%s has no schema %d: there are 1 to %d", c.Type, schema, t.Schema)
	}
	return domain.SchemaPath(c.Type, schema), nil
}

// writeDocuments writes each where its path says; an index is a file of that name in its folder.
func writeDocuments(folder string, all []server.Document) error {
	for _, d := range all {
		path := d.Path
		if strings.HasSuffix(path, "/") {
			path += "index.json"
		}
		file := filepath.Join(folder, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		text, err := d.Body()
		if err == nil {
			err = os.WriteFile(file, text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
