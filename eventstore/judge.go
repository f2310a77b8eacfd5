package eventstore

import (
	"gesta/domain"
	"gesta/domain/id"
)

// Facts is what a store knows that an append could contradict. Both stores judge by it: the memory
// store always, the Postgres store when a batch contradicted something and each append in it needs a
// verdict of its own. Admit keeps it true while a batch is judged in order.
type Facts struct {
	Ends     map[domain.Stream]End
	Holders  map[Claim]domain.Stream
	Subjects map[SubjectID]bool // who have, or had, a key: whether it is still there
	Held     map[Holding]bool
	Streams  map[SubjectID]int // how many hold the subject
	Answers  map[AnswerKey]Idempotency
}

// Holding is a stream that holds a subject.
type Holding struct {
	Subject SubjectID
	Stream  domain.Stream
}

// End is the version that a stream is at, and the event there.
type End struct {
	Version int64
	Event   id.Event
}

// SubjectID and AnswerKey name what Facts knows of subject keys and idempotency records.
type (
	SubjectID [16]byte
	AnswerKey struct{ Scope, Key string }
)

// NewFacts knows nothing yet: every stream is new, every name free.
func NewFacts() *Facts {
	return &Facts{
		Ends: map[domain.Stream]End{}, Holders: map[Claim]domain.Stream{},
		Subjects: map[SubjectID]bool{}, Held: map[Holding]bool{}, Streams: map[SubjectID]int{},
		Answers: map[AnswerKey]Idempotency{},
	}
}

// Judge answers the refusal that a deserves, or nil. A repeated request is found first: that its
// streams have moved on meanwhile is no news.
func (f *Facts) Judge(a Append) error {
	if i := a.Idempotency; i != nil {
		if first, used := f.Answers[AnswerKey{i.Scope, i.Key}]; used {
			return &Repeated{First: first}
		}
	}
	for _, w := range a.Writes {
		if is := f.Ends[w.Stream]; is.Version != w.Expect || !w.After.IsZero() && is.Event != w.After {
			return &Conflict{Stream: w.Stream, Expected: w.Expect, Actual: is.Version}
		}
	}
	if err := f.judgeSubjects(a); err != nil {
		return err
	}
	return f.judgeClaims(a)
}

func (f *Facts) judgeSubjects(a Append) error {
	brought := map[id.ID]bool{}
	for _, k := range a.Keys {
		if _, has := f.Subjects[SubjectID(k.Subject)]; has {
			return &KeyExists{Subject: k.Subject}
		}
		if f.Streams[SubjectID(k.Subject)] > 0 {
			return &KeyGone{Subject: k.Subject}
		}
		brought[k.Subject] = true
	}
	for _, w := range a.Writes {
		for _, s := range w.Subjects {
			if !brought[s] && !f.Subjects[SubjectID(s)] {
				return &KeyGone{Subject: s}
			}
		}
	}
	for _, g := range a.Forget {
		if f.Streams[SubjectID(g.Subject)] != g.Streams {
			return &SubjectMoved{Subject: g.Subject}
		}
	}
	return nil
}

// judgeClaims lets one append hand a claim from one of its streams to another: releases come first.
func (f *Facts) judgeClaims(a Append) error {
	holders := map[Claim]domain.Stream{}
	released := map[Claim]bool{}
	for _, w := range a.Writes {
		for _, c := range w.Release {
			released[c] = released[c] || f.Holders[c] == w.Stream
		}
	}
	for _, w := range a.Writes {
		for _, c := range w.Take {
			holder, held := holders[c]
			if !held && !released[c] {
				holder, held = f.Holders[c]
			}
			if held {
				return &ClaimTaken{Claim: c, Holder: holder}
			}
			holders[c] = w.Stream
		}
	}
	return nil
}

// Admit takes over what a, once judged, changes.
func (f *Facts) Admit(a Append) {
	for _, w := range a.Writes {
		if n := len(w.Events); n > 0 {
			f.Ends[w.Stream] = End{w.Expect + int64(n), w.Events[n-1].ID}
		}
		for _, c := range w.Release {
			if f.Holders[c] == w.Stream {
				delete(f.Holders, c)
			}
		}
	}
	for _, w := range a.Writes {
		for _, c := range w.Take {
			f.Holders[c] = w.Stream
		}
	}
	for _, k := range a.Keys {
		f.Subjects[SubjectID(k.Subject)] = true
	}
	for _, w := range a.Writes {
		for _, s := range w.Subjects {
			f.hold(Holding{SubjectID(s), w.Stream})
		}
	}
	for _, g := range a.Forget {
		f.Subjects[SubjectID(g.Subject)] = false
	}
	if i := a.Idempotency; i != nil {
		f.Answers[AnswerKey{i.Scope, i.Key}] = *i
	}
}

func (f *Facts) hold(h Holding) {
	if !f.Held[h] {
		f.Held[h] = true
		f.Streams[h.Subject]++
	}
}
