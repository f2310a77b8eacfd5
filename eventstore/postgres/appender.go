package postgres

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/eventstore"
)

// appender commits what stands in its queue, one batch after the other. Everything but the queue
// belongs to its one goroutine.
type appender struct {
	queue   queue
	config  *pgx.ConnConfig
	timeout time.Duration
	handoff *eventstore.Handoff
	log     *slog.Logger
	metrics *Metrics

	life    context.Context // ends when close has waited for long enough
	end     context.CancelFunc
	stopped chan struct{}

	watch      watch
	link       *link     // nil when there is none
	lost       backend   // what the last link spoke to, until it is known to have ended
	judgeUntil time.Time // since something contradicted what is there
	away       bool      // the database was when it was last asked
	draft      *draft
	mentions   mentions
	trail      trail
}

func newAppender(config *pgx.ConnConfig, o Options) *appender {
	a := &appender{
		queue:  queue{jobs: make(chan *job, maxQueued)},
		config: config, timeout: o.Timeout, handoff: o.Handoff, log: o.Logger, metrics: o.Metrics,
		stopped: make(chan struct{}), draft: newDraft(), mentions: newMentions(), trail: newTrail(),
	}
	a.life, a.end = context.WithCancel(context.Background())
	return a
}

// close answers what stands in the queue, as unavailable if the database takes too long over it, and
// returns when the appender has stopped.
func (a *appender) close() {
	enough := time.AfterFunc(a.timeout, a.end)
	defer enough.Stop()
	a.queue.close()
	<-a.stopped
	a.end()
}

func (a *appender) run() {
	defer close(a.stopped)
	defer a.watch.end()
	defer a.hangUp()
	for jobs := a.queue.take(nil); len(jobs) > 0; jobs = a.queue.take(jobs[:0]) {
		a.metrics.took(len(jobs), len(a.queue.jobs))
		a.serve(jobs)
		a.metrics.judged(jobs)
		for _, j := range jobs {
			close(j.done)
		}
		clear(jobs)
	}
}

// serve gives every job its verdict. Those whose callers have gone before anything was sent are never
// applied.
func (a *appender) serve(jobs []*job) {
	waiting := make([]*job, 0, len(jobs))
	for _, j := range jobs {
		if j.gone() {
			j.refuse(late(j.ctx))
		} else {
			waiting = append(waiting, j)
		}
	}
	if len(waiting) > 0 {
		a.commit(waiting)
	}
}

// commit gives the jobs their verdicts as one transaction, and passes on what was committed. When the
// database finds fault with them that no judgement foresees, each gets a transaction of its own, so
// that the one at fault alone has to bear it.
func (a *appender) commit(jobs []*job) {
	begin := time.Now()
	err := a.try(jobs)
	switch {
	case err == nil:
		a.metrics.committed(time.Since(begin))
		slices.SortFunc(jobs, func(x, y *job) int { return cmp.Compare(x.receipt.First, y.receipt.First) })
		a.trail.add(jobs, a.draft.trail.Position > 0)
		a.pass(jobs)
	case isAway(err):
		a.hangUp()
		fail(jobs, err)
	case len(jobs) == 1:
		a.log.Error("an append was rejected", "error", err)
		fail(jobs, err)
	default:
		a.commitEach(jobs)
		return
	}
	a.notice(err)
}

// commitEach doesn't ask a database that has gone away once for every job.
func (a *appender) commitEach(jobs []*job) {
	var away error
	for i, j := range jobs {
		if away != nil {
			j.refuse(away)
			continue
		}
		if a.commit(jobs[i : i+1]); a.away {
			away = j.err
		}
	}
}

func fail(jobs []*job, err error) {
	for _, j := range jobs {
		j.refuse(wrap("append", err))
	}
}

// try writes the jobs in half the time a batch may take. The other half is for finding out what became
// of them when the connection is lost over it.
func (a *appender) try(jobs []*job) error {
	ctx := a.watch.begin(a.life, a.timeout/2)
	if err := a.connect(ctx); err != nil {
		return err
	}
	err := a.write(ctx, jobs)
	if err == nil || !isAway(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(a.life, a.timeout/2)
	defer cancel()
	for range 2 {
		a.hangUp()
		if away := a.connect(ctx); away != nil {
			return away
		}
		if err = a.judge(ctx, jobs, true); err == nil || !isAway(err) {
			return err
		}
	}
	return err
}

// pass offers what was committed, in the order of positions: as one, but for what had been committed before an answer
// was lost, which need not go together.
func (a *appender) pass(jobs []*job) {
	if a.handoff == nil {
		return
	}
	var c eventstore.Commit
	for _, j := range jobs {
		if j.err != nil || j.events == 0 {
			continue
		}
		if _, follows := c.Since(j.after); !follows {
			a.offer(c)
			c = eventstore.Commit{After: j.after}
		}
		c.Events = j.recorded(c.Events)
	}
	a.offer(c)
}

func (a *appender) offer(c eventstore.Commit) {
	if len(c.Events) > 0 {
		a.handoff.Offer(c)
	}
}
