package domain

import (
	"encoding/json"
	"reflect"
)

// PrivacyTag is the struct tag every field of an event carries: `privacy:"public"`,
// `privacy:"personal:<json name of the subject's field>"` or `privacy:"secret"`.
const PrivacyTag = "privacy"

// Secret is the PrivacyTag of fields that never leave the store.
const Secret = "secret"

// codec writes a struct as two JSON objects, one of its secret fields and one of the others, and
// reads the two back into one.
type codec struct {
	whole          reflect.Type
	public, secret part
}

// part is a struct type made of some of the fields of another.
type part struct {
	typ    reflect.Type
	fields []int // the field's index in the whole struct
}

func newCodec[T any]() codec {
	whole := reflect.TypeFor[T]()
	isSecret := func(f reflect.StructField) bool { return f.Tag.Get(PrivacyTag) == Secret }
	return codec{
		whole:  whole,
		public: partOf(whole, func(f reflect.StructField) bool { return !isSecret(f) }),
		secret: partOf(whole, isSecret),
	}
}

func partOf(whole reflect.Type, wanted func(reflect.StructField) bool) part {
	var p part
	var fields []reflect.StructField
	for i := range whole.NumField() {
		if f := whole.Field(i); wanted(f) {
			fields = append(fields, f)
			p.fields = append(p.fields, i)
		}
	}
	p.typ = reflect.StructOf(fields)
	return p
}

func (c codec) encode(v any) (data, secret []byte, err error) {
	if len(c.secret.fields) == 0 {
		data, err = json.Marshal(v)
		return data, nil, err
	}
	whole := reflect.ValueOf(v)
	if data, err = c.public.marshal(whole); err != nil {
		return nil, nil, err
	}
	secret, err = c.secret.marshal(whole)
	return data, secret, err
}

func (p part) marshal(whole reflect.Value) ([]byte, error) {
	some := reflect.New(p.typ).Elem()
	for i, f := range p.fields {
		some.Field(i).Set(whole.Field(f))
	}
	return json.Marshal(some.Interface())
}

func (c codec) decode(data, secret []byte) (any, error) {
	v := reflect.New(c.whole)
	if err := c.public.unmarshal(data, v.Elem()); err != nil {
		return nil, err
	}
	if len(secret) > 0 {
		if err := c.secret.unmarshal(secret, v.Elem()); err != nil {
			return nil, err
		}
	}
	return v.Elem().Interface(), nil
}

// unmarshal reads only its own fields: a secret's name among the published ones sets nothing.
func (p part) unmarshal(data []byte, whole reflect.Value) error {
	if len(p.fields) == whole.NumField() {
		return json.Unmarshal(data, whole.Addr().Interface())
	}
	some := reflect.New(p.typ)
	if err := json.Unmarshal(data, some.Interface()); err != nil {
		return err
	}
	for i, f := range p.fields {
		whole.Field(f).Set(some.Elem().Field(i))
	}
	return nil
}
