package domain

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gesta/domain/id"
)

// part is a struct of those fields of another one that stand in the same JSON object, in the same order: what is
// sealed is text in it.
type part struct {
	typ    reflect.Type
	fields []field
	seals  bool // something in it is sealed
}

// field is one field of a part.
type field struct {
	from, to int // its number in the whole, and in the part
	name     string
	how      treatment
	text     bool  // a string, which is sealed as it is; anything else as JSON
	optional bool  // left out when it is zero
	subject  owner // whose it is
	part     *part // of the structs inside
}

type treatment int

const (
	asItIs treatment = iota
	sealed
	inside // structs, of which some fields are sealed
)

// owner is where the subject stands: in the field of that number, so many structs further out.
type owner struct {
	known     bool
	up, field int
}

func (f *field) owned() bool { return f.subject.known }

// subjectIn is whose the field is; zero for nobody's.
func (f *field) subjectIn(in scope) id.ID {
	if !f.subject.known {
		return id.ID{}
	}
	at := &in
	for range f.subject.up {
		at = at.around
	}
	return *(*id.ID)(at.value.Field(f.subject.field).Addr().UnsafePointer()) // It is an id.ID, or a struct of one: see IsID.
}

// scope is a struct on the way through an event, and the path to it.
type scope struct {
	value  reflect.Value // addressable
	around *scope
	path   string // with a dot behind it; empty for the event itself
}

// scopes are the types of a struct and of those around it, the outermost first.
type scopes []reflect.Type

var textType = reflect.TypeFor[string]()

// which fields a part has, and whether they are sealed in it.
type which int

const (
	published which = iota // all but secrets
	secrets
	shown // all but secrets, as they are
)

// partOf makes a part of the innermost struct.
func partOf(in scopes, w which) *part {
	p, shape := &part{}, in[len(in)-1]
	var fields []reflect.StructField
	for i := range shape.NumField() {
		f := shape.Field(i)
		one, typ := in.field(f, w)
		if typ == nil {
			continue
		}
		one.from, one.to = i, len(fields)
		p.fields = append(p.fields, one)
		p.seals = p.seals || one.how != asItIs
		fields = append(fields, reflect.StructField{Name: f.Name, Type: typ, Tag: f.Tag})
	}
	p.typ = reflect.StructOf(fields)
	return p
}

// field says how a field stands in a part; its type there is nil if it does not.
func (in scopes) field(f reflect.StructField, w which) (one field, typ reflect.Type) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	one = field{
		name: name, text: f.Type.Kind() == reflect.String && !isLeaf(f.Type),
		optional: strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero"),
	}
	class, subject, of := strings.Cut(f.Tag.Get(PrivacyTag), ":")
	known := class == "public" && !of || class == "personal" && of || class == "secret"
	if !known || name == "" || f.Anonymous || !f.IsExported() {
		panic(fmt.Sprintf("domain: %s.%s needs a name for JSON and one of the tags public, personal:<subject>, secret: it has `%s`",
			in[len(in)-1], f.Name, f.Tag))
	}
	if of {
		one.subject = in.owner(f, subject)
	}
	switch {
	case class == "public":
		return in.public(one, f, w)
	case (class == "secret") != (w == secrets):
		return one, nil
	case w == shown:
		return one, f.Type
	}
	one.how = sealed
	return one, textType
}

// public looks into a field that is public itself.
func (in scopes) public(one field, f reflect.StructField, w which) (field, reflect.Type) {
	within := structIn(f.Type)
	if within == nil {
		return asPublic(one, f.Type, w)
	}
	further := append(in[:len(in):len(in)], within)
	if !partOf(further, published).seals && len(partOf(further, secrets).fields) == 0 {
		return asPublic(one, f.Type, w)
	}
	if one.part = partOf(further, w); len(one.part.fields) == 0 {
		return one, nil
	}
	one.how = inside
	return one, reshape(f, f.Type, one.part.typ)
}

// asPublic is a field that stands in its part as it is, which no secret does.
func asPublic(one field, typ reflect.Type, w which) (field, reflect.Type) {
	if w == secrets {
		return one, nil
	}
	return one, typ
}

// owner finds the public field that a tag names.
func (in scopes) owner(f reflect.StructField, name string) owner {
	for up := range in {
		shape := in[len(in)-1-up]
		for i := range shape.NumField() {
			s := shape.Field(i)
			if is, _, _ := strings.Cut(s.Tag.Get("json"), ","); is == name && s.Tag.Get(PrivacyTag) == "public" && IsID(s.Type) {
				return owner{true, up, i}
			}
		}
	}
	panic(fmt.Sprintf("domain: %s.%s is the data of %q, and no public field of that name holds an id", in[len(in)-1], f.Name, name))
}

// IsID tells ids of package id, whose bytes are the id.
func IsID(t reflect.Type) bool {
	bare := reflect.TypeFor[id.ID]()
	return t == bare || t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Type == bare
}

// structIn is the struct that a field is, or points to, or lists; nil for anything that JSON spells as one value.
func structIn(t reflect.Type) reflect.Type {
	switch {
	case isLeaf(t):
		return nil
	case t.Kind() == reflect.Struct:
		return t
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice, t.Kind() == reflect.Array, t.Kind() == reflect.Map:
		return structIn(t.Elem())
	}
	return nil
}

// isLeaf tells types that say themselves how they are spelled.
func isLeaf(t reflect.Type) bool {
	for _, is := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(is) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(is) {
			return true
		}
	}
	return false
}

// reshape is a type with another struct inside.
func reshape(f reflect.StructField, t, inner reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Struct:
		return inner
	case reflect.Pointer:
		return reflect.PointerTo(reshape(f, t.Elem(), inner))
	case reflect.Slice:
		return reflect.SliceOf(reshape(f, t.Elem(), inner))
	}
	panic(fmt.Sprintf("domain: field %s: what is private can be in a struct, a pointer or a slice, and in no %s", f.Name, t.Kind()))
}

var errShape = errors.New("parts of different lengths")

// mirror visits the structs in two fields of one shape side by side. What is missing in the second is made, or else
// they do not belong together.
func mirror(from, to reflect.Value, path string, makes bool, visit func(from, to reflect.Value, path string) error) error {
	switch from.Kind() {
	case reflect.Pointer:
		if from.IsNil() {
			return nil
		}
		if to.IsNil() {
			if !makes {
				return errShape
			}
			to.Set(reflect.New(to.Type().Elem()))
		}
		return mirror(from.Elem(), to.Elem(), path, makes, visit)
	case reflect.Slice:
		if makes && !from.IsNil() {
			to.Set(reflect.MakeSlice(to.Type(), from.Len(), from.Len()))
		}
		if from.Len() != to.Len() {
			return errShape
		}
		for i := range from.Len() {
			if err := mirror(from.Index(i), to.Index(i), path+"."+strconv.Itoa(i), makes, visit); err != nil {
				return err
			}
		}
		return nil
	}
	return visit(from, to, path)
}
