package postgres

import (
	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// mentions remembers what the appends of a batch speak of. Its maps are used again for the next.
type mentions struct {
	streams map[domain.Stream]bool // whether it is given events
	names   map[eventstore.Claim]struct{}
	persons map[id.ID]bool // whether the person is forgotten
}

func newMentions() mentions {
	return mentions{streams: map[domain.Stream]bool{}, names: map[eventstore.Claim]struct{}{}, persons: map[id.ID]bool{}}
}

// clash reports whether the appends must be judged in their order: a stream is written that another
// of them mentions, a name changes hands more than once, or something is said about somebody who is forgotten. Within
// one statement these would meet themselves.
func (m mentions) clash(jobs []*job) bool {
	clear(m.streams)
	clear(m.names)
	clear(m.persons)
	for _, j := range jobs {
		for _, w := range j.append.Writes {
			if m.stream(w) || m.claims(w.Release) || m.claims(w.Take) {
				return true
			}
			for _, s := range w.Subjects {
				if m.person(s, false) {
					return true
				}
			}
		}
		for _, g := range j.append.Forget {
			if m.person(g.Subject, true) {
				return true
			}
		}
	}
	return false
}

func (m mentions) person(s id.ID, forgotten bool) (clash bool) {
	gone, before := m.persons[s]
	m.persons[s] = gone || forgotten
	return before && (gone || forgotten)
}

func (m mentions) stream(w eventstore.Write) (clash bool) {
	written, before := m.streams[w.Stream]
	writes := len(w.Events) > 0
	m.streams[w.Stream] = written || writes
	return before && (written || writes)
}

func (m mentions) claims(claims []eventstore.Claim) (clash bool) {
	for _, c := range claims {
		if _, before := m.names[c]; before {
			return true
		}
		m.names[c] = struct{}{}
	}
	return false
}
