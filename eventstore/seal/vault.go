package seal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// Vault turns events into what is stored, and back.
type Vault struct {
	Catalogue domain.Catalogue
	Keys      *Keyring
}

// Over is the same vault with other keys.
func (v *Vault) Over(s Source) *Vault { return &Vault{Catalogue: v.Catalogue, Keys: v.Keys.Over(s)} }

// Opened is an event that was decoded.
type Opened struct {
	Event    domain.Event
	Subjects []id.ID // whose data is sealed in it
	Clear    []id.ID // by DecodeWithout: of whom it says something that was written before it was sealed
	Err      error   // why it can't be read: domain.ErrUnknownType, or damage. It says nothing of what the event says
}

// Decode opens events, for all of which it asks for keys at once. It fails only where the store is away; an event
// that can't be read has an Err of its own. It asks anew for the keys of those whom one of them forgets.
func (v *Vault) Decode(ctx context.Context, events ...eventstore.Recorded) ([]Opened, error) {
	return v.decode(ctx, events, opener{house: v.Keys.house})
}

// DecodePublished is Decode for those who must see the same whether an event comes from the store or by NATS: no
// secrets.
func (v *Vault) DecodePublished(ctx context.Context, events ...eventstore.Recorded) ([]Opened, error) {
	without := make([]eventstore.Recorded, len(events))
	for i, r := range events {
		without[i], without[i].Secret = r, nil
	}
	return v.decode(ctx, without, opener{house: v.Keys.house})
}

// DecodeWithout opens events as they will be once the subject is forgotten.
func (v *Vault) DecodeWithout(ctx context.Context, subject id.ID, events ...eventstore.Recorded) ([]Opened, error) {
	return v.decode(ctx, events, opener{house: v.Keys.house, shut: func(s id.ID) bool { return s == subject }})
}

// DecodeOnly opens of events what is about one subject, and nothing that is about others, nor any secret that is
// nobody's.
func (v *Vault) DecodeOnly(ctx context.Context, subject id.ID, events ...eventstore.Recorded) ([]Opened, error) {
	return v.decode(ctx, events, opener{house: v.Keys.house, shut: func(s id.ID) bool { return s != subject }})
}

func (v *Vault) decode(ctx context.Context, events []eventstore.Recorded, o opener) ([]Opened, error) {
	opened, closed := make([]Opened, len(events)), make([]domain.Closed, len(events))
	var subjects []id.ID
	ends := make([]int, len(events))
	for i, r := range events {
		closed[i], opened[i].Err = v.Catalogue.Parse(r.Type, r.Schema, r.Data, r.Secret)
		if opened[i].Err == nil {
			subjects = closed[i].AddSubjects(subjects)
		}
		if v.Catalogue.Forgets(r.Type) && opened[i].Err == nil {
			v.forget(closed[i])
		}
		ends[i] = len(subjects)
	}
	keys, err := v.Keys.of(ctx, subjects)
	if err != nil {
		return nil, err
	}
	for i, r := range events {
		if opened[i].Err != nil {
			continue
		}
		from := 0
		if i > 0 {
			from = ends[i-1]
		}
		o.begin(r.Stream, r.ID, subjects[from:ends[i]], keys[from:ends[i]])
		opened[i].Subjects = o.subjects
		if o.shut != nil {
			opened[i].Clear = closed[i].AddClear(nil)
		}
		opened[i].Event, opened[i].Err = closed[i].Open(&o)
	}
	return opened, nil
}

func (v *Vault) forget(c domain.Closed) {
	if e, err := c.Open(nil); err == nil {
		v.Keys.Drop(e.(domain.Forgetter).Forgets())
	}
}

// place is what a value is bound to.
type place struct {
	bound []byte
	event int // as many bytes of it name the event
}

func (p *place) begin(s domain.Stream, e id.Event) {
	p.bound = append(append(append(append(p.bound[:0], s.Kind...), 0), s.ID[:]...), e.ID[:]...)
	p.event = len(p.bound)
}

func (p *place) of(at domain.Place) []byte {
	p.bound = append(append(p.bound[:p.event], at.Subject[:]...), at.Path...)
	return p.bound
}

// opener opens the fields of one event after the other.
type opener struct {
	house
	place
	shut                func(id.ID) bool // what is closed though there is a key; nil for nothing
	view                *view            // nil where what is not opened is not there
	subjects            []id.ID
	keys                []entry
	text, sealed, clear []byte // used again for each value
}

func (o *opener) begin(s domain.Stream, e id.Event, subjects []id.ID, keys []entry) {
	o.place.begin(s, e)
	o.subjects, o.keys = subjects, keys
	if o.view != nil {
		o.view.event = e.String()
	}
}

