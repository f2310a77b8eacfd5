// Package schema describes what is published of events as JSON Schema.
//
// The schemas are of draft 2020-12, and use only what draft 7 means the same by, so that AsyncAPI can hold them.
// Nothing forbids further fields: consumers must not mind those that are added.
package schema

import (
	"encoding/json"
	"strconv"
	"strings"

	"gesta/domain"
)

// Dialect is what the schemas are written in.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// Schema is a JSON Schema.
type Schema struct {
	Dialect     string             `json:"$schema,omitempty"`
	ID          string             `json:"$id,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        Types              `json:"type,omitempty"` // none stands for anything
	Format      string             `json:"format,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Encoding    string             `json:"contentEncoding,omitempty"`
	Personal    string             `json:"x-gesta-personal,omitempty"` // the field beside it, or around it, that says whose it is
	Minimum     *int               `json:"minimum,omitempty"`
	Items       *Schema            `json:"items,omitempty"`
	MinItems    int                `json:"minItems,omitempty"`
	MaxItems    int                `json:"maxItems,omitempty"`
	Values      *Schema            `json:"additionalProperties,omitempty"` // of a map
	Properties  map[string]*Schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
}

// Types are the kinds of value that something may be.
type Types []string

// MarshalJSON writes one type without brackets.
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// Of is the schema of an event's data. A field of a kind that nothing here describes panics: it is a programmer's
// mistake.
func Of(t domain.Type, schema int) *Schema {
	shape := t.Published(schema)
	s := object(shape)
	s.Dialect, s.ID, s.Title = Dialect, domain.SchemaPath(t.Name, schema), title(t.Name, schema)
	s.Description = strings.Replace(about(shape.Of, ""), shape.Of.Name(), t.Name, 1)
	return s
}

// title is a name for programs that make types of schemas: IdentityUserRegistered, and IdentityUserRegistered2 for
// the next schema.
func title(typ string, schema int) string {
	var out strings.Builder
	for word := range strings.FieldsFuncSeq(typ, func(r rune) bool { return r == '.' || r == '_' }) {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	if schema > 1 {
		out.WriteString(strconv.Itoa(schema))
	}
	return out.String()
}

func object(shape domain.Shape) *Schema {
	s := &Schema{Type: Types{"object"}, Properties: map[string]*Schema{}}
	for _, f := range shape.Fields {
		s.Properties[f.Key] = property(f, shape)
		if !f.Optional {
			s.Required = append(s.Required, f.Key)
		}
	}
	return s
}

func property(f domain.ShapeField, in domain.Shape) (s *Schema) {
	doc := about(in.Of, f.Name)
	switch {
	case f.Owner != "":
		s = sealed(f.Owner)
		doc = strings.TrimSpace(doc + " " + whose(f.Owner))
	case f.Quoted:
		s = &Schema{Type: Types{"string"}, Pattern: quoted[f.Type.Kind()]}
	default:
		s = value(f.Type, f.Inside)
	}
	if f.Optional && len(s.Type) > 1 {
		s.Type = s.Type[:1] // It is left out instead of being null.
	}
	s.Description = doc
	return s
}

// sealed is text that may be empty: where nothing is said, it is nobody's.
func sealed(owner string) *Schema {
	return &Schema{Type: Types{"string"}, Pattern: "^(" + domain.SealedPrefix + ".+)?$", Personal: owner}
}

func whose(owner string) string {
	return "Personal data of the person whom " + owner + " names, sealed: ask the API for it by that id. " +
		"Once the person is forgotten, nobody can open it."
}
