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
	persons map[id.ID]bool // whether the person's key comes or goes
}

func newMentions() mentions {
	return mentions{streams: map[domain.Stream]bool{}, names: map[eventstore.Claim]struct{}{}, persons: map[id.ID]bool{}}
}

// clash reports whether the appends must be judged in their order: a stream is written that another
// of them mentions, a name changes hands more than once, or somebody is spoken of whose key comes or goes with
// another. Within one statement these would meet themselves.
func (m mentions) clash(jobs []*job) bool {
	clear(m.streams)
	clear(m.names)
	clear(m.persons)
	for _, j := range jobs {
		for _, w := range j.append.Writes {
			if m.stream(w) || m.claims(w.Release) || m.claims(w.Take) {
				return true
			}
		}
		if m.people(j.append) {
			return true
		}
	}
	return false
}

// people reports whether somebody's key comes or goes whom an earlier append speaks of, or the other way round.
func (m mentions) people(a eventstore.Append) (clash bool) {
	each := func(visit func(s id.ID, changes bool)) {
		for _, w := range a.Writes {
			for _, s := range w.Subjects {
				visit(s, false)
			}
		}
		for _, k := range a.Keys {
			visit(k.Subject, true)
		}
		for _, g := range a.Forget {
			visit(g.Subject, true)
		}
	}
	each(func(s id.ID, changes bool) {
		changed, before := m.persons[s]
		clash = clash || before && (changed || changes)
	})
	each(func(s id.ID, changes bool) { m.persons[s] = m.persons[s] || changes })
	return clash
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
