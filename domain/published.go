package domain

import (
	"reflect"
	"strconv"
	"strings"
)

// SchemaPrefix is where the schemas of events are served: an event's dataschema is SchemaPath.
const SchemaPrefix = "/docs/schemas/"

// SchemaPath names one schema of a type, as in /docs/schemas/identity.user.registered/1.
func SchemaPath(typ string, schema int) string {
	return SchemaPrefix + typ + "/" + strconv.Itoa(schema)
}

// Shape is what is published of a struct: of an event, or of what stands inside one.
type Shape struct {
	Of     reflect.Type
	Fields []ShapeField // in the order of the struct, without secrets
}

// ShapeField is a field of a shape.
type ShapeField struct {
	reflect.StructField        // as the event has it
	Key                 string // its name in JSON
	Quoted              bool   // a number or a truth that is written as a string
	Optional            bool   // left out when it is zero
	Owner               string // of what is sealed, and is text therefore: the key of the field that says whose it is
	Inside              *Shape // of the struct that the field is, points to or lists; nil where there is none
}

// Published is the shape of an event's data under a schema, which counts from 1 to the current one; another panics.
func (t Type) Published(schema int) Shape {
	if schema == t.Schema {
		return scopes{t.codec.whole}.shape()
	}
	return scopes{t.older[schema-1].codec.whole}.shape()
}

func (in scopes) shape() Shape {
	whole := in[len(in)-1]
	s := Shape{Of: whole}
	for _, f := range partOf(in, published).fields {
		s.Fields = append(s.Fields, in.describe(whole.Field(f.from), f))
	}
	return s
}

func (in scopes) describe(as reflect.StructField, f field) ShapeField {
	_, options, _ := strings.Cut(as.Tag.Get("json"), ",")
	d := ShapeField{StructField: as, Key: f.name, Optional: f.optional, Quoted: strings.Contains(options, "string")}
	if f.how == sealed {
		_, d.Owner, _ = strings.Cut(as.Tag.Get(PrivacyTag), ":")
	} else if within := structIn(as.Type); within != nil {
		inside := append(in[:len(in):len(in)], within).shape()
		d.Inside = &inside
	}
	return d
}
