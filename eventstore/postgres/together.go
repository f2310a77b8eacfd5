package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"gesta/domain"
)

// Lookups is a pool for questions that a few rows answer. Those that come while others are on their way go
// together in one round trip, as appends do: for 64 clients that saves a third of what reads cost Postgres
// and this process. What may have a long answer would hold the others up, and goes to the Pool.
type Lookups struct {
	Pool *pgxpool.Pool

	mu      sync.Mutex
	waiting []*lookup
	running int // round trips on their way
}

// How many lookups go together, and how many round trips are on their way at once: they leave connections
// to who asks for more.
const (
	maxTogether = 32
	maxRunning  = 2
)

// lookup is a few questions of one caller.
type lookup struct {
	ctx       context.Context
	questions *pgx.Batch
	err       error
	done      chan struct{}
}

// Ask does what Ask does.
func (l *Lookups) Ask(ctx context.Context, questions *pgx.Batch) error {
	return ask(ctx, l.send, questions)
}

// send waits for the answers, also beyond the end of ctx once they are asked for: they are written where the
// caller can see them. They have as much time as the caller has who has the most: one who has no end would
// have all others wait for ever, and asks alone. As with a pool, nobody stands in line for longer than
// acquireTime.
func (l *Lookups) send(ctx context.Context, questions *pgx.Batch) error {
	mine := &lookup{ctx: ctx, questions: questions, done: make(chan struct{})}
	if _, ends := ctx.Deadline(); !ends {
		return l.alone(mine)
	}
	l.join(mine)
	enough := time.NewTimer(acquireTime)
	defer enough.Stop()
	select {
	case <-mine.done:
	case <-enough.C:
		if l.leave(mine) {
			return context.DeadlineExceeded
		}
		<-mine.done
	}
	return mine.err
}

func (l *Lookups) join(one *lookup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, one)
	if l.running < maxRunning {
		l.running++
		go l.run()
	}
}

// leave tells whether nobody has begun to ask for it.
func (l *Lookups) leave(one *lookup) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, one)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return i >= 0
}

// run sends what waits until nothing does. It lets callers that are about to ask do so.
func (l *Lookups) run() {
	for {
		runtime.Gosched()
		some := l.take()
		if some == nil {
			return
		}
		l.answer(some)
	}
}

func (l *Lookups) take() (some []*lookup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running--
		return nil
	}
	n := min(len(l.waiting), maxTogether)
	some, l.waiting = slices.Clone(l.waiting[:n]), slices.Delete(l.waiting, 0, n)
	return some
}

// answer asks one by one when a round trip fails: a fault of one ends all behind it, and a connection that
// was lost is replaced. What took too long together would take all of them too long again.
func (l *Lookups) answer(some []*lookup) {
	again := len(some) == 1
	var err error
	if !again {
		err = l.together(some)
		again = err != nil && !pgconn.Timeout(err) && !errors.Is(err, context.DeadlineExceeded)
	}
	for _, one := range some {
		switch {
		case again:
			one.err = l.alone(one)
		case err != nil:
			one.err = err
		}
		close(one.done)
	}
}

func (l *Lookups) alone(one *lookup) (err error) {
	defer survive(&err)
	conn, err := l.Pool.Acquire(one.ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return conn.SendBatch(one.ctx, one.questions).Close()
}

func (l *Lookups) together(some []*lookup) error {
	ctx, cancel := longest(some)
	defer cancel()
	all := &pgx.Batch{}
	for _, one := range some {
		for _, q := range one.questions.QueuedQueries {
			all.Queue(q.SQL, q.Arguments...).Fn = one.receive(q.Fn)
		}
	}
	return l.Pool.SendBatch(ctx, all).Close()
}

// receive keeps what a caller makes of its own answer from ending the others'. Nothing more of it is read
// for this one.
func (one *lookup) receive(read func(pgx.BatchResults) error) func(pgx.BatchResults) error {
	return func(answers pgx.BatchResults) (err error) {
		defer survive(&err)
		if one.err != nil || read == nil {
			_, err := answers.Exec()
			return err
		}
		err = read(answers)
		if refusal := (*domain.Fault)(nil); errors.Is(err, pgx.ErrNoRows) || errors.As(err, &refusal) {
			one.err, err = err, nil
		}
		return err
	}
}

// survive makes a panic an error: here nobody else would, as a server does for its requests.
func survive(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("postgres: reading an answer %s\n%s", domain.Panicked(v), debug.Stack())
	}
}

// longest is a context with the last of the deadlines, and otherwise like the first one's.
func longest(some []*lookup) (context.Context, context.CancelFunc) {
	var last time.Time
	for _, one := range some {
		if deadline, _ := one.ctx.Deadline(); deadline.After(last) {
			last = deadline
		}
	}
	return context.WithDeadline(context.WithoutCancel(some[0].ctx), last)
}
