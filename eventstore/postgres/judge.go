package postgres

import (
	"bytes"
	"context"
	"maps"

	"gesta/domain"
	"gesta/eventstore"
)

// judge commits those of the jobs that contradict nothing, and gives each of the others a refusal of
// its own. When an answer was lost, jobs may be there already.
func (a *appender) judge(ctx context.Context, jobs []*job, lost bool) error {
	in := newInquiry(jobs)
	err := a.link.exchange(ctx, in.steps()...)
	if err == nil {
		err = a.writeJudged(ctx, a.verdicts(in, jobs, lost))
	}
	if err != nil && !isAway(err) {
		if undone := a.link.exchange(ctx, step{statement: "rollback"}); undone != nil {
			return undone
		}
	}
	return err
}

// verdicts judges the jobs in order, drafts what the good ones write, and answers these. Of those who
// have given up waiting nothing is written any more.
func (a *appender) verdicts(in *inquiry, jobs []*job, lost bool) (good []*job) {
	before := maps.Clone(in.facts.Holders)
	a.draft.reset()
	for _, j := range jobs {
		switch at, there := in.there(j); {
		case lost && there:
			j.settle(at)
			continue
		case j.gone():
			j.err = late(j.ctx)
		default:
			j.err = in.facts.Judge(j.append)
		}
		if j.err == nil {
			in.facts.Admit(j.append)
			a.draft.judged(j.append)
			good = append(good, j)
		}
	}
	a.draft.handOver(before, in.facts.Holders)
	return good
}

func (a *appender) writeJudged(ctx context.Context, good []*job) error {
	var at place
	steps := append(a.draft.steps(&at), step{statement: "commit"})
	if err := a.link.exchange(ctx, steps...); err != nil {
		return err
	}
	for _, j := range good {
		at = j.settle(at)
	}
	return nil
}

// handOver drafts the difference between who held the names and who is to hold them.
func (d *draft) handOver(before, after map[eventstore.Claim]domain.Stream) {
	for c, s := range before {
		if after[c] != s {
			d.claim(d.releases, s, []eventstore.Claim{c})
		}
	}
	for c, s := range after {
		if before[c] != s {
			d.claim(d.takes, s, []eventstore.Claim{c})
		}
	}
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
