package postgres

import (
	"gesta/domain"
	"gesta/eventstore"
)

// mentions remembers what the appends of a batch speak of. Its maps are used again for the next.
type mentions struct {
	streams map[domain.Stream]bool // whether it is given events
	names   map[eventstore.Claim]struct{}
}

func newMentions() mentions {
	return mentions{streams: map[domain.Stream]bool{}, names: map[eventstore.Claim]struct{}{}}
}

// clash reports whether the appends must be judged in their order: a stream is written that another
// of them mentions, or a name changes hands more than once. Within one statement either would meet
// itself.
func (m mentions) clash(jobs []*job) bool {
	clear(m.streams)
	clear(m.names)
	for _, j := range jobs {
		for _, w := range j.append.Writes {
			if m.stream(w) || m.claims(w.Release) || m.claims(w.Take) {
				return true
			}
		}
	}
	return false
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
