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

// part is a struct type that JSON sees some of the fields of. The fields are the same, in the same order:
// so it lies in memory as the whole does.
type part struct {
	typ   reflect.Type
	empty bool // JSON sees no field
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

// partOf hides the fields that are not wanted, under whatever name JSON would bring them.
func partOf(whole reflect.Type, wanted func(reflect.StructField) bool) part {
	p := part{empty: true}
	var fields []reflect.StructField
	for i := range whole.NumField() {
		f := whole.Field(i)
		if wanted(f) {
			p.empty = false
		} else {
			f.Tag = `json:"-"`
		}
		fields = append(fields, f)
	}
	p.typ = reflect.StructOf(fields)
	return p
}

func (c codec) encode(v any) (data, secret []byte, err error) {
	whole := reflect.New(c.whole)
	whole.Elem().Set(reflect.ValueOf(v))
	if data, err = json.Marshal(c.public.of(whole)); err != nil || c.secret.empty {
		return data, nil, err
	}
	secret, err = json.Marshal(c.secret.of(whole))
	return data, secret, err
}

// of is the whole, seen as the part. To convert the pointer would compare the types field by field each
// time, which is a sixth of what it takes to decode an event.
func (p part) of(whole reflect.Value) any {
	return reflect.NewAt(p.typ, whole.UnsafePointer()).Interface()
}

// decode lets each part read only its own fields: a secret's name among the published ones sets nothing.
func (c codec) decode(data, secret []byte) (any, error) {
	whole := reflect.New(c.whole)
	if err := json.Unmarshal(data, c.public.of(whole)); err != nil {
		return nil, err
	}
	if len(secret) > 0 {
		if err := json.Unmarshal(secret, c.secret.of(whole)); err != nil {
			return nil, err
		}
	}
	return whole.Elem().Interface(), nil
}
