package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"gesta/projections"
)

const (
	auditedEvents = 200_000 // in the history that is asked
	auditedPage   = projections.DefaultHistoryLimit
)

// archives are how many events there are in the two histories that are held against each other.
var archives = []int{10_000, 5_000_000}

// history compares questions of the history with what the store takes to read as many events by position, and how fast
// the index is written, and all is read by it, with how fast the store reads all.
func (l *lab) history(ctx context.Context) error {
	a, err := l.archive(ctx, auditedEvents)
	if a != nil {
		defer a.close()
	}
	if err != nil {
		return err
	}
	if err := l.indexing(ctx, a); err != nil {
		return err
	}
	if err := a.settle(ctx); err != nil {
		return err
	}
	plain := a.asking(question{"by position", 0, func(ctx context.Context, a *archive) (int, error) {
		events, err := a.store.Read(ctx, rand.Int64N(int64(a.events-auditedPage)), auditedPage)
		return len(events), err
	}})
	for _, q := range questions(first) {
		took, err := turns(ctx, rounds, shortTurn, a.asking(q), plain)
		if err != nil {
			return err
		}
		l.questioned("history", fmt.Sprintf("%s, of %s, against %d events by position", q.what, a, auditedPage), took[0], took[1], shown)
	}
	return nil
}

// histories shows that a long history is asked as fast as a short one.
func (l *lab) histories(ctx context.Context) error {
	var all []*archive
	defer func() {
		for _, a := range all {
			a.close()
		}
	}()
	for _, n := range archives {
		a, err := l.archive(ctx, n)
		if a != nil {
			all = append(all, a)
		}
		if err != nil {
			return err
		}
	}
	short, long := all[0], all[1]
	for _, q := range questions(first, deep, between) {
		took, err := turns(ctx, rounds, shortTurn, long.asking(q), short.asking(q))
		if err != nil {
			return err
		}
		l.questioned("histories", fmt.Sprintf("%s, of %s, against %s", q.what, long, short), took[0], took[1], atMost(listed))
	}
	return nil
}

func (l *lab) questioned(part, what string, ours, reference []result, t target) {
	l.add(row{
		part: part, what: what, ratio: ratio(ours, reference, p50), target: t,
		ours: "p50 " + millis(time.Duration(medianOf(ours, p50))), reference: "p50 " + millis(time.Duration(medianOf(reference, p50))),
	})
}

// indexing writes the index again and again, and reads all events, and some, as an export does.
func (l *lab) indexing(ctx context.Context, a *archive) error {
	index := whole(func(ctx context.Context) (int, error) {
		if err := a.clear(ctx); err != nil {
			return 0, err
		}
		return a.events, a.index(ctx)
	})
	export := func(q projections.HistoryQuery) contestant {
		return whole(func(ctx context.Context) (n int, err error) {
			for p, err := range a.asked.Pages(ctx, q) {
				if err != nil {
					return n, err
				}
				n += len(p.Events)
			}
			return n, nil
		})
	}
	took, err := turns(ctx, 3, 0, whole(a.read), index, export(projections.HistoryQuery{}), export(projections.HistoryQuery{Realm: "realm1"}))
	if err != nil {
		return err
	}
	l.rates("history", fmt.Sprintf("%s indexed, against reading them", a), "events", took[1], took[0], shown)
	for n, what := range []string{"all", "a third of all, by realm,"} {
		exported, plain := medianOf(took[2+n], rate), medianOf(took[0], rate)
		l.add(row{
			part: "history", what: fmt.Sprintf("%s read page by page for an export, %s, against reading all, %s", what, perSecond(exported, "events"), perSecond(plain, "events")),
			ours: number(exported*a.size) + " MB/s", reference: number(plain*a.size) + " MB/s", ratio: ratio(took[2+n], took[0], rate),
		})
	}
	return nil
}
