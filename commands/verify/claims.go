package verify

import (
	"context"
	"fmt"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
)

// spell names a row of the table of claims.
func spell(c eventstore.Claim) string {
	return "scope " + id.ID(c.Scope).UUID() + " name " + id.ID(c.Name).UUID()
}

// claims is what is known on the way through the table.
type claims struct {
	Verifier
	report         Report
	after          eventstore.Claim
	done           bool
	claims, opaque int
}

// TakenClaims walks the claims that the store says are held: the folded state of the stream that holds
// one says so too.
func (v Verifier) TakenClaims(ctx context.Context, report Report) (checked string, err error) {
	w := claims{Verifier: v, report: report}
	for !w.done {
		if err := v.Store.Snapshot(ctx, func(s postgres.Snapshot) error { return w.chunk(ctx, s) }); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d claims in the store, %d of streams not known here", w.claims, w.opaque), nil
}

func (w *claims) chunk(ctx context.Context, s postgres.Snapshot) error {
	held, err := s.Claims(ctx, w.after, w.page())
	if err != nil {
		return err
	}
	folds, err := w.fold(ctx, s, held)
	if err != nil {
		return err
	}
	for _, h := range held {
		w.judge(h, folds[h.Holder])
		w.after = h.Claim
	}
	w.claims += len(held)
	w.done = len(held) < w.page()
	return nil
}

// holding is what a stream's history says of it.
type holding struct {
	known bool
	holds map[eventstore.Claim]bool
}

// fold folds the streams that hold claims, one after the other, and keeps only what they hold.
func (w *claims) fold(ctx context.Context, s postgres.Snapshot, held []postgres.Held) (map[domain.Stream]holding, error) {
	all := map[domain.Stream]holding{}
	var of []domain.Stream
	for _, h := range held {
		if _, twice := all[h.Holder]; !twice {
			all[h.Holder] = holding{known: true}
			of = append(of, h.Holder)
		}
	}
	f := &fold{}
	end := func() {
		if f.events > 0 {
			all[f.stream] = w.holding(f)
		}
	}
	vault := w.Vault.Over(s)
	err := s.OfStreams(ctx, of, w.page(), func(events []eventstore.Recorded) error {
		opened, err := vault.Decode(ctx, events...)
		if err != nil {
			return err
		}
		for i, r := range events {
			if f.stream != r.Stream {
				end()
				f = &fold{}
			}
			w.take(f, r, opened[i])
		}
		return nil
	})
	end()
	return all, err
}

func (w *claims) holding(f *fold) holding {
	h := holding{known: !f.opaque && len(f.wrong) == 0, holds: map[eventstore.Claim]bool{}}
	for _, c := range w.Verifier.claims(f) {
		h.holds[w.Claims.Hash(c)] = true
	}
	return h
}

func (w *claims) judge(h postgres.Held, by holding) {
	switch {
	case !by.known:
		w.opaque++
	case by.holds == nil:
		w.report.say("the store gives a claim to %s, which has no history (%s)", h.Holder, spell(h.Claim))
	case !by.holds[h.Claim]:
		w.report.say("the store gives a claim to %s, whose history does not hold it (%s)", h.Holder, spell(h.Claim))
	}
}