// Why a value does not open.
var (
	errNoKey  = errors.New("has no key")
	errClosed = errors.New("does not open")
)

// Open opens a value in its place.
func (o *opener) Open(at domain.Place, text string) (clear []byte, err error) {
	if o.view != nil {
		return o.view.open(o, at, text)
	}
	return o.open(at, text)
}

func (o *opener) open(at domain.Place, text string) (clear []byte, err error) {
	key := entry{key: o.secrets}
	if !at.Subject.IsZero() {
		key = o.keyOf(at.Subject)
	}
	switch {
	case key.forgotten, o.shut != nil && o.shut(at.Subject):
		return nil, domain.ErrForgotten
	case key.key == nil: // There is none, or it can't be unwrapped.
		return nil, errNoKey
	}
	o.text = append(o.text[:0], text[len(domain.SealedPrefix):]...)
	if o.sealed, err = base64.RawURLEncoding.AppendDecode(o.sealed[:0], o.text); err != nil {
		return nil, errClosed
	}
	if o.clear, err = key.key.Open(o.clear[:0], nil, o.sealed, o.place.of(at)); err != nil {
		return nil, errClosed
	}
	return o.clear, nil
}

func (o *opener) keyOf(subject id.ID) entry {
	if i := slices.Index(o.subjects, subject); i >= 0 {
		return o.keys[i]
	}
	return entry{}
}

// Sealing seals the events of one append. It is for one goroutine.
type Sealing struct {
	Keys []eventstore.SubjectKey // that the append has to bring

	vault    *Vault
	ctx      context.Context
	isNew    func(id.ID) bool
	place    place
	subjects []id.ID
	keys     []entry
	sealed   []byte
}

// Sealing begins to seal for an append. Who is new has no key yet, and the store need not be asked.
func (v *Vault) Sealing(ctx context.Context, isNew func(subject id.ID) bool) *Sealing {
	return &Sealing{vault: v, ctx: ctx, isNew: isNew}
}

// Encode writes an event that is to stand in a stream by that id. It refuses with domain.ErrForgotten to say anything
// about somebody who was forgotten.
func (s *Sealing) Encode(stream domain.Stream, event id.Event, e domain.Event) (domain.Encoded, error) {
	s.place.begin(stream, event)
	return s.vault.Catalogue.Encode(e, s)
}

// Seal seals a value for its place.
func (s *Sealing) Seal(at domain.Place, clear []byte) (string, error) {
	key := s.vault.Keys.secrets
	if !at.Subject.IsZero() {
		e, err := s.keyOf(at.Subject)
		if err != nil {
			return "", err
		}
		key = e.key
	}
	s.sealed = key.Seal(s.sealed[:0], nil, clear, s.place.of(at))
	text := make([]byte, 0, len(domain.SealedPrefix)+base64.RawURLEncoding.EncodedLen(len(s.sealed)))
	return string(base64.RawURLEncoding.AppendEncode(append(text, domain.SealedPrefix...), s.sealed)), nil
}

func (s *Sealing) keyOf(subject id.ID) (e entry, err error) {
	if i := slices.Index(s.subjects, subject); i >= 0 {
		return s.keys[i], nil
	}
	if !s.isNew(subject) {
		known, err := s.vault.Keys.of(s.ctx, []id.ID{subject})
		if err != nil {
			return e, err
		}
		e = known[0]
	}
	switch {
	case e.forgotten:
		return e, domain.ErrForgotten
	case e.err != nil:
		return e, fmt.Errorf("seal: subject %s: %w", subject, e.err)
	case e.key == nil:
		key := newKey()
		e.key = sealing(key)
		s.Keys = append(s.Keys, s.vault.Keys.wrap(subject, key))
	}
	s.subjects, s.keys = append(s.subjects, subject), append(s.keys, e)
	return e, nil
}

// Brings tells whether there is a new key of a subject among Keys.
func (s *Sealing) Brings(subject id.ID) bool {
	return slices.ContainsFunc(s.Keys, func(k eventstore.SubjectKey) bool { return k.Subject == subject })
}

// Kept takes note that the append was made: the keys that it brought are the subjects'.
func (s *Sealing) Kept() {
	if len(s.Keys) == 0 {
		return
	}
	fresh := map[id.ID]entry{}
	for _, k := range s.Keys {
		fresh[k.Subject] = s.keys[slices.Index(s.subjects, k.Subject)]
	}
	s.vault.Keys.keep(fresh, s.vault.Keys.Drops())
}
