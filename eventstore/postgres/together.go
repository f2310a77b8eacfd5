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

// Ask asks as the function of that name does.
func (l *Lookups) Ask(ctx context.Context, questions *pgx.Batch) error {
	return ask(ctx, l.send, questions)
}

// send waits for the answers, also beyond the end of ctx once they are asked for: they are written where the
// caller can see them. They have as much time as the caller has who has the most. As with a pool, nobody
// stands in line for longer than acquireTime.
func (l *Lookups) send(ctx context.Context, questions *pgx.Batch) error {
	mine := &lookup{ctx: ctx, questions: questions, done: make(chan struct{})}
	for _, q := range questions.QueuedQueries {
		q.Fn = survived(q.Fn)
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
		for _, one := range some {
			close(one.done)
		}
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

// answer asks one by one when the server finds fault with any of them, or one can't read its answer, which
// ends all behind it.
func (l *Lookups) answer(some []*lookup) {
	if len(some) == 1 {
		some[0].err = l.alone(some[0])
		return
	}
	err := l.together(some)
	for _, one := range some {
		switch {
		case err == nil: // Each has its own.
		case isAnswer(err), !isAway(err):
			one.err = l.alone(one)
		default:
			one.err = err
		}
	}
}

func (l *Lookups) alone(one *lookup) error { return l.Pool.SendBatch(one.ctx, one.questions).Close() }

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
	return func(answers pgx.BatchResults) error {
		if one.err != nil {
			_, err := answers.Exec()
			return err
		}
		err := read(answers)
		if refusal := (*domain.Fault)(nil); errors.Is(err, pgx.ErrNoRows) || errors.As(err, &refusal) {
			one.err, err = err, nil
		}
		return err
	}
}

// survived makes a panic of what reads an answer an error: here it would end the process, and not only the
// request.
func survived(read func(pgx.BatchResults) error) func(pgx.BatchResults) error {
	return func(answers pgx.BatchResults) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = pgx.ScanArgError{Err: fmt.Errorf("%s\n%s", domain.Panicked(v), debug.Stack())}
			}
		}()
		if read == nil {
			_, err = answers.Exec()
			return err
		}
		return read(answers)
	}
}

// longest is a context with the last of the deadlines. Who has none must not hold the others up for ever.
func longest(some []*lookup) (context.Context, context.CancelFunc) {
	var last time.Time
	for _, one := range some {
		deadline, has := one.ctx.Deadline()
		if !has {
			deadline = time.Now().Add(DefaultTimeout)
		}
		if deadline.After(last) {
			last = deadline
		}
	}
	return context.WithDeadline(context.WithoutCancel(some[0].ctx), last)
}
