// Package envelope is the published form of an event: CloudEvents 1.0 in structured JSON, one message
// of the stream GESTA for each position of the history. The same bytes are published, tailed and
// exported.
//
// Data is copied as it is stored and never decoded, and secrets lie elsewhere, so that even an event
// of a type this program has never heard of is published whole and leaks nothing. Of the metadata
// only actor, realm, correlation, causation and traceparent are published; Published reduces an event
// to the same, so that a follower sees no difference between the stream and the store.
package envelope

import (
	"encoding/json"
	"strings"

	"gesta/domain"
	"gesta/eventstore"
)

// The names under which NATS carries events, and hints that wake whoever waits for them. Hints are
// core NATS messages with a position in decimal; they may be lost, and nothing depends on them.
const (
	Stream        = "GESTA"
	Subjects      = "gesta.events.>"
	Forgotten     = "gesta.events.*.privacy.subject.forgotten"
	HintAppended  = "gesta.hint.appended"  // the store has events up to the position
	HintProjected = "gesta.hint.projected" // the read models show events up to the position
)

const (
	subjectPrefix = "gesta.events."
	sourcePrefix  = "/gesta/"
	house         = "gesta" // the word of events that belong to no realm
)

// Published answers r as its envelope tells it: without Secret, and with no more metadata than is
// published.
func Published(r eventstore.Recorded) eventstore.Recorded {
	r.Secret = nil
	r.Meta = publishedMeta(metaOf(r))
	return r
}

// metaOf reads the metadata. What is no metadata counts as none: one odd event must not keep all
// later ones from being published.
func metaOf(r eventstore.Recorded) (m domain.Meta) {
	if err := json.Unmarshal(r.Meta, &m); err != nil {
		return domain.Meta{}
	}
	return m
}

func publishedMeta(m domain.Meta) json.RawMessage {
	b, err := json.Marshal(domain.Meta{
		Actor: m.Actor, Realm: m.Realm,
		Correlation: m.Correlation, Causation: m.Causation, Traceparent: m.Traceparent,
	})
	if err != nil {
		panic(err) // A struct of strings always marshals.
	}
	return b
}

// word is the realm's first word, as source and subject spell it.
func word(realm string) string {
	first, _, _ := strings.Cut(realm, "/")
	if first == "" {
		return house
	}
	return token(first)
}

// realmOf is the realm that a word alone tells.
func realmOf(word string) string {
	if word == house {
		return ""
	}
	return word
}

// token makes s fit to stand between the dots of a subject and in a URI.
func token(s string) string {
	if s == "" {
		return "_"
	}
	if strings.IndexFunc(s, unfit) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unfit(r) {
			return '_'
		}
		return r
	}, s)
}

func unfit(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		return false
	}
	return true
}
