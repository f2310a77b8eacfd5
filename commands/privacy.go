package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	Follow     []func(domain.Event) []domain.Stream // which other streams an event about somebody leads to
}

// Leaving does, in the words of one context, what comes before somebody is forgotten there, and answers the realm it
// happens in: a user is put out. It does nothing about somebody it does not know.
type Leaving func(w *Work, subject id.ID) (realm string, err error)

// Hold keeps somebody's data from being forgotten, for a reason that is about that person too.
func (p *Privacy) Hold(ctx context.Context, subject privacy.SubjectID, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return privacy.ErrNoReason
	}
	is, _, err := p.isKnown(ctx, subject)
	if err != nil {
		return err
	}
	if !is {
		return privacy.ErrSubjectUnknown
	}
	_, err = Execute(ctx, p.Executor, privacy.HoldSubject{Subject: subject, Reason: reason})
	return err
}

// Release ends a hold. It refuses with privacy.ErrSubjectUnknown when nothing was ever kept.
func (p *Privacy) Release(ctx context.Context, subject privacy.SubjectID) error {
	released, err := Execute(ctx, p.Executor, privacy.ReleaseSubject{Subject: subject})
	if err != nil || !released.ID.IsZero() {
		return err
	}
	_, was, err := p.isKnown(ctx, subject)
	if err == nil && !was {
		err = privacy.ErrSubjectUnknown
	}
	return err
}

// isKnown tells whether there is a key of the subject, and whether there was one.
func (p *Privacy) isKnown(ctx context.Context, subject privacy.SubjectID) (is, was bool, err error) {
	keys, err := p.Executor.Store.Keys(ctx, []id.ID{subject.ID})
	was = len(keys) > 0
	return was && len(keys[0].Wrapped) > 0, was, unavailable(err)
}

// ErrTooWidespread refuses to forget somebody who is in more streams than one commit takes, some twenty thousand.
var ErrTooWidespread = &domain.Fault{
	Kind: domain.TooLarge, Code: "too_widespread", Text: "this person is in more streams than can be written in one commit",
}

// Forget makes all that is kept about a person unreadable for ever, in one commit: it says so in every stream that
// holds the person, lets go of the names that the person held, and destroys the key. All else in those streams stays.
//
// It refuses with privacy.ErrHeld while there is a hold, with privacy.ErrSubjectUnknown when nothing is kept, with
// ErrClear and ErrTooWidespread, and with what a context refuses to let go. A second time changes nothing.
func (p *Privacy) Forget(ctx context.Context, subject privacy.SubjectID) (r SignedForgetting, err error) {
	err = p.Executor.Do(ctx, func(w *Work) error { return p.forget(w, subject) })
	if errors.Is(err, ErrTooLarge) {
		err = ErrTooWidespread
	}
	if err != nil {
		return r, err
	}
	return p.receipt(ctx, subject)
}

func (p *Privacy) forget(w *Work, subject privacy.SubjectID) error {
	indexed, err := w.x.Store.StreamsOf(w.ctx, subject.ID)
	if err != nil {
		return err
	}
	own := privacy.SubjectStream(subject)
	if err := w.Hold(append(indexed, own)...); err != nil {
		return err
	}
	if err := p.decide(w, subject, len(indexed) > 0); err != nil {
		return err
	}
	streams := w.holding(subject.ID)
	for _, s := range append(indexed, own) {
		if !slices.Contains(streams, s) {
			streams = append(streams, s)
		}
	}
	return p.forgetIn(w, subject, streams, len(indexed))
}

// decide decides that the person is forgotten, and what comes before.
func (p *Privacy) decide(w *Work, subject privacy.SubjectID, held bool) error {
	_, was, err := p.isKnown(w.ctx, subject)
	if err != nil {
		return err
	}
	if !was { // Lost, perhaps: what can't be read any more must not keep the person from being forgotten.
		w.x.Vault.Keys.Gone(subject.ID)
	}
	before, err := Look[privacy.Subject](w, privacy.SubjectStream(subject))
	if err != nil {
		return err
	}
	is, was, err := p.isKnown(w.ctx, subject) // After the look: whoever destroys it meanwhile moves the stream.
	if err != nil {
		return err
	}
	if !is && !before.Forgotten && !held {
		return privacy.ErrSubjectUnknown
	}
	if _, err := Decide(w, privacy.ForgetSubject{Subject: subject, Known: is || !was}); err != nil {
		return err
	}
	if before.Forgotten && !is {
		return nil
	}
	for _, leave := range p.Leave {
		realm, err := leave(w, subject.ID)
		if err != nil {
			return err
		}
		w.happensIn(realm)
	}
	return nil
}

