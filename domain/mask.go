package domain

import (
	"fmt"
	"reflect"
	"strings"
)

// mask says of each field of a JSON object how private it is: of an event's published data, or of a shown state.
type mask struct {
	fields map[string]*masked // by the name in JSON
	owners int                // how many of them are ids that may say whose others are
	closed bool               // something in it is private
}

// masked is one field of a mask.
type masked struct {
	name   string
	how    class
	text   bool  // what was sealed is text, and no JSON
	owner  owner // whose it is; its field is the number of an owner in the mask
	slot   int   // its number among the owners; -1 for none
	inside *mask // of the objects in it
}

type class int

const (
	classPublic class = iota
	classPersonal
	classSecret
	classInside // objects, whose fields have classes of their own
)

// field finds one by its name, as package json does: exactly if it can, and in any case if it must.
func (m *mask) field(name []byte) *masked {
	if f, is := m.fields[string(name)]; is {
		return f
	}
	for known, f := range m.fields {
		if strings.EqualFold(known, string(name)) {
			return f
		}
	}
	return nil
}

// maskOf reads the tags of the innermost struct, which partOf has found to be right. A secret has no part among what is
// published.
func maskOf(in scopes) *mask {
	whole := in[len(in)-1]
	m := &mask{fields: map[string]*masked{}}
	parts := map[int]field{}
	for _, f := range partOf(in, published).fields {
		parts[f.from] = f
	}
	for i := range whole.NumField() {
		as := whole.Field(i)
		f, there := parts[i]
		if !there {
			f.name, _, _ = strings.Cut(as.Tag.Get("json"), ",")
		}
		one := &masked{name: f.name, text: f.text, slot: -1}
		switch {
		case !there:
			one.how = classSecret
		case f.how == sealed:
			one.how, one.owner = classPersonal, in.slot(f.subject)
		case f.how == inside:
			one.how, one.inside = classInside, maskOf(append(in[:len(in):len(in)], structIn(as.Type)))
		case IsID(as.Type):
			one.slot, m.owners = m.owners, m.owners+1
		}
		m.fields[f.name] = one
		m.closed = m.closed || one.how != classPublic
	}
	return m
}

// slot counts an owner among the ids of its struct.
func (in scopes) slot(o owner) owner {
	whole, slot := in[len(in)-1-o.up], 0
	for i := range o.field {
		if f := whole.Field(i); f.Tag.Get(PrivacyTag) == "public" && IsID(f.Type) {
			slot++
		}
	}
	o.field = slot
	return o
}

// maskOfShown reads the tags of a struct that a state is shown as. Nothing secret is in it, and whose it is need not be
// said.
func maskOfShown(whole reflect.Type) (*mask, error) {
	m := &mask{fields: map[string]*masked{}}
	for i := range whole.NumField() {
		as := whole.Field(i)
		one := &masked{slot: -1}
		one.name, _, _ = strings.Cut(as.Tag.Get("json"), ",")
		class, _, _ := strings.Cut(as.Tag.Get(PrivacyTag), ":")
		inside := structIn(as.Type)
		switch {
		case one.name == "" || as.Anonymous || !as.IsExported() || class != "public" && class != "personal":
			return nil, fmt.Errorf("domain: %s.%s is shown, and needs a name for JSON and a tag that says public or personal", whole, as.Name)
		case class == "personal":
			one.how = classPersonal
		case inside != nil:
			var err error
			if one.inside, err = maskOfShown(inside); err != nil {
				return nil, err
			}
			one.how = classInside
		}
		m.fields[one.name] = one
		m.closed = m.closed || one.how == classPersonal || inside != nil && one.how == classInside && one.inside.closed
	}
	return m, nil
}
