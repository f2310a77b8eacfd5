package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Showing is a State that says how it is shown to those who look at what it was. Show answers a struct, or nil where
// there is nothing to show, as of what was deleted without a trace. Each field has a name for JSON, as events have it, and
// the PrivacyTag public or personal, whoever's it is. Secrets are not in it, nor what is empty, unless that means
// something. Times are UTC.
type Showing interface{ Show() any }

// ShowState is a state as JSON, null where there is nothing to show: what is personal in it is ShownPersonal unless clear
// is true, or ShownForgotten or ShownUnreadable where that is all that was left of it.
func ShowState(state any, clear bool) (json.RawMessage, error) {
	p, err := picture(state)
	if err != nil {
		return nil, err
	}
	into, at := make([]byte, 0, len(p.text)), 0
	for _, l := range p.leaves {
		into = append(append(into, p.text[at:l.from]...), l.Shown(clear)...)
		at = l.to
	}
	return append(into, p.text[at:]...), nil
}

// Leaf is one field of a shown state: a value, or a list of them.
type Leaf struct {
	Path     string          // a JSON pointer (RFC 6901), as in /details/first_name
	Value    json.RawMessage // in clear: it tells whether the field is the same
	Personal bool
	from, to int
}

// LeavesOf are the fields of a state that are not left out, in their order; none where there is nothing to show.
func LeavesOf(state any) ([]Leaf, error) {
	p, err := picture(state)
	if err == nil && string(p.text) == "null" {
		return nil, nil
	}
	return p.leaves, err
}

// Shown is the value as ShowState has it.
func (l Leaf) Shown(clear bool) json.RawMessage {
	switch {
	case !l.Personal || isEmpty(l.Value):
		return l.Value
	case says(l.Value, ShownForgotten), says(l.Value, ShownUnreadable):
		return wordsCut(l.Value)
	case clear:
		return wordsCut(l.Value)
	}
	return json.RawMessage(`"` + ShownPersonal + `"`)
}

// says tells a word that an Instead has left.
func says(value []byte, word string) bool {
	return bytes.HasPrefix(value, []byte(`"`+word+`\u0000`))
}

// wordsCut is a value, or a list of them, without what tells the words in it apart.
func wordsCut(value []byte) []byte {
	if !bytes.Contains(value, []byte(`\u0000`)) {
		return value
	}
	var into []byte
	for s := (scanner{text: value}); s.at < len(value); {
		if value[s.at] != '"' {
			into = append(into, value[s.at])
			s.at++
			continue
		}
		text, err := s.str()
		if err != nil {
			return value
		}
		into = append(into, wordCut(text)...)
	}
	return into
}

func wordCut(text []byte) []byte {
	for _, word := range []string{ShownForgotten, ShownUnreadable} {
		if says(text, word) {
			return appendQuoted(nil, word)
		}
	}
	return text
}

func isEmpty(value []byte) bool {
	switch string(value) {
	case `""`, "null", "[]", "{}":
		return true
	}
	return false
}

// view is a state on its way to be shown.
type view struct {
	scanner
	leaves []Leaf
}

func picture(state any) (view, error) {
	s, is := state.(Showing)
	if !is {
		return view{}, fmt.Errorf("domain: %T does not say how it is shown", state)
	}
	shown := s.Show()
	text, err := json.Marshal(shown)
	v := view{scanner: scanner{text: text}}
	if err != nil || string(text) == "null" {
		return v, err
	}
	m, err := shownMask(reflect.TypeOf(shown))
	if err == nil {
		err = v.object(m, "")
	}
	return v, err
}

// shownMasks are those of all structs that were shown: they are few.
var shownMasks sync.Map

func shownMask(whole reflect.Type) (*mask, error) {
	if m, known := shownMasks.Load(whole); known {
		return m.(*mask), nil
	}
	if whole.Kind() != reflect.Struct {
		return nil, fmt.Errorf("domain: a state is shown as a struct, and not as %s", whole)
	}
	m, err := maskOfShown(whole)
	if err == nil {
		shownMasks.Store(whole, m)
	}
	return m, err
}

// escapeToken spells a name in a JSON pointer.
var escapeToken = strings.NewReplacer("~", "~0", "/", "~1")

func (v *view) object(of *mask, path string) error {
	if !v.takes('{') {
		return errNotJSON
	}
	for !v.takes('}') {
		key, err := v.str()
		f := of.field(unquoted(key))
		if err != nil || f == nil || !v.takes(':') {
			return errNotJSON
		}
		if err := v.value(f, path+"/"+escapeToken.Replace(f.name)); err != nil {
			return err
		}
		v.takes(',')
	}
	return nil
}

func (v *view) value(f *masked, path string) error {
	if f.inside != nil && v.peek() == '{' {
		return v.object(f.inside, path)
	}
	v.peek()
	l := Leaf{Path: path, Personal: f.how == classPersonal || f.inside != nil && f.inside.closed, from: v.at}
	if err := v.skip(); err != nil {
		return err
	}
	l.to = v.at
	l.Value = v.text[l.from:l.to]
	v.leaves = append(v.leaves, l)
	return nil
}

// CheckShown tells what is wrong with how the states of a kind are shown: a field without a name in snake_case, or that
// does not say how private it is. Example is a state that shows something.
func (a Aggregate) CheckShown(example any) error {
	shown := reflect.TypeOf(example.(Showing).Show())
	if shown == nil {
		return fmt.Errorf("domain: this %s shows nothing", a.Kind)
	}
	m, err := shownMask(shown)
	if err != nil {
		return err
	}
	return m.checkNames(a.Kind)
}

func (m *mask) checkNames(path string) error {
	for name, f := range m.fields {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			return fmt.Errorf("domain: %s is shown with a field %s, which is not spelled as those of events", path, name)
		}
		if f.inside != nil {
			if err := f.inside.checkNames(path + "." + name); err != nil {
				return err
			}
		}
	}
	return nil
}
