package domain

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"gesta/domain/id"
)

// codec writes a struct as two JSON objects, one of its secret fields and one of the others, and
// reads the two back into one. What is personal or secret stands in them as sealed text.
type codec struct {
	whole        reflect.Type
	data, secret *part // secret is nil where nothing is
	shown        *part
	plain        bool // nothing is sealed: the whole is the data
	mask         *mask
}

func newCodec[T any]() *codec {
	whole := reflect.TypeFor[T]()
	c := &codec{whole: whole, data: partOf(scopes{whole}, published), shown: partOf(scopes{whole}, shown), mask: maskOf(scopes{whole})}
	if secret := partOf(scopes{whole}, secrets); len(secret.fields) > 0 {
		c.secret = secret
	}
	c.plain = c.secret == nil && !c.data.seals
	return c
}

func (c *codec) encode(v any, s Sealer, to *Encoded) (err error) {
	if c.plain {
		to.Data, err = json.Marshal(v)
		return err
	}
	whole := reflect.New(c.whole).Elem()
	whole.Set(reflect.ValueOf(v))
	w := sealing{s, to}
	if to.Data, err = w.part(c.data, whole); err != nil || c.secret == nil {
		return err
	}
	to.Secret, err = w.part(c.secret, whole)
	return err
}

func (c *codec) show(v any) ([]byte, error) {
	whole := reflect.New(c.whole).Elem()
	whole.Set(reflect.ValueOf(v))
	return sealing{}.part(c.shown, whole)
}

// sealing is the way from an event to its bytes.
type sealing struct {
	sealer Sealer
	to     *Encoded
}

func (w sealing) part(p *part, whole reflect.Value) ([]byte, error) {
	into := reflect.New(p.typ)
	if err := w.fill(p, scope{value: whole}, into.Elem()); err != nil {
		return nil, err
	}
	return json.Marshal(into.Interface())
}

