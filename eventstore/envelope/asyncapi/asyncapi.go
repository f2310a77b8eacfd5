// Package asyncapi describes what is published, for programs: an AsyncAPI document of all channels and messages, and
// the JSON Schemas of what is in them.
package asyncapi

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"gesta/domain"
	"gesta/domain/schema"
	"gesta/eventstore/envelope"
)

// base is the document without the events.
//
//go:embed base.json
var base []byte

// document is an AsyncAPI 3.0 document, as far as it is made here.
type document struct {
	AsyncAPI           string               `json:"asyncapi"`
	Info               info                 `json:"info"`
	DefaultContentType string               `json:"defaultContentType"`
	Servers            json.RawMessage      `json:"servers"`
	Channels           map[string]channel   `json:"channels"`
	Operations         map[string]operation `json:"operations"`
	Components         components           `json:"components"`
}

type (
	info struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	components struct {
		Parameters    json.RawMessage    `json:"parameters"`
		MessageTraits json.RawMessage    `json:"messageTraits"`
		Messages      map[string]message `json:"messages"`
		Schemas       map[string]any     `json:"schemas"`
	}
	channel struct {
		Address    string         `json:"address"`
		Parameters map[string]ref `json:"parameters"`
		Messages   map[string]ref `json:"messages"`
	}
	operation struct {
		Action   string `json:"action"`
		Summary  string `json:"summary,omitempty"`
		Channel  ref    `json:"channel"`
		Messages []ref  `json:"messages"`
	}
	message struct {
		Name    string         `json:"name"`
		Title   string         `json:"title"`
		Summary string         `json:"summary,omitempty"`
		Traits  []ref          `json:"traits"`
		Payload map[string]any `json:"payload"`
	}
	ref struct {
		To string `json:"$ref"`
	}
)

// Document is the AsyncAPI document of a catalogue; version is that of the program.
func Document(c domain.Catalogue, version string) []byte {
	var d document
	if err := json.Unmarshal(base, &d); err != nil {
		panic(err) // It is part of the program.
	}
	d.Info.Version = version
	for _, name := range slices.Sorted(maps.Keys(c)) {
		d.add(c[name])
	}
	return schema.Indent(d)
}

// add tells of a type: one channel that one operation sends one message on, whatever its schema.
func (d *document) add(t domain.Type) {
	current := schema.Of(t, t.Schema)
	d.Channels[t.Name] = channel{
		Address:    envelope.SubjectOf("{realm}", t.Name),
		Parameters: map[string]ref{"realm": {"#/components/parameters/realm"}},
		Messages:   map[string]ref{"event": {"#/components/messages/" + t.Name}},
	}
	d.Operations[t.Name] = operation{
		Action: "send", Summary: current.Description,
		Channel: ref{"#/channels/" + t.Name}, Messages: []ref{{"#/channels/" + t.Name + "/messages/event"}},
	}
	d.Components.Messages[t.Name] = message{
		Name: t.Name, Title: current.Title, Summary: current.Description,
		Traits: []ref{{"#/components/messageTraits/event"}}, Payload: d.payload(t),
	}
}

// payload is an envelope with the data of one of the type's schemas.
func (d *document) payload(t domain.Type) map[string]any {
	var kinds []any
	for n := 1; n <= t.Schema; n++ {
		kinds = append(kinds, map[string]any{"properties": map[string]any{
			"dataschema": map[string]any{"const": domain.SchemaPath(t.Name, n)},
			"data":       ref{d.data(t, n)},
		}})
	}
	all := []any{
		ref{"#/components/schemas/envelope"},
		map[string]any{"properties": map[string]any{"type": map[string]any{"const": t.Name}}},
	}
	if len(kinds) == 1 {
		return map[string]any{"allOf": append(all, kinds...)}
	}
	return map[string]any{"allOf": append(all, map[string]any{"oneOf": kinds})}
}

// data puts a schema among the components. What it is, and in which dialect, is said by the document there.
func (d *document) data(t domain.Type, n int) (at string) {
	s := schema.Of(t, n)
	s.ID, s.Dialect = "", ""
	name := strings.ReplaceAll(strings.TrimPrefix(domain.SchemaPath(t.Name, n), domain.SchemaPrefix), "/", ".")
	d.Components.Schemas[name] = s
	return "#/components/schemas/" + name
}
