package verify

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/postgres"
)

func number(n int64) string { return strconv.FormatInt(n, 10) }

// states is what is known on the way through the streams.
type states struct {
	Verifier
	report          Report
	after           domain.Stream // the last one that was dealt with
	done            bool
	streams, opaque int
	claims          int
}

// States walks the events by stream: their versions have no gaps, they can be folded, and every claim
// that a folded state says its stream holds is held by it.
func (v Verifier) States(ctx context.Context, report Report) (checked string, err error) {
	w := states{Verifier: v, report: report}
	for !w.done {
		if err := v.Store.Snapshot(ctx, func(s postgres.Snapshot) error { return w.chunk(ctx, s) }); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d streams that hold %d claims, %d not known here", w.streams, w.claims, w.opaque), nil
}

// chunk deals with some whole streams, at least one. One that the page cuts off begins the next chunk,
// under a later snapshot.
func (w *states) chunk(ctx context.Context, s postgres.Snapshot) error {
	var whole []*fold
	of, version, f := w.after, int64(math.MaxInt64), &fold{} // It may have grown meanwhile.
	for len(whole) == 0 && !w.done {
		events, err := s.ByStream(ctx, of, version, w.page())
		if err != nil {
			return err
		}
		opened, err := w.Vault.Over(s).Decode(ctx, events...)
		if err != nil {
			return err
		}
		for i, r := range events {
			if f.events > 0 && f.stream != r.Stream {
				whole, f = append(whole, f), &fold{}
			}
			w.take(f, r, opened[i])
			of, version = r.Stream, r.Version
		}
		w.done = len(events) < w.page()
	}
	if w.done && f.events > 0 {
		whole = append(whole, f)
	}
	return w.judge(ctx, s, whole)
}

func (w *states) judge(ctx context.Context, s postgres.Snapshot, whole []*fold) error {
	var wanted []want
	for _, f := range whole {
		w.after = f.stream
		w.count(f)
		for _, c := range w.Verifier.claims(f) {
			wanted = append(wanted, want{f.stream, c, w.Claims.Hash(c)})
		}
	}
	w.claims += len(wanted)
	if err := w.compare(ctx, s, wanted); err != nil {
		return err
	}
	return w.subjects(ctx, s, whole)
}

// subjects finds persons who could not be forgotten, since they are not known to be in a stream, and those who were
// forgotten and have a key.
func (w *states) subjects(ctx context.Context, s postgres.Snapshot, whole []*fold) error {
	var held []eventstore.Holding
	var forgotten []id.ID
	for _, f := range whole {
		for _, one := range f.subjects {
			held = append(held, eventstore.Holding{Subject: eventstore.SubjectID(one), Stream: f.stream})
		}
		forgotten = append(forgotten, f.forgotten...)
	}
	unheld, err := s.Unheld(ctx, held)
	if err != nil {
		return err
	}
	for _, h := range unheld {
		w.report.say("%s has data of %s, and is not found by it: 'gesta privacy reindex'", h.Stream, id.ID(h.Subject))
	}
	keys, err := s.Keys(ctx, forgotten)
	for _, k := range keys {
		if len(k.Wrapped) > 0 {
			w.report.say("%s was forgotten, and has a key: 'gesta privacy forget' or 'gesta keys reapply' destroys it", k.Subject)
		}
	}
	return err
}

func (w *states) count(f *fold) {
	w.streams++
	if f.opaque {
		w.opaque++
	}
	for _, wrong := range f.wrong {
		w.report.say("%s: %s", f.stream, wrong)
	}
}

// want is a claim that a stream ought to hold.
type want struct {
	by    domain.Stream
	claim domain.Claim
	hash  eventstore.Claim
}

// compare names a claim by its scope, and by its hashes: the name may be somebody's address.
func (w *states) compare(ctx context.Context, s postgres.Snapshot, wanted []want) error {
	hashes := make([]eventstore.Claim, len(wanted))
	for i, c := range wanted {
		hashes[i] = c.hash
	}
	held, err := s.HoldersOf(ctx, hashes)
	if err != nil {
		return err
	}
	holders := make(map[eventstore.Claim]domain.Stream, len(held))
	for _, h := range held {
		holders[h.Claim] = h.Holder
	}
	for _, c := range wanted {
		switch holder, is := holders[c.hash]; {
		case !is:
			w.report.say("%s holds a claim in %s, and the store does not have it (%s)", c.by, c.claim.Scope, spell(c.hash))
		case holder != c.by:
			w.report.say("%s holds a claim in %s, and the store gives it to %s (%s)", c.by, c.claim.Scope, holder, spell(c.hash))
		}
	}
	return nil
}
