package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/privacy"
	"gesta/eventstore"
)

// Privacy is what can be asked about a person's data, wherever it is.
type Privacy struct {
	Executor   *Executor
	Aggregates domain.Aggregates
	Leave      []Leaving
}

// Leaving does, in the words of one context, what comes before somebody is forgotten there: a user is put out. It does
// nothing about somebody it does not know.
type Leaving func(w *Work, subject id.ID) error

// Hold keeps somebody's data from being forgotten, for a reason that is about that person too.
func (p *Privacy) Hold(ctx context.Context, subject privacy.SubjectID, reason string) error {
	known, err := p.isKnown(ctx, subject)
	if err != nil {
		return err
	}
	if !known {
		return privacy.ErrSubjectUnknown
	}
	_, err = Execute(ctx, p.Executor, privacy.HoldSubject{Subject: subject, Reason: reason})
	return err
}

// Release ends a hold.
func (p *Privacy) Release(ctx context.Context, subject privacy.SubjectID) error {
	_, err := Execute(ctx, p.Executor, privacy.ReleaseSubject{Subject: subject})
	return err
}

// isKnown tells whether there is a key of the subject.
func (p *Privacy) isKnown(ctx context.Context, subject privacy.SubjectID) (bool, error) {
	keys, err := p.Executor.Store.Keys(ctx, []id.ID{subject.ID})
	return len(keys) > 0 && len(keys[0].Wrapped) > 0, unavailable(err)
}

// Forget makes all that is kept about a person unreadable for ever, in one commit: it says so in every stream that
// holds the person, lets go of the names that the person held, and destroys the key. All else in those streams stays.
//
// It refuses with privacy.ErrHeld while there is a hold, with privacy.ErrSubjectUnknown when nothing is kept, and with
// what a context refuses to let go. A second time changes nothing.
func (p *Privacy) Forget(ctx context.Context, subject privacy.SubjectID) (r SignedForgetting, err error) {
	if err := p.Executor.Do(ctx, func(w *Work) error { return p.forget(w, subject) }); err != nil {
		return r, err
	}
	return p.receipt(ctx, subject)
}

func (p *Privacy) forget(w *Work, subject privacy.SubjectID) error {
	streams, err := w.x.Store.StreamsOf(w.ctx, subject.ID)
	if err != nil {
		return err
	}
	own, held := privacy.SubjectStream(subject), len(streams)
	if !slices.Contains(streams, own) {
		streams = append(streams, own)
	}
	if err := w.Hold(streams...); err != nil {
		return err
	}
	before, err1 := Look[privacy.Subject](w, own)
	known, err2 := p.isKnown(w.ctx, subject)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !known && !before.Forgotten && held == 0 {
		return privacy.ErrSubjectUnknown
	}
	said, err := Decide(w, privacy.ForgetSubject{Subject: subject, Known: known})
	if err != nil {
		return err
	}
	if before.Forgotten && said == before {
		return nil
	}
	for _, leave := range p.Leave {
		if err := leave(w, subject.ID); err != nil {
			return err
		}
	}
	for _, s := range streams {
		if err := p.forgetIn(w, subject, s); err != nil {
			return err
		}
	}
	w.forget = []eventstore.Forgetting{{Subject: subject.ID, Streams: held}}
	return nil
}

// forgetIn has a stream say that the person is forgotten, unless it does, and be what it is without the person.
func (p *Privacy) forgetIn(w *Work, subject privacy.SubjectID, s domain.Stream) error {
	fact := privacy.SubjectForgotten{SubjectID: subject}
	past, err := p.past(w, s, subject)
	if err != nil {
		return err
	}
	t := w.track(s)
	if t == nil {
		t = &track{stream: s, version: past.version, last: past.last, before: past.before, holds: past.holds, realm: past.realm}
		w.tracks = append(w.tracks, t)
	}
	if t.version != past.version {
		return w.restart(&rerun{need: slices.Clone(w.locked), conflict: true, reread: true})
	}
	if !past.forgotten && !slices.Contains(t.events, domain.Event(fact)) {
		t.events = append(t.events, fact)
	}
	t.after = past.without
	for _, e := range t.events {
		t.after = past.of.Evolve(t.after, e, w.At())
	}
	return nil
}

// past is what a stream's events come to, with a person and without.
type past struct {
	of              domain.Aggregate
	version         int64
	last            id.Event
	before, without any
	holds           *holds
	forgotten       bool   // the stream says so
	realm           string // of its first event
}

// ErrClear refuses to forget what was written before personal data was sealed: it would stay readable.
var ErrClear = &domain.Fault{
	Kind: domain.Conflict, Code: "not_sealed", Text: "some of this person's data was written before personal data was sealed, and can't be forgotten",
}

func (p *Privacy) past(w *Work, s domain.Stream, subject privacy.SubjectID) (f past, err error) {
	of, known := p.Aggregates[s.Kind]
	if !known {
		return f, fmt.Errorf("commands: nobody here knows what %s is", s.Kind)
	}
	f = past{of: of, before: of.Zero, without: of.Zero, holds: &holds{}}
	for {
		events, err := w.x.Store.ReadStream(w.ctx, s, f.version, page)
		if err == nil {
			err = f.fold(w, subject, events)
		}
		if err != nil || len(events) < page {
			return f, err
		}
	}
}

func (f *past) fold(w *Work, subject privacy.SubjectID, events []eventstore.Recorded) error {
	with, err1 := w.x.Vault.Decode(w.ctx, events...)
	without, err2 := w.x.Vault.DecodeWithout(w.ctx, subject.ID, events...)
	if err1 != nil || err2 != nil {
		return errors.Join(err1, err2)
	}
	for i, r := range events {
		closed, err := w.x.Vault.Catalogue.Parse(r.Type, r.Schema, r.Data, r.Secret)
		if err != nil {
			return err
		}
		if closed.IsClear(subject.ID) {
			return ErrClear
		}
		if err := without[i].Err; err != nil {
			return err
		}
		if with[i].Err == nil { // The key may be lost.
			f.before = f.of.Evolve(f.before, with[i].Event, r.OccurredAt)
		}
		f.without = f.of.Evolve(f.without, without[i].Event, r.OccurredAt)
		f.holds.add(without[i].Subjects...)
		who, is := without[i].Event.(domain.Forgetter)
		f.forgotten = f.forgotten || is && who.Forgets() == subject.ID
		f.version, f.last = r.Version, r.ID
		if f.realm == "" {
			f.realm = realmOf(r)
		}
	}
	return nil
}

// realmOf is where an event happened.
func realmOf(r eventstore.Recorded) string {
	var m domain.Meta
	_ = json.Unmarshal(r.Meta, &m) // What is no metadata tells nothing.
	return m.Realm
}