func (w sealing) fill(p *part, from scope, into reflect.Value) error {
	for i := range p.fields {
		f := &p.fields[i]
		given, to := from.value.Field(f.from), into.Field(f.to)
		switch f.how {
		case asItIs:
			to.Set(given)
		case sealed:
			text, err := w.seal(f, from, given)
			if err != nil {
				return err
			}
			to.SetString(text)
		case inside:
			if err := w.fillInside(f, from, given, to); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w sealing) fillInside(f *field, from scope, given, to reflect.Value) error {
	return mirror(given, to, from.path+f.name, true, func(given, to reflect.Value, path string) error {
		return w.fill(f.part, scope{given, &from, path + "."}, to)
	})
}

// seal leaves out what JSON would leave out, and what is nobody's because nothing is said.
func (w sealing) seal(f *field, from scope, given reflect.Value) (string, error) {
	place := Place{Subject: f.subjectIn(from), Path: from.path + f.name}
	nobody := f.owned() && place.Subject.IsZero()
	if (f.optional || nobody) && given.IsZero() {
		return "", nil
	}
	if nobody {
		return "", errors.New("field " + place.Path + " is nobody's")
	}
	clear, err := f.clear(given)
	if err != nil {
		return "", err
	}
	if f.owned() && !slices.Contains(w.to.Subjects, place.Subject) {
		w.to.Subjects = append(w.to.Subjects, place.Subject)
	}
	return w.sealer.Seal(place, clear)
}

// clear is what is sealed: text as it is, anything else as JSON.
func (f *field) clear(given reflect.Value) ([]byte, error) {
	if f.text {
		return []byte(given.String()), nil
	}
	return json.Marshal(given.Interface())
}

// read is an event on its way from bytes.
type read struct {
	codec               *codec
	whole, data, secret reflect.Value // data and secret are not valid where nothing in them is sealed
}

// parse lets each part read only its own fields: a secret's name among the published ones sets nothing.
func (c *codec) parse(data, secret []byte) (r read, err error) {
	r = read{codec: c, whole: reflect.New(c.whole).Elem()}
	if c.plain {
		return r, json.Unmarshal(data, r.whole.Addr().Interface())
	}
	if r.data, err = c.data.parse(data, r.whole, true); err != nil || c.secret == nil || len(secret) == 0 {
		return r, err
	}
	r.secret, err = c.secret.parse(secret, r.whole, false)
	return r, err
}

// parse takes over what is not sealed.
func (p *part) parse(text []byte, whole reflect.Value, shapes bool) (reflect.Value, error) {
	from := reflect.New(p.typ)
	if err := json.Unmarshal(text, from.Interface()); err != nil {
		return reflect.Value{}, err
	}
	return from.Elem(), p.take(from.Elem(), whole, shapes)
}

func (p *part) take(from, whole reflect.Value, shapes bool) error {
	for i := range p.fields {
		f := &p.fields[i]
		switch f.how {
		case asItIs:
			whole.Field(f.from).Set(from.Field(f.to))
		case inside:
			err := mirror(from.Field(f.to), whole.Field(f.from), "", shapes, func(from, whole reflect.Value, _ string) error {
				return f.part.take(from, whole, shapes)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// AddSubjects adds to all those whose data is sealed in the event, each once.
func (r read) AddSubjects(all []id.ID) []id.ID { return r.add(all, true) }

// AddClear adds to all those of whom the event says something that was written before it was sealed, each once.
func (r read) AddClear(all []id.ID) []id.ID { return r.add(all, false) }

func (r read) add(all []id.ID, sealed bool) []id.ID {
	before := len(all)
	_ = r.each(func(f *field, in scope, text string, _ reflect.Value) error {
		if text == "" || isSealed(text) != sealed {
			return nil
		}
		if subject := f.subjectIn(in); !subject.IsZero() && !slices.Contains(all[before:], subject) {
			all = append(all, subject)
		}
		return nil
	})
	return all
}

// IsSealed tells whether all that is private in the event is sealed: nothing of it is in clear, or was taken away.
func (r read) IsSealed() bool {
	if r.codec.secret != nil && !r.secret.IsValid() {
		return false
	}
	return r.each(func(f *field, in scope, text string, _ reflect.Value) error {
		missing := text == "" && !f.optional && (!f.owned() || !f.subjectIn(in).IsZero())
		if missing || text != "" && !isSealed(text) {
			return &notOpened{in.path + f.name, "is not sealed"}
		}
		return nil
	}) == nil
}

func (r read) open(s Opener) (any, error) {
	err := r.each(func(f *field, in scope, text string, to reflect.Value) error {
		return f.open(s, Place{Subject: f.subjectIn(in), Path: in.path + f.name}, text, to)
	})
	if err != nil {
		return nil, err
	}
	return r.whole.Interface(), nil
}

// notOpened says which field could not be opened.
type notOpened struct{ path, why string }

func (e *notOpened) Error() string { return e.path + " " + e.why }

func (f *field) open(s Opener, at Place, text string, to reflect.Value) error {
	if text == "" {
		return nil
	}
	if !isSealed(text) {
		return f.set(to, f.unsealed(text), at)
	}
	clear, err := s.Open(at, text)
	var instead Instead
	switch {
	case errors.As(err, &instead):
		instead.say(to)
		return nil
	case errors.Is(err, ErrForgotten):
		return nil
	case err != nil:
		return &notOpened{at.Path, err.Error()}
	}
	return f.set(to, clear, at)
}

func (f *field) set(to reflect.Value, clear []byte, at Place) error {
	if f.text {
		to.SetString(string(clear))
		return nil
	}
	if err := json.Unmarshal(clear, to.Addr().Interface()); err != nil {
		return &notOpened{at.Path, "is something else"}
	}
	return nil
}

// unsealed reads what JSON has as text.
func (f *field) unsealed(text string) []byte {
	if f.text {
		return []byte(text)
	}
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // A string always marshals.
	}
	return b
}

// each visits the sealed fields.
func (r read) each(visit func(f *field, in scope, text string, to reflect.Value) error) error {
	if r.data.IsValid() && r.codec.data.seals {
		if err := r.codec.data.each(r.data, scope{value: r.whole}, visit); err != nil {
			return err
		}
	}
	if r.secret.IsValid() {
		return r.codec.secret.each(r.secret, scope{value: r.whole}, visit)
	}
	return nil
}

func (p *part) each(from reflect.Value, in scope, visit func(*field, scope, string, reflect.Value) error) error {
	for i := range p.fields {
		f := &p.fields[i]
		var err error
		switch f.how {
		case sealed:
			err = visit(f, in, from.Field(f.to).String(), in.value.Field(f.from))
		case inside:
			err = f.eachInside(from.Field(f.to), in, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *field) eachInside(from reflect.Value, in scope, visit func(*field, scope, string, reflect.Value) error) error {
	return mirror(from, in.value.Field(f.from), in.path+f.name, false, func(from, whole reflect.Value, path string) error {
		return f.part.each(from, scope{whole, &in, path + "."}, visit)
	})
}
