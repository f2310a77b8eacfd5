package schema

import (
	"encoding"
	"encoding/json"
	"reflect"
	"time"

	"gesta/domain"
)

const ulid = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"

// spelled are types that say themselves how they are written.
var spelled = map[reflect.Type]Schema{
	reflect.TypeFor[time.Time]():       {Type: Types{"string"}, Format: "date-time"},
	reflect.TypeFor[json.RawMessage](): {},
}

// quoted are the patterns of what is written as a string, and is none.
var quoted = map[reflect.Kind]string{
	reflect.Bool: "^(true|false)$",
	reflect.Int:  integer, reflect.Int8: integer, reflect.Int16: integer, reflect.Int32: integer, reflect.Int64: integer,
	reflect.Uint: natural, reflect.Uint8: natural, reflect.Uint16: natural, reflect.Uint32: natural, reflect.Uint64: natural,
}

const (
	integer = "^-?[0-9]+$"
	natural = "^[0-9]+$"
)

// value describes a public value; inside is the shape of the struct in it.
func value(t reflect.Type, inside *domain.Shape) *Schema {
	if s, ok := spelled[t]; ok {
		return &s
	}
	switch {
	case domain.IsID(t):
		return &Schema{Type: Types{"string"}, Pattern: ulid}
	case t.Kind() == reflect.Pointer:
		return nullable(value(t.Elem(), inside))
	case is[json.Marshaler](t):
		panic("schema: nothing says how JSON spells " + t.String())
	case is[encoding.TextMarshaler](t):
		return &Schema{Type: Types{"string"}}
	}
	return plain(t, inside)
}

func plain(t reflect.Type, inside *domain.Shape) *Schema {
	switch t.Kind() {
	case reflect.Struct:
		return object(*inside)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return nullable(&Schema{Type: Types{"string"}, Encoding: "base64"})
		}
		return nullable(&Schema{Type: Types{"array"}, Items: value(t.Elem(), inside)})
	case reflect.Array:
		return &Schema{Type: Types{"array"}, Items: value(t.Elem(), inside), MinItems: t.Len(), MaxItems: t.Len()}
	case reflect.Map:
		return nullable(&Schema{Type: Types{"object"}, Values: value(t.Elem(), inside)})
	case reflect.Interface:
		return &Schema{}
	}
	return scalar(t)
}

func scalar(t reflect.Type) *Schema {
	switch t.Kind() {
	case reflect.String:
		return &Schema{Type: Types{"string"}}
	case reflect.Bool:
		return &Schema{Type: Types{"boolean"}}
	case reflect.Float32, reflect.Float64:
		return &Schema{Type: Types{"number"}}
	}
	switch quoted[t.Kind()] {
	case integer:
		return &Schema{Type: Types{"integer"}}
	case natural:
		return &Schema{Type: Types{"integer"}, Minimum: new(int)}
	}
	panic("schema: nothing says how JSON spells " + t.String())
}

func is[I any](t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[I]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[I]())
}

// nullable is what a nil pointer, slice or map is written as.
func nullable(s *Schema) *Schema {
	if len(s.Type) == 1 {
		s.Type = append(s.Type, "null")
	}
	return s
}
