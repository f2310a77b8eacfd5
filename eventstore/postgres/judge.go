package postgres

import (
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
		if lost {
			jobs = in.missing(jobs)
		}
		err = a.writeJudged(ctx, a.accept(jobs, in.facts))
	}
	if err != nil && !isAway(err) {
		if undone := a.link.exchange(ctx, step{statement: "rollback"}); undone != nil {
			return undone
		}
	}
	return err
}

// accept judges the jobs in order, drafts what the good ones write, and answers these. Of those who
// have given up waiting nothing is written any more.
func (a *appender) accept(jobs []*job, facts *eventstore.Facts) (good []*job) {
	before := maps.Clone(facts.Holders)
	a.draft.reset()
	for _, j := range jobs {
		if j.gone() {
			j.refuse(late(j.ctx))
		} else if err := facts.Judge(j.append); err != nil {
			j.refuse(err)
		} else {
			facts.Admit(j.append)
			a.draft.judged(j.append)
			good = append(good, j)
		}
	}
	a.draft.handOver(before, facts.Holders)
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
