package commands

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// Between asks what changed in a stream from one point to another.
type Between struct {
	From, To Point
	// After goes on behind the change at a position, where the answer before has broken off; 0 for the first.
	After int64
	Limit int  // how many changes are answered at most, from 1 to MaxChanges; 0 for MaxChanges
	Clear bool // personal values are shown
}

// How much one answer holds: it breaks off behind the change that is more.
const (
	MaxChanges     = 500
	maxChangeBytes = 4 << 20
)

// Difference is what changed.
type Difference struct {
	From, To Reached       // the ends of what was asked for; To is how far the answer goes, where Net is nil
	Changes  []EventChange // one for each event, in order
	Next     int64         // the After of the next question; 0 where the changes are complete
	// Net are the fields that differ between the ends, also where the changes break off; nil where they were gone on with.
	Net []NetChange
}

// EventChange is what one event has changed.
type EventChange struct {
	EventRef
	Fields []FieldChange
	Unread bool // it is of a type not known here, or damaged: nobody knows what it has changed
}

// FieldChange is a field that is another than before. Personal values that are not shown are the same word before and
// after, and differ nevertheless.
type FieldChange struct {
	Path          string          // a JSON pointer into the state
	Before, After json.RawMessage // as domain.ShowState has it; nil where the field was not there, or is not any more
}

// NetChange is a field that differs between two points, and the event that has changed it last.
type NetChange struct {
	FieldChange
	By EventRef
}

// ErrBackwards refuses to go from a point to an earlier one.
var ErrBackwards = &domain.Fault{
	Kind: domain.Invalid, Code: "backwards", Text: "invalid query",
	Fields: []domain.Field{{Name: "to", Text: "must not be before from"}},
}

// isBefore is true of two positions or two times alone.
func (p Point) isBefore(o Point) bool {
	if p.time.IsZero() != o.time.IsZero() {
		return false
	}
	return p.position < o.position || p.time.Before(o.time)
}

// Diff answers what changed in a stream between two points, event by event and on the whole. What is compared is opened,
// also what is not shown. It refuses with ErrKindUnknown, ErrStreamNotFound, ErrBackwards and ErrStreamTooLong: each
// answer begins with the first event of the stream. It takes memory for the answer and a page of events, however long the
// stream is.
func (h History) Diff(ctx context.Context, s domain.Stream, q Between) (Difference, error) {
	if q.To.isBefore(q.From) {
		return Difference{}, ErrBackwards
	}
	if q.Limit < 1 || q.Limit > MaxChanges {
		q.Limit = MaxChanges
	}
	d := &diff{Between: q, last: map[string]EventRef{}}
	w, err := h.walk(ctx, s, true, d.visit)
	if err != nil {
		return Difference{}, err
	}
	d.answer.To = w.reached
	if q.After == 0 {
		d.answer.Net = d.net()
	}
	return d.answer, nil
}

// diff is a difference that is being found.
type diff struct {
	Between
	answer Difference
	begun  bool
	base   []domain.Leaf       // at the beginning
	now    []domain.Leaf       // so far
	last   map[string]EventRef // which event has changed a field last
	bytes  int                 // of the changes, roughly
}

func (d *diff) visit(w *walk, r eventstore.Recorded, o seal.Opened) (on bool, err error) {
	switch {
	case !d.To.has(r):
		return false, nil
	case d.From.has(r):
		w.take(r, o)
		d.answer.From = w.reached
		return true, nil
	case r.Position <= d.After:
		w.take(r, o)
		return true, nil
	}
	if d.isFull() {
		d.answer.Next = d.answer.Changes[len(d.answer.Changes)-1].Position
		if d.After > 0 {
			return false, nil
		}
	}
	if err := d.begin(w); err != nil {
		return false, err
	}
	return true, d.compare(w, r, w.take(r, o))
}

// begin looks at the state that the first change is compared with.
func (d *diff) begin(w *walk) (err error) {
	if d.begun {
		return nil
	}
	d.begun = true
	if w.reached.Version > 0 {
		d.base, err = domain.LeavesOf(w.state)
	}
	d.now = d.base
	return err
}

func (d *diff) compare(w *walk, r eventstore.Recorded, read bool) error {
	now, err := domain.LeavesOf(w.state)
	if err != nil {
		return err
	}
	c := EventChange{EventRef: refOf(r), Fields: []FieldChange{}, Unread: !read}
	eachChange(d.now, now, func(before, after domain.Leaf) {
		f := d.shown(before, after)
		d.last[f.Path] = c.EventRef
		c.Fields = append(c.Fields, f)
	})
	if d.now = now; d.answer.Next == 0 {
		d.add(c)
	}
	return nil
}

// isFull tells whether the answer breaks off where it is.
func (d *diff) isFull() bool { return len(d.answer.Changes) >= d.Limit || d.bytes > maxChangeBytes }

func (d *diff) add(c EventChange) {
	d.answer.Changes = append(d.answer.Changes, c)
	for _, f := range c.Fields {
		d.bytes += len(f.Path) + len(f.Before) + len(f.After)
	}
}

func (d *diff) net() []NetChange {
	all := []NetChange{}
	eachChange(d.base, d.now, func(before, after domain.Leaf) {
		f := d.shown(before, after)
		all = append(all, NetChange{f, d.last[f.Path]})
	})
	return all
}

func (d *diff) shown(before, after domain.Leaf) FieldChange {
	return FieldChange{cmp.Or(before.Path, after.Path), shownLeaf(before, d.Clear), shownLeaf(after, d.Clear)}
}

func shownLeaf(l domain.Leaf, clear bool) json.RawMessage {
	if l.Path == "" {
		return nil
	}
	return bytes.Clone(l.Shown(clear)) // The whole state need not be kept for it.
}

// eachChange goes through two states of one type side by side. Fields that are left out are zero Leaves.
func eachChange(before, after []domain.Leaf, changed func(before, after domain.Leaf)) {
	for _, now := range after {
		gone := slices.IndexFunc(before, func(l domain.Leaf) bool { return l.Path == now.Path })
		for _, l := range before[:max(gone, 0)] {
			changed(l, domain.Leaf{})
		}
		var was domain.Leaf
		if gone >= 0 {
			was, before = before[gone], before[gone+1:]
		}
		if was.Path == "" || !bytes.Equal(was.Value, now.Value) {
			changed(was, now)
		}
	}
	for _, l := range before {
		changed(l, domain.Leaf{})
	}
}
