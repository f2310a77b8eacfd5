package postgres

import (
	"encoding/binary"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// draft is what one transaction writes, table by table. It is used again for the next.
type draft struct {
	events, checks, releases, takes, keys, holdings, forgets, answers table

	trail eventstore.Mark // must be in its place; zero where nothing relies on it
}

func newDraft() *draft {
	return &draft{
		events: newTable(eventTypes...), checks: newTable(checkTypes...),
		releases: newTable(claimTypes...), takes: newTable(claimTypes...),
		keys: newTable(keyTypes...), holdings: newTable(holdingTypes...), forgets: newTable(forgetTypes...), answers: newTable(answerTypes...),
	}
}

func (d *draft) reset() {
	for _, t := range []table{d.events, d.checks, d.releases, d.takes, d.keys, d.holdings, d.forgets, d.answers} {
		t.reset()
	}
	d.trail = eventstore.Mark{}
}

// unjudged adds an append that the database checks while it writes.
func (d *draft) unjudged(a eventstore.Append, t *trail) {
	for _, w := range a.Writes {
		follows := w.Expect > 0
		switch {
		case len(w.Events) == 0:
			d.check(w)
		case follows && t.stands(w):
			d.trail, follows = t.last, false
		}
		d.write(w, follows)
		d.claim(d.releases, w.Stream, w.Release)
		d.claim(d.takes, w.Stream, w.Take)
	}
	d.rest(a)
}

// judged adds an append that was found good. Its claims are not in it: what several appends take and
// release of one name is settled between them first.
func (d *draft) judged(a eventstore.Append) {
	for _, w := range a.Writes {
		d.write(w, false)
	}
	d.rest(a)
}

func (d *draft) write(w eventstore.Write, follows bool) {
	for i, e := range w.Events {
		t := d.events
		t[0].text(w.Stream.Kind)
		t[1].bytes(w.Stream.ID[:])
		t[2].int8(w.Expect + int64(i) + 1)
		if follows && i == 0 {
			t[3].bytes(w.After.ID[:])
		} else {
			t[3].null()
		}
		t[4].bytes(e.ID.ID[:])
		t[5].text(e.Type)
		t[6].int4(e.Schema)
		t[7].json(e.Data)
		t[8].json(e.Secret)
		t[9].json(e.Meta)
		t[10].time(e.OccurredAt)
	}
}

func (d *draft) check(w eventstore.Write) {
	d.checks[0].text(w.Stream.Kind)
	d.checks[1].bytes(w.Stream.ID[:])
	d.checks[2].int8(w.Expect)
	if w.After.IsZero() {
		d.checks[3].null()
	} else {
		d.checks[3].bytes(w.After.ID[:])
	}
}

func (d *draft) claim(t table, s domain.Stream, claims []eventstore.Claim) {
	for _, c := range claims {
		t[0].bytes(c.Scope[:])
		t[1].bytes(c.Name[:])
		t[2].text(s.Kind)
		t[3].bytes(s.ID[:])
	}
}

func (d *draft) rest(a eventstore.Append) {
	for _, k := range a.Keys {
		d.keys[0].bytes(k.Subject[:])
		d.keys[1].bytes(k.Wrapped)
	}
	for _, w := range a.Writes {
		for _, s := range w.Subjects {
			d.holdings.holding(s, w.Stream)
		}
	}
	for _, g := range a.Forget {
		d.forgets[0].bytes(g.Subject[:])
		d.forgets[1].int8(int64(g.Streams))
	}
	if i := a.Idempotency; i != nil {
		d.answers[0].text(i.Scope)
		d.answers[1].text(i.Key)
		d.answers[2].bytes(i.Fingerprint)
		d.answers[3].json(i.Result)
	}
}

func (t table) holding(subject id.ID, s domain.Stream) {
	t[0].bytes(subject[:])
	t[1].text(s.Kind)
	t[2].bytes(s.ID[:])
}

// steps are the statements that write the draft; the place of its events is read into at. Checks come
// first, releases before takes, and keys before what asks for them.
func (d *draft) steps(at *place) []step {
	var steps []step
	add := func(statement string, t table) {
		if t.rows() > 0 {
			steps = append(steps, step{statement: statement, params: t.arrays()})
		}
	}
	add("check_ends", d.checks)
	if rows := d.events.rows(); rows == 1 && d.trail.Position == 0 {
		steps = append(steps, step{"insert_event", d.events.scalars(), at.read})
	} else if rows > 0 {
		trail := [][]byte{binary.BigEndian.AppendUint64(nil, uint64(d.trail.Position)), d.trail.Event.ID[:]}
		steps = append(steps, step{"insert_events", append(d.events.arrays(), trail...), at.read})
	}
	add("release_claims", d.releases)
	add("take_claims", d.takes)
	add("insert_keys", d.keys)
	add("hold_subjects", d.holdings)
	add("forget_subjects", d.forgets)
	add("insert_answers", d.answers)
	return steps
}
