package verify

import (
	"slices"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// fold is a stream on the way through its events.
type fold struct {
	stream    domain.Stream
	version   int64
	events    int
	state     any
	opaque    bool     // it holds what this program can't read, so that its state can't be told
	wrong     []string // what is wrong with it
	subjects  []id.ID  // whose data is in it
	forgotten []id.ID
}

// take folds the next event of the stream.
func (v Verifier) take(f *fold, r eventstore.Recorded, o seal.Opened) {
	a, known := v.Aggregates[r.Stream.Kind]
	if f.events == 0 {
		f.stream, f.state, f.opaque = r.Stream, a.Zero, !known
	}
	if r.Version != f.version+1 && len(f.wrong) == 0 {
		f.wrong = append(f.wrong, "version "+number(f.version+1)+" is missing")
	}
	f.version = r.Version
	f.events++
	for _, s := range o.Subjects {
		if !slices.Contains(f.subjects, s) {
			f.subjects = append(f.subjects, s)
		}
	}
	if who, is := o.Event.(domain.Forgetter); is {
		f.forgotten = append(f.forgotten, who.Forgets())
	}
	if o.Err != nil || f.opaque {
		f.opaque = true // The history check says what can't be read.
		return
	}
	f.evolve(a, o.Event, r)
}

// evolve finds states that panic about what happened; so would every request that asks for them.
func (f *fold) evolve(a domain.Aggregate, e domain.Event, r eventstore.Recorded) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		f.opaque = true
		f.wrong = append(f.wrong, "version "+number(r.Version)+" can't be folded: its state "+domain.Panicked(p))
	}()
	if domain.IsOf(r.Stream, e) {
		f.state = a.Evolve(f.state, e, r.OccurredAt)
	}
}

// claims are those that the stream ought to hold. Of a stream that has lost an event nothing is known.
func (v Verifier) claims(f *fold) []domain.Claim {
	if f.opaque || len(f.wrong) > 0 {
		return nil
	}
	return domain.ClaimsOf(f.state)
}
