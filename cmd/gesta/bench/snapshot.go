package bench

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// A dump or an export holds its snapshot for that long; what it is compared with is measured before it, and
// again after it, since tables grow meanwhile.
const (
	snapshotTime = 60 * turn
	besideTime   = 10 * turn
)

// snapshot measures what a long snapshot elsewhere does: nothing that changes meanwhile can be tidied up, so
// that whatever is updated again and again gets slower to find.
func (l *lab) snapshot(ctx context.Context) error {
	s, closeStore, err := l.store(ctx)
	if err != nil {
		return err
	}
	defer closeStore()
	const many = 64
	during, without, err := l.besideSnapshot(ctx, s.Pool().Config().ConnString(), writers(many, 1, appending(s)))
	if err != nil {
		return err
	}
	l.rates("snapshot", "64 writers, while a snapshot stays open for 60 s, against before and after it", "events",
		[]result{mean(during)}, []result{mean(without)}, atLeast(.9))
	return l.running(ctx, l.commandsBesideSnapshot)
}

func (l *lab) commandsBesideSnapshot(ctx context.Context, i Installation, p *Process) error {
	users, err := registered(ctx, p, population)
	if err != nil {
		return err
	}
	change := changing(p.Executor, users)
	const many = 8
	during, without, err := l.besideSnapshot(ctx, i.App, writers(many, 1, func() func(context.Context) error { return change }))
	if err != nil {
		return err
	}
	l.rates("snapshot", "8 clients whose commands become visible, in the last 10 s of the same, against before and after it", "commands",
		during[len(during)-1:], []result{mean(without)}, shown)
	return nil
}

// besideSnapshot runs a contestant for pieces of besideTime: beside a snapshot, and once before and after it.
func (l *lab) besideSnapshot(ctx context.Context, database string, run contestant) (during, without []result, err error) {
	piece := func(into *[]result) {
		if err == nil {
			var r result
			r, err = run(ctx, besideTime)
			*into = append(*into, r)
		}
	}
	if _, err := run(ctx, turn); err != nil {
		return nil, nil, err
	}
	piece(&without)
	end, failure := openSnapshot(ctx, database)
	if failure != nil {
		return nil, nil, failure
	}
	for range int(snapshotTime / besideTime) {
		piece(&during)
	}
	end()
	piece(&without)
	return during, without, err
}

// mean is what pieces of the same length come to together.
func mean(all []result) (r result) {
	for _, one := range all {
		r.rate += one.rate / float64(len(all))
	}
	return r
}

// openSnapshot does what pg_dump does first.
func openSnapshot(ctx context.Context, database string) (end func(), err error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, err
	}
	end = func() { _ = conn.Close(context.WithoutCancel(ctx)) }
	_, err = conn.Exec(ctx, `begin isolation level repeatable read read only; select count(*) from gesta.events`)
	if err != nil {
		end()
	}
	return end, err
}