// holding are the streams that the work has looked at and that hold a person, whether or not the store finds them.
func (w *Work) holding(subject id.ID) (all []domain.Stream) {
	for _, t := range w.tracks {
		if t.stream.ID == subject || len(t.holds.others([]id.ID{subject})) == 0 {
			all = append(all, t.stream)
		}
	}
	return all
}

// happensIn says in which realm was decided what was decided so far, but for what is of no realm.
func (w *Work) happensIn(realm string) {
	for _, t := range w.tracks {
		if t.realm == "" && t.stream.Kind != privacy.Kind {
			t.realm = realm
		}
	}
}

// forgetIn has streams say that the person is forgotten, unless they do, and be what they are without the person.
func (p *Privacy) forgetIn(w *Work, subject privacy.SubjectID, streams []domain.Stream, held int) error {
	var pasts []past
	for _, s := range streams {
		past, err := p.past(w, s, subject)
		if err != nil {
			return err
		}
		if t := w.track(s); past.version > 0 || t != nil && len(t.events) > 0 { // Others were looked for, and are not there.
			pasts = append(pasts, past)
		}
	}
	claims, err := w.x.Store.ClaimsOf(w.ctx, streams) // After the pasts: who takes another one meanwhile moves the stream.
	if err != nil {
		return err
	}
	for _, past := range pasts {
		if err := w.forgetIn(past, subject, claims[past.stream]); err != nil {
			return err
		}
	}
	w.forget = []eventstore.Forgetting{{Subject: subject.ID, Streams: held}}
	return nil
}

func (w *Work) forgetIn(past past, subject privacy.SubjectID, claims []eventstore.Claim) error {
	t := w.track(past.stream)
	if t == nil {
		t = &track{stream: past.stream, version: past.version, last: past.last, before: past.without, holds: past.holds}
		w.tracks = append(w.tracks, t)
	}
	if t.version != past.version {
		return w.restart(&rerun{need: slices.Clone(w.locked), conflict: true, reread: true})
	}
	t.realm = cmp.Or(past.realm, t.realm)
	fact := domain.Event(privacy.SubjectForgotten{SubjectID: subject})
	if !past.forgotten && !slices.Contains(t.events, fact) {
		t.events = append(t.events, fact)
		t.revision = t.version + int64(len(t.events))
	}
	t.closed = closes(fact.(domain.Forgetter), t.stream)
	t.after = past.without
	for _, e := range t.events {
		if domain.IsOf(t.stream, e) {
			t.after = past.of.Evolve(t.after, e, w.At())
		}
	}
	still := w.x.Claims.HashAll(domain.ClaimsOf(t.after))
	t.drop = slices.DeleteFunc(claims, func(c eventstore.Claim) bool { return slices.Contains(still, c) })
	return nil
}

// past is what a stream's events come to without a person.
type past struct {
	stream    domain.Stream
	of        domain.Aggregate
	version   int64
	last      id.Event
	without   any
	holds     *holds
	forgotten bool   // the stream says so
	realm     string // of its first event
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
	f = past{stream: s, of: of, without: of.Zero, holds: &holds{}}
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
	opened, err := w.x.Vault.DecodeWithout(w.ctx, subject.ID, events...)
	if err != nil {
		return err
	}
	for i, r := range events {
		o := opened[i]
		switch {
		case o.Err != nil:
			return o.Err
		case slices.Contains(o.Clear, subject.ID):
			return ErrClear
		case domain.IsOf(r.Stream, o.Event):
			f.without = f.of.Evolve(f.without, o.Event, r.OccurredAt)
		}
		f.holds.add(o.Subjects...)
		who, is := o.Event.(domain.Forgetter)
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
