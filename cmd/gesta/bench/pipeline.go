package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gesta/cmd/gesta/loadgen"
	"gesta/commands"
	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/domain/value"
	"gesta/eventstore"
)

// pipeline times a command from its submission until it is visible in its read model: loaded, decided,
// appended, relayed, projected, and whoever waits told.
func (l *lab) pipeline(ctx context.Context) error { return l.running(ctx, l.timeCommands) }

// running shows do an empty installation on which everything runs in this process.
func (l *lab) running(ctx context.Context, do func(context.Context, Installation, *Process) error) error {
	i, stop, err := l.install(ctx)
	if err != nil {
		return err
	}
	defer stop()
	p, err := l.Open(ctx, i)
	if err != nil {
		return err
	}
	err = do(ctx, i, p)
	return errors.Join(err, p.Close())
}

func (l *lab) timeCommands(ctx context.Context, _ Installation, p *Process) error {
	users, err := registered(ctx, p, population)
	if err != nil {
		return err
	}
	alone, end, err := l.store(ctx) // Nothing relays or projects what is appended there.
	if err != nil {
		return err
	}
	defer end()
	change := changing(p.Executor, users)
	took, err := turns(ctx, rounds, turn,
		writers(1, 1, func() func(context.Context) error { return change }), writers(1, 1, appending(alone)))
	if err != nil {
		return err
	}
	l.add(row{
		part: "pipeline", what: "a command until it is visible in its read model, 1 client, p50, against the append alone",
		ours: times(took[0]), reference: times(took[1]), ratio: ratio(took[0], took[1], p50), target: atMost(2.6),
	})
	for _, rate := range []float64{1000, 3000} {
		r, err := offered(ctx, rate, 5*turn, change)
		if err != nil {
			return err
		}
		l.add(row{
			part: "pipeline", what: fmt.Sprintf("the same at %.0f commands/s (sent late by %s at p99)", rate, millis(r.late)), ours: times([]result{r}),
		})
	}
	return nil
}

// registered appends users, and waits until readers see them.
func registered(ctx context.Context, p *Process, count int) ([]identity.UserID, error) {
	var users []identity.UserID
	var last eventstore.Receipt
	for n := range count {
		w, user := newWriting(ctx, ink{Vault: p.Executor.Vault}, true), identity.UserID{ID: id.New(time.Now())}
		_, err := w.add(identity.UserStream(user), 0, registration(n, user))
		if err == nil {
			last, err = w.append(ctx, p.Store)
		}
		if err != nil {
			return nil, err
		}
		users = append(users, user)
	}
	for !p.Fence.Await(ctx, last.Last) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return users, nil
}

// changing gives one user after the other a new phone number, and answers when it is visible.
func changing(x *commands.Executor, users []identity.UserID) func(context.Context) error {
	var mu sync.Mutex
	n := 0
	return func(ctx context.Context) error {
		mu.Lock()
		n++
		c := identity.ChangePhone{User: users[n%len(users)], Phone: value.Phone(fmt.Sprintf("+%012d", n))}
		mu.Unlock()
		ctx, receipt := commands.WithReceipt(domain.WithMeta(ctx, domain.Meta{Realm: realm, Surface: realm, Request: id.New(time.Now()).String()}))
		_, err := commands.Execute(ctx, x, c)
		if err == nil && receipt.Pending {
			err = fmt.Errorf("the read models have not shown position %d in time", receipt.Position)
		}
		return err
	}
}

// offered does something so many times a second, whether or not what was begun before has ended.
func offered(ctx context.Context, rate float64, lasting time.Duration, do func(context.Context) error) (result, error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var took, late []time.Duration
	var failure error
	begin := time.Now()
	for n := 0; ; n++ {
		due := begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if due.Sub(begin) > lasting || ctx.Err() != nil {
			break
		}
		if early := time.Until(due); early > 0 {
			<-time.After(early)
		}
		all.Go(func() {
			began := time.Now()
			err := do(ctx)
			mu.Lock()
			defer mu.Unlock()
			took, late = append(took, time.Since(began)), append(late, began.Sub(due))
			if failure == nil {
				failure = err
			}
		})
	}
	all.Wait()
	return result{
		rate: float64(len(took)) / lasting.Seconds(), late: loadgen.Quantile(.99, late),
		p50: loadgen.Quantile(.5, took), p99: loadgen.Quantile(.99, took),
	}, failure
}
