package eventstore

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gesta/domain"
	"gesta/domain/id"
)

// Check refuses, with ErrMalformed or ErrTooLarge, an append that no store could keep as it is. Every
// store calls it before anything else, so that one bad append never spoils a batch of good ones.
func (a Append) Check() error {
	if len(a.Writes) == 0 && len(a.Keys) == 0 && a.Idempotency == nil {
		return fmt.Errorf("%w: it is empty", ErrMalformed)
	}
	seen := make(map[domain.Stream]bool, len(a.Writes))
	for _, w := range a.Writes {
		if seen[w.Stream] {
			return fmt.Errorf("%w: %s is written twice", ErrMalformed, w.Stream)
		}
		seen[w.Stream] = true
		if err := w.check(); err != nil {
			return err
		}
	}
	if a.Size() > MaxAppendBytes {
		return fmt.Errorf("%w: an append of %d bytes", ErrTooLarge, a.Size())
	}
	return a.checkRest()
}

func (w Write) check() error {
	if !isWord(w.Stream.Kind) || w.Stream.ID.IsZero() || w.Expect < 0 || w.Expect == 0 && !w.After.IsZero() {
		return fmt.Errorf("%w: stream %q at version %d", ErrMalformed, w.Stream, w.Expect)
	}
	for _, e := range w.Events {
		if err := e.check(); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(w.Subjects, id.ID.IsZero) {
		return fmt.Errorf("%w: stream %q holds nobody", ErrMalformed, w.Stream)
	}
	return nil
}

func (e NewEvent) check() error {
	switch {
	case !isWord(e.Type), e.ID.IsZero(), e.Schema < 1, e.Schema > math.MaxInt32:
		return fmt.Errorf("%w: event %q schema %d", ErrMalformed, e.Type, e.Schema)
	case !isJSON(e.Data), !isJSON(e.Meta), e.Secret != nil && !isJSON(e.Secret):
		return fmt.Errorf("%w: event %q is not JSON", ErrMalformed, e.Type)
	case !isTime(e.OccurredAt):
		return fmt.Errorf("%w: event %q occurred in the year %d", ErrMalformed, e.Type, e.OccurredAt.Year())
	case e.size() > MaxEventBytes:
		return fmt.Errorf("%w: event %q of %d bytes", ErrTooLarge, e.Type, e.size())
	}
	return nil
}

func (a Append) checkRest() error {
	if err := a.checkSubjects(); err != nil {
		return err
	}
	if i := a.Idempotency; i != nil && (!isText(i.Scope) || !isText(i.Key) || !isJSON(i.Result)) {
		return fmt.Errorf("%w: idempotency record", ErrMalformed)
	}
	return nil
}

func (a Append) checkSubjects() error {
	if len(a.Keys) == 0 && len(a.Forget) == 0 {
		return nil
	}
	seen, held := make(map[id.ID]bool, len(a.Keys)), map[id.ID]bool{}
	for _, k := range a.Keys {
		if k.Subject.IsZero() || len(k.Wrapped) == 0 || seen[k.Subject] {
			return fmt.Errorf("%w: a subject key without subject or key, or one of two", ErrMalformed)
		}
		seen[k.Subject] = true
	}
	for _, w := range a.Writes {
		for _, s := range w.Subjects {
			held[s] = true
		}
	}
	for _, g := range a.Forget {
		if held[g.Subject] || g.Subject.IsZero() || seen[g.Subject] || !slices.ContainsFunc(a.Writes, func(w Write) bool { return len(w.Events) > 0 }) {
			return fmt.Errorf("%w: a subject is forgotten without an event, or with something new about it, or twice", ErrMalformed)
		}
		seen[g.Subject] = true
	}
	return nil
}

// Size is the number of bytes that it brings: its events, keys and answer.
func (a Append) Size() (n int) {
	for _, k := range a.Keys {
		n += len(k.Wrapped)
	}
	if i := a.Idempotency; i != nil {
		n += len(i.Fingerprint) + len(i.Result)
	}
	for _, w := range a.Writes {
		for _, e := range w.Events {
			n += e.size()
		}
	}
	return n
}

func (e NewEvent) size() int { return len(e.Data) + len(e.Secret) + len(e.Meta) }

// isWord tells names that can stand in a subject and a column: no spaces, controls or bad UTF-8.
func isWord(s string) bool {
	return isText(s) && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

func isText(s string) bool {
	return s != "" && len(s) <= MaxNameBytes && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

func isJSON(b []byte) bool { return utf8.Valid(b) && json.Valid(b) }

// isTime holds times to the years that JSON's RFC 3339 form can spell.
func isTime(t time.Time) bool { return t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 }
