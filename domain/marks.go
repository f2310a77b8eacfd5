package domain

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"gesta/domain/id"
)

// What stands in the place of what is not shown, to those who look at the history.
const (
	ShownPersonal   = "[personal]"   // somebody's, and not for this reader
	ShownForgotten  = "[forgotten]"  // somebody's who was forgotten: it can't be opened any more
	ShownUnreadable = "[unreadable]" // damaged: it does not open, or is not what its schema says
	ShownSecret     = "[secret]"     // a secret where none may stand
)

// Marks are where private things stand in the published data of one event, as it was written. They are for one
// goroutine, and may be used for one event after the other.
//
// What is private is told by the catalogue's tags, under the schema that the event was written with: also what was
// written before it was sealed. Of a type, schema or field that this program has never heard of, what is sealed is
// personal, and shown to nobody: whose it is can't be told. All else there is taken for public. That is so since what is
// published in clear is for every consumer, but for what was written before sealing began, and each type and schema of
// that time is known: a test keeps them from being removed.
type Marks struct {
	scanner
	spots  []spot
	ids    []id.ID // of the owners in all objects
	frames []frame // the objects around
	places bool    // paths and owners are asked for
	whole  bool    // none of it is what its schema says
}

// spot is where something private stands.
type spot struct {
	from, to int
	text     bool
	owner    int // among the ids; -1 for nobody's
	path     string
	word     string // what stands there in any case; "" for nothing
}

// frame is an object.
type frame struct {
	mask *mask
	ids  int // where its owners are among the ids
}

// Find marks what is private in the data of an event. Data is not copied. Places says that it may be opened.
func (c Catalogue) Find(m *Marks, typ string, schema int, data []byte, places bool) {
	*m = Marks{scanner: scanner{text: data}, spots: m.spots[:0], ids: m.ids[:0], frames: m.frames[:0], places: places}
	var err error
	if t, known := c[typ]; known && schema >= 1 && schema <= t.Schema {
		err = m.object(t.maskOf(schema), "")
	} else {
		err = m.strange()
	}
	m.whole = err != nil || m.peek() != 0
}

func (t Type) maskOf(schema int) *mask {
	if schema == t.Schema {
		return t.codec.mask
	}
	return t.older[schema-1].codec.mask
}

// object marks what is private in one.
func (m *Marks) object(of *mask, path string) error {
	if !m.takes('{') {
		return errNotJSON
	}
	m.frames = append(m.frames, frame{of, len(m.ids)})
	for range of.owners {
		m.ids = append(m.ids, id.ID{})
	}
	for !m.takes('}') {
		key, err := m.str()
		if err != nil || !m.takes(':') {
			return errNotJSON
		}
		if err := m.member(of.field(unquoted(key)), path); err != nil {
			return err
		}
		if !m.takes(',') && m.peek() != '}' {
			return errNotJSON
		}
	}
	m.frames = m.frames[:len(m.frames)-1]
	return nil
}

func (m *Marks) member(f *masked, path string) error {
	if f == nil {
		return m.strange()
	}
	if m.places && f.how != classPublic {
		path += f.name
	}
	m.peek()
	from := m.at
	if f.how == classInside {
		return m.objects(f.inside, path)
	}
	if err := m.skip(); err != nil {
		return err
	}
	switch f.how {
	case classSecret:
		m.spots = append(m.spots, spot{from: from, to: m.at, word: ShownSecret})
	case classPersonal:
		m.spots = append(m.spots, spot{from: from, to: m.at, text: f.text, owner: m.ownerOf(f), path: path})
	case classPublic:
		m.own(f, m.text[from:m.at])
	}
	return nil
}

// objects marks what is private in an object, or in those of a list.
func (m *Marks) objects(of *mask, path string) error {
	switch m.peek() {
	case '{':
		if m.places {
			path += "."
		}
		return m.object(of, path)
	case 'n':
		return m.skip()
	case '[':
		return m.list(of, path)
	}
	from := m.at // Whatever it is, it is not what the schema says.
	if err := m.skip(); err != nil {
		return err
	}
	m.spots = append(m.spots, spot{from: from, to: m.at, word: ShownUnreadable})
	return nil
}

