package seal

import (
	"context"
	"encoding/json"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// Shown answers, for each event, its published data as it was written under its own schema, in its own order and
// spelling, for those who look at the history: never a secret, and in the place of each personal value
// domain.ShownPersonal, or where clear is true what it says. In clear, who was forgotten is domain.ShownForgotten, and
// what does not open domain.ShownUnreadable. Of types, schemas and fields that are not known here see domain.Marks.
//
// It asks for all keys at once, and for none unless clear is true. It fails only where the store is away. The answer may
// share memory with the events.
func (v *Vault) Shown(ctx context.Context, clear bool, events ...eventstore.Recorded) ([]json.RawMessage, error) {
	if clear {
		return v.shownClear(ctx, events)
	}
	shown := make([]json.RawMessage, len(events))
	var m domain.Marks
	for i, r := range events {
		v.Catalogue.Find(&m, r.Type, r.Schema, r.Data, false)
		shown[i] = m.Masked()
	}
	return shown, nil
}

func (v *Vault) shownClear(ctx context.Context, events []eventstore.Recorded) ([]json.RawMessage, error) {
	shown, marks, ends := make([]json.RawMessage, len(events)), make([]domain.Marks, len(events)), make([]int, len(events))
	var subjects []id.ID
	for i, r := range events {
		v.Catalogue.Find(&marks[i], r.Type, r.Schema, r.Data, true)
		subjects = marks[i].AddSubjects(subjects)
		ends[i] = len(subjects)
		if v.Catalogue.Forgets(r.Type) {
			if closed, err := v.Catalogue.Parse(r.Type, r.Schema, r.Data, nil); err == nil {
				v.forget(closed)
			}
		}
	}
	keys, err := v.Keys.of(ctx, subjects)
	if err != nil {
		return nil, err
	}
	o, from := opener{house: v.Keys.house}, 0
	for i, r := range events {
		o.begin(r.Stream, r.ID, subjects[from:ends[i]], keys[from:ends[i]])
		shown[i], from = marks[i].Opened(&o), ends[i]
	}
	return shown, nil
}

// IsSealed tells whether nothing private stands in an event in clear. Of a type or schema that is not known here it can't
// be told: false.
func (v *Vault) IsSealed(r eventstore.Recorded) bool {
	closed, err := v.Catalogue.Parse(r.Type, r.Schema, r.Data, r.Secret)
	return err == nil && closed.IsSealed()
}

// DecodeShown is Decode for those who look at what a state was: without secrets, and with a word in the place of what is
// not opened. Unless clear is true no personal value is.
func (v *Vault) DecodeShown(ctx context.Context, clear bool, events ...eventstore.Recorded) ([]Opened, error) {
	without := make([]eventstore.Recorded, len(events))
	for i, r := range events {
		without[i], without[i].Secret = r, nil
	}
	return v.decode(ctx, without, opener{house: v.Keys.house, view: &view{clear: clear}})
}

// view is how values are opened for those who look at what a state was.
type view struct {
	clear bool
	event string // that the values are of
}

// open has a word for whatever it does not open. Where nobody knows what was said, no two events have said the same.
func (w *view) open(o *opener, at domain.Place, text string) ([]byte, error) {
	if !w.clear && !o.keyOf(at.Subject).forgotten {
		return nil, domain.Instead(domain.ShownPersonal)
	}
	clear, err := o.open(at, text)
	if err != nil {
		return nil, domain.Instead(domain.InsteadOf(err) + "\x00" + w.event)
	}
	return clear, nil
}
