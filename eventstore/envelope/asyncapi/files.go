package asyncapi

import (
	"maps"
	"slices"

	"gesta/domain"
	"gesta/domain/schema"
)

// File is a document with the path that it is served at; one that ends with a slash is an index.
type File struct {
	Path, Type string
	Body       []byte
}

// Path is where the AsyncAPI document is served.
const Path = "/docs/asyncapi.json"

// Files are all documents about the events of a catalogue.
func Files(c domain.Catalogue, version string) []File {
	all := []File{
		{Path, "application/vnd.aai.asyncapi+json;version=3.0.0", Document(c, version)},
		{domain.SchemaPrefix, "application/json", index(c)},
	}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		for n := 1; n <= c[name].Schema; n++ {
			all = append(all, File{domain.SchemaPath(name, n), "application/schema+json", schema.Text(c[name], n)})
		}
	}
	return all
}

// listed is a type as the index tells of it; the last schema is the current one.
type listed struct {
	Type        string   `json:"type"`
	Description string   `json:"description,omitempty"`
	Schemas     []string `json:"schemas"`
}

func index(c domain.Catalogue) []byte {
	var types []listed
	for _, name := range slices.Sorted(maps.Keys(c)) {
		one := listed{Type: name, Description: schema.Of(c[name], c[name].Schema).Description}
		for n := 1; n <= c[name].Schema; n++ {
			one.Schemas = append(one.Schemas, domain.SchemaPath(name, n))
		}
		types = append(types, one)
	}
	return schema.Indent(map[string]any{"asyncapi": Path, "types": types})
}
