package postgres

import (
	"context"
	"time"

	"gesta/domain/id"
	"gesta/eventstore"
)

// calm is how long after a contradiction every append is judged before it is written: where one lost
// a race others are about to, and each would cost its batch a second run.
const calm = 5 * time.Millisecond

var lock = step{statement: "lock"}

// place is where a batch came to stand: its first event has the position after last, which is without an id where
// the event there is not known.
type place struct {
	last       eventstore.Mark
	recordedAt time.Time
}

// write commits the jobs in one round trip when nothing speaks against it, and judges them one by one
// when something does.
func (a *appender) write(ctx context.Context, jobs []*job) error {
	if time.Now().Before(a.judgeUntil) || a.mentions.clash(jobs) {
		return a.judge(ctx, jobs, false)
	}
	err := a.writeUnjudged(ctx, jobs)
	if err == nil || isAway(err) {
		return err
	}
	if isContradiction(err) {
		a.judgeUntil = time.Now().Add(calm)
		a.trail.forget()
		a.metrics.contradicted()
	}
	return a.judge(ctx, jobs, false)
}

func (a *appender) writeUnjudged(ctx context.Context, jobs []*job) error {
	a.draft.reset()
	trail := &a.trail
	if len(jobs) == 1 {
		trail = nil // To ask for what it follows is as cheap.
	}
	for _, j := range jobs {
		a.draft.unjudged(j.append, trail)
	}
	var at place
	steps := append([]step{lock}, a.draft.steps(&at)...)
	if err := a.link.exchange(ctx, steps...); err != nil {
		return err
	}
	for _, j := range jobs {
		at = j.settle(at)
	}
	return nil
}

// read takes a place from the row that tells it.
func (p *place) read(values [][]byte) {
	p.last = eventstore.Mark{Position: int8Of(values[0])}
	p.recordedAt = timeFrom(int8Of(values[1]))
	if len(values) > 2 && values[2] != nil {
		p.last.Event.ID = id.ID(values[2])
	}
}