func (m *Marks) list(of *mask, path string) error {
	m.takes('[')
	for i := 0; !m.takes(']'); i++ {
		inside := ""
		if m.places {
			inside = path + "." + strconv.Itoa(i)
		}
		if err := m.objects(of, inside); err != nil {
			return err
		}
		if !m.takes(',') && m.peek() != ']' {
			return errNotJSON
		}
	}
	return nil
}

// strange marks what is sealed in a value of which nothing is known.
func (m *Marks) strange() error {
	m.peek()
	from := m.at
	if err := m.skip(); err != nil {
		return err
	}
	inside := scanner{text: m.text[:m.at], at: from}
	for {
		switch inside.peek() {
		case 0:
			return nil
		case '"':
			text, err := inside.str()
			if err != nil {
				return err
			}
			if to := inside.at; isSealed(string(unquoted(text))) && inside.peek() != ':' {
				m.spots = append(m.spots, spot{from: to - len(text), to: to, word: ShownPersonal})
			}
		default:
			inside.at++
		}
	}
}

// own takes note of an id that says whose other fields are.
func (m *Marks) own(f *masked, value []byte) {
	if !m.places || f.slot < 0 {
		return
	}
	who, _ := id.Parse(string(unquoted(value))) // Nobody, where it is no id.
	m.ids[m.frames[len(m.frames)-1].ids+f.slot] = who
}

// ownerOf is where the id of a field's owner stands, or will.
func (m *Marks) ownerOf(f *masked) int {
	return m.frames[len(m.frames)-1-f.owner.up].ids + f.owner.field
}

// AddSubjects adds to all those whose data is sealed in the event, each once.
func (m *Marks) AddSubjects(all []id.ID) []id.ID {
	before := len(all)
	for i := range m.spots {
		s := &m.spots[i]
		if s.word != "" || !isSealed(string(unquoted(m.text[s.from:s.to]))) {
			continue
		}
		if who := m.ids[s.owner]; !who.IsZero() && !slices.Contains(all[before:], who) {
			all = append(all, who)
		}
	}
	return all
}

// Masked is the data as it was written, with a word in the place of each private value.
func (m *Marks) Masked() json.RawMessage {
	return m.with(func(into []byte, s *spot) []byte { return appendQuoted(into, ShownPersonal) })
}

// Opened is the data as it was written, with each personal value opened, or a word why it is not.
func (m *Marks) Opened(o Opener) json.RawMessage {
	return m.with(func(into []byte, s *spot) []byte { return m.open(into, s, o) })
}

// with writes something else in the place of each private value.
func (m *Marks) with(write func(into []byte, s *spot) []byte) json.RawMessage {
	switch {
	case m.whole:
		return appendQuoted(nil, ShownUnreadable)
	case len(m.spots) == 0:
		return m.text
	}
	into, at := make([]byte, 0, len(m.text)), 0
	for i := range m.spots {
		s := &m.spots[i]
		into = append(into, m.text[at:s.from]...)
		if s.word != "" {
			into = appendQuoted(into, s.word)
		} else {
			into = write(into, s)
		}
		at = s.to
	}
	return append(into, m.text[at:]...)
}

func (m *Marks) open(into []byte, s *spot, o Opener) []byte {
	stored := m.text[s.from:s.to]
	sealed := string(unquoted(stored))
	if !isSealed(sealed) {
		return append(into, stored...)
	}
	at := Place{Subject: m.ids[s.owner], Path: s.path}
	if at.Subject.IsZero() {
		return appendQuoted(into, ShownUnreadable)
	}
	clear, err := o.Open(at, sealed)
	switch {
	case err != nil:
		return appendQuoted(into, InsteadOf(err))
	case s.text:
		return appendQuoted(into, string(clear))
	case json.Valid(clear):
		return append(into, clear...)
	}
	return appendQuoted(into, ShownUnreadable)
}

func appendQuoted(into []byte, text string) []byte {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) }) {
		return append(append(append(into, '"'), text...), '"')
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // A string always marshals.
	}
	return append(into, quoted...)
}
