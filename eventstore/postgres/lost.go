package postgres

import (
	"bytes"

	"gesta/eventstore"
)

// missing answers the jobs that are not there, and settles the others.
func (in *inquiry) missing(jobs []*job) (missing []*job) {
	for _, j := range jobs {
		if at, there := in.there(j); there {
			j.settle(at)
		} else {
			missing = append(missing, j)
		}
	}
	return missing
}

// there tells an append whose answer was lost from one that never arrived, by what it would have left
// behind: its events, its answer, its keys, its claims; each of these can only be the work of the
// append itself. One that does nothing but let go of names is there when none of them is held.
func (in *inquiry) there(j *job) (at place, there bool) {
	if j.events > 0 {
		at, there = in.found[j]
		return at, there
	}
	switch i := j.append.Idempotency; {
	case i != nil:
		first := in.facts.Answers[eventstore.AnswerKey{Scope: i.Scope, Key: i.Key}]
		return at, bytes.Equal(first.Result, i.Result) && bytes.Equal(first.Fingerprint, i.Fingerprint)
	case len(j.append.Keys) > 0:
		return at, in.same[eventstore.SubjectID(j.append.Keys[0].Subject)]
	default:
		return at, in.handedOver(j.append)
	}
}

// handedOver reports whether the names an append takes and releases are where it wants them; one that
// does neither can as well be judged once more.
func (in *inquiry) handedOver(a eventstore.Append) bool {
	names := 0
	for _, w := range a.Writes {
		for _, c := range w.Release {
			if in.facts.Holders[c] == w.Stream {
				return false
			}
		}
		for _, c := range w.Take {
			if in.facts.Holders[c] != w.Stream {
				return false
			}
		}
		names += len(w.Release) + len(w.Take)
	}
	return names > 0
}
