package openapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/swaggest/jsonschema-go"
)

// schemas are those of what is shown, or of what is read.
type schemas struct {
	reflector  jsonschema.Reflector
	shown      *schemas // where these are of what is read; nil where they are of what is shown
	components map[string]map[string]any
}

func newSchemas(shown *schemas) *schemas {
	return &schemas{shown: shown, components: map[string]map[string]any{}}
}

// of answers the schema of a value, whose named types become components. What is of any type is described by what
// it holds.
func (s *schemas) of(value any) (map[string]any, error) {
	if fields, ok := value.(map[string]any); ok {
		return s.ofFields(fields)
	}
	schema, err := s.reflector.Reflect(value,
		jsonschema.RootRef, jsonschema.DefinitionsPrefix("#/components/schemas/"),
		jsonschema.CollectDefinitions(func(name string, of jsonschema.Schema) { s.components[name], _ = simple(of) }),
		jsonschema.InterceptDefName(s.name), jsonschema.InterceptSchema(s.describe),
		jsonschema.InterceptProp(s.describeField), jsonschema.InterceptNullability(neverNull),
		func(c *jsonschema.ReflectContext) { c.EnvelopNullability = true },
	)
	if err != nil {
		return nil, err
	}
	return simple(schema)
}

// ofFields describes an object that is made up as it is said.
func (s *schemas) ofFields(fields map[string]any) (map[string]any, error) {
	properties := map[string]any{}
	for name, value := range fields {
		schema, err := s.of(value)
		if err != nil {
			return nil, err
		}
		properties[name] = schema
	}
	return map[string]any{"type": "object", "properties": properties}, nil
}

func simple(s jsonschema.Schema) (m map[string]any, err error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return m, json.Unmarshal(text, &m)
}

// name answers the name of a type's component, "" for one that is not the same everywhere.
func (s *schemas) name(t reflect.Type, name string) string {
	switch {
	case holdsAny(t, nil):
		return ""
	case s.shown != nil && s.shown.components[name] != nil:
		return name + "Input"
	}
	return name
}

// holdsAny tells whether a value of the type may hold what its type does not tell.
func holdsAny(t reflect.Type, within []reflect.Type) bool {
	for _, w := range within {
		if w == t {
			return false
		}
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return holdsAny(t.Elem(), within)
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() && holdsAny(t.Field(i).Type, within) {
				return true
			}
		}
	}
	return false
}

func (s *schemas) describe(p jsonschema.InterceptSchemaParams) (stop bool, err error) {
	if p.Processed && p.Value.IsValid() {
		if text := commentOf(p.Value.Type(), ""); text != "" {
			p.Schema.WithDescription(text)
		}
	}
	return false, nil
}

// describeField says what a field means, and that what is shown is always there unless it is left out when empty.
func (s *schemas) describeField(p jsonschema.InterceptPropParams) error {
	if !p.Processed {
		return nil
	}
	if text := commentOf(p.ParentSchema.ReflectType, p.Field.Name); text != "" {
		p.PropertySchema.WithDescription(text)
	}
	required := &p.ParentSchema.Required
	if s.shown == nil && !strings.Contains(p.Field.Tag.Get("json"), ",omit") && !slices.Contains(*required, p.Name) {
		*required = append(*required, p.Name)
	}
	return nil
}

// neverNull says of lists and maps that they are empty rather than null, and of what is of any type that it is what
// it holds.
func neverNull(p jsonschema.InterceptNullabilityParams) {
	switch p.Type.Kind() {
	case reflect.Interface:
		*p.Schema = p.OrigSchema // Which shares its types with what was made of it.
		p.Schema.RemoveType(jsonschema.Null)
	case reflect.Slice, reflect.Map:
		p.Schema.RemoveType(jsonschema.Null)
	}
}
