package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// Work is what one Do has looked at and decided so far.
type Work struct {
	ctx    context.Context
	x      *Executor
	at     time.Time
	locked []domain.Stream // in order
	tracks []*track
	trust  bool // states that are kept need not be read on
	proven bool // the store has judged what was decided
	asked  bool // whoever is new here may have a key all the same
	forget []eventstore.Forgetting
	seals  *seal.Sealing
	meta   []byte
	again  *rerun // set when the work can't be committed as it is, whatever becomes of the error
}

// track is one stream within a work.
type track struct {
	stream        domain.Stream
	begun         bool // the stream must be new
	trusted       bool // its state was kept, and not read on
	closed        bool // nothing more is decided on it
	version       int64
	last          id.Event // of the stream, if it has any
	before, after any
	was, revision int64 // the versions that before and after were last changed at, as far as that is shown
	events        []domain.Event
	take, release []domain.Claim
	drop          []eventstore.Claim // released as well, whatever they stand for
	holds         *holds
	subjects      []id.ID // that the stream holds from now on
	realm         string  // of its events, where it is not that of the work
}

// rerun says that the work must begin anew, holding these locks from the start.
type rerun struct {
	need     []domain.Stream
	conflict bool // somebody else was faster; otherwise only a lock was missing
	reread   bool // nothing is to be trusted any more
	asked    bool // nor is anybody taken to be new
}

func (*rerun) Error() string { return "commands: run again" }

// At is when all of the work happens; microseconds, UTC. The clock is read when the first stream is
// looked at, after waiting for its lock, so that times follow each other within that stream.
func (w *Work) At() time.Time {
	if w.at.IsZero() {
		w.at = w.x.Now().UTC().Truncate(time.Microsecond)
	}
	return w.at
}

// Decide runs a command within a work and answers the state it led to. A refusal ends the work.
func Decide[S domain.State[S]](w *Work, cmd domain.Command[S]) (S, error) {
	var none S
	t, err := look[S](w, cmd.Target())
	if err != nil {
		return none, err
	}
	state := t.after.(S)
	events, err := cmd.Decide(state)
	if err == nil && t.closed && len(events) > 0 {
		err = domain.ErrForgotten
	}
	if err != nil {
		return none, err
	}
	revises := domain.Revises[S]()
	for _, e := range events {
		state, t.events = state.Evolve(e, w.At()), append(t.events, e)
		if revises(e) {
			t.revision = t.version + int64(len(t.events))
		}
	}
	t.after = state
	return state, nil
}

// Begin runs the first command of a stream that is new: its id was just made, so there is nothing to
// load, and the append refuses if there is.
func Begin[S domain.State[S]](w *Work, cmd domain.Command[S]) (S, error) {
	var nothing S
	w.tracks = append(w.tracks, &track{stream: cmd.Target(), begun: true, before: nothing, after: nothing, holds: &holds{}})
	return Decide(w, cmd)
}

// Look answers a stream's state within a work, after what the work has decided on it. That it was
// looked at makes it part of the append: when it has moved, the work runs again.
func Look[S domain.State[S]](w *Work, s domain.Stream) (S, error) {
	var none S
	t, err := look[S](w, s)
	if err != nil {
		return none, err
	}
	return t.after.(S), nil
}

func look[S domain.State[S]](w *Work, s domain.Stream) (*track, error) {
	if t := w.track(s); t != nil {
		return t, nil
	}
	if err := w.lock(s); err != nil {
		return nil, err
	}
	w.At()
	f, trusted, err := recall[S](w, s)
	if err != nil {
		return nil, err
	}
	t := &track{
		stream: s, trusted: trusted, version: f.version, last: f.last, before: f.state, after: f.state, holds: f.holds, closed: f.closed,
		was: f.revision, revision: f.revision,
	}
	w.tracks = append(w.tracks, t)
	return t, nil
}

// track is what the work has of a stream; nil where it has not looked at it.
func (w *Work) track(s domain.Stream) *track {
	if i := slices.IndexFunc(w.tracks, func(t *track) bool { return t.stream == s }); i >= 0 {
		return w.tracks[i]
	}
	return nil
}

// ErrExists refuses to begin a stream that is there.
var ErrExists = &domain.Fault{Kind: domain.Conflict, Code: "already_exists", Text: "already exists"}

// Hold takes the locks of many streams that the work is about to look at: at once, and so with at most
// one new beginning.
func (w *Work) Hold(streams ...domain.Stream) error {
	all := slices.Clone(w.locked)
	for _, s := range streams {
		if i, have := slices.BinarySearchFunc(all, s, domain.Stream.Compare); !have {
			all = slices.Insert(all, i, s)
		}
	}
	if !slices.Equal(all[:len(w.locked)], w.locked) {
		return w.restart(&rerun{need: all})
	}
	for _, s := range all[len(w.locked):] {
		if err := w.lock(s); err != nil {
			return err
		}
	}
	return nil
}

func (w *Work) restart(again *rerun) error {
	w.again = again
	return again
}

// run holds the locks it is told to, lets f decide, and commits. What was decided on trust and not proven by the store
// is decided again on what is read, unless the store is away.
func (w *Work) run(need []domain.Stream, f func(*Work) error) error {
	defer w.unlock()
	if err := w.Hold(need...); err != nil {
		return err
	}
	err := f(w)
	if err == nil && w.again == nil {
		err = w.commit()
	}
	away := errors.Is(unavailable(err), domain.ErrUnavailable)
	if w.again == nil && w.trusted() && !w.proven && !away {
		return w.restart(&rerun{need: slices.Clone(w.locked), reread: true})
	}
	return err
}

// trusted reports whether anything was decided on what was not read.
func (w *Work) trusted() bool {
	return slices.ContainsFunc(w.tracks, func(t *track) bool { return t.trusted })
}

// lock takes the lock on s. Locks are taken in the order of streams, or two works could wait for each
// other: a work that needs an earlier one than it has begins anew with both.
func (w *Work) lock(s domain.Stream) error {
	i, have := slices.BinarySearchFunc(w.locked, s, domain.Stream.Compare)
	switch {
	case have:
		return nil
	case i < len(w.locked):
		return w.restart(&rerun{need: slices.Insert(slices.Clone(w.locked), i, s)})
	}
	if err := w.x.locks.acquire(w.ctx, s); err != nil {
		return err
	}
	w.locked = append(w.locked, s)
	return nil
}

func (w *Work) unlock() {
	for _, s := range w.locked {
		w.x.locks.release(s)
	}
	w.locked = nil
}

func (w *Work) commit() error {
	if err := w.checkRevision(); err != nil {
		return err
	}
	if !slices.ContainsFunc(w.tracks, func(t *track) bool { return len(t.events) > 0 }) {
		return nil
	}
	span := w.beginSpan()
	defer span.End()
	a, err := w.append()
	if err != nil {
		return err
	}
	if err := Proven(w.ctx); err != nil {
		return err
	}
	receipt, err := w.x.Store.Append(w.ctx, a)
	w.endSpan(span, receipt, err)
	if err != nil {
		return w.refused(err)
	}
	w.proven = true
	w.spend()
	w.meet()
	w.seals.Kept()
	for _, f := range w.forget {
		w.x.Vault.Keys.Drop(f.Subject)
	}
	w.keep()
	w.unlock() // Waiting for readers is no reason to hold up other writers.
	w.settle(receipt.Last)
	return nil
}

func (w *Work) keep() {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	for _, t := range w.tracks {
		t.holds.add(t.subjects...)
		w.x.states.Add(t.stream, folded{t.version + int64(len(t.events)), t.revision, t.last, t.after, t.holds, t.closed})
	}
}

// written are the streams that have new events.
func (w *Work) written() (streams []domain.Stream) {
	for _, t := range w.tracks {
		if len(t.events) > 0 {
			streams = append(streams, t.stream)
		}
	}
	return streams
}

func (w *Work) append() (a eventstore.Append, err error) {
	w.seals = w.x.Vault.Sealing(w.ctx, w.isNew)
	if a.Idempotency, err = w.record(); err != nil {
		return a, err
	}
	for _, t := range w.tracks {
		write := eventstore.Write{Stream: t.stream, Expect: t.version, After: t.last}
		if write.Events, err = w.encode(t); err != nil {
			return a, err
		}
		write.Subjects = t.subjects
		if n := len(write.Events); n > 0 {
			t.last = write.Events[n-1].ID
		}
		t.take, t.release = domain.ClaimChanges(t.before, t.after)
		write.Take, write.Release = w.x.Claims.HashAll(t.take), w.x.Claims.HashAll(t.release)
		for _, c := range t.drop {
			if !slices.Contains(write.Release, c) {
				write.Release = append(write.Release, c)
			}
		}
		a.Writes = append(a.Writes, write)
	}
	a.Keys, a.Forget = w.seals.Keys, w.forget
	return a, nil
}

// encode also notes whom the stream holds from now on.
func (w *Work) encode(t *track) (out []eventstore.NewEvent, err error) {
	if len(t.events) == 0 {
		return nil, nil
	}
	meta, err := w.metaOf(t)
	if err != nil {
		return nil, err
	}
	var subjects []id.ID
	for _, e := range t.events {
		event := id.Event{ID: id.New(time.Now())}
		enc, err := w.seals.Encode(t.stream, event, e)
		if err != nil {
			return nil, err
		}
		out = append(out, eventstore.NewEvent{
			ID: event, Type: enc.Type, Schema: enc.Schema,
			Data: enc.Data, Secret: enc.Secret, Meta: meta, OccurredAt: w.At(),
		})
		subjects = append(subjects, enc.Subjects...)
	}
	t.subjects = t.holds.others(subjects)
	return out, nil
}

// metaOf is written once for all streams of a realm, which is most often all of them.
func (w *Work) metaOf(t *track) ([]byte, error) {
	if t.realm == "" && w.meta != nil {
		return w.meta, nil
	}
	m := domain.MetaOf(w.ctx)
	m.Realm = cmp.Or(t.realm, m.Realm)
	text, err := json.Marshal(m)
	if t.realm == "" {
		w.meta = text
	}
	return text, err
}

// isNew tells somebody whose stream begins with this work: who has no key yet, in all likelihood.
func (w *Work) isNew(subject id.ID) bool {
	return !w.asked && slices.ContainsFunc(w.tracks, func(t *track) bool { return t.begun && t.stream.ID == subject })
}

// refused tells a conflict, which is tried again, from a claim that another stream holds, which the
// business has a word for.
func (w *Work) refused(err error) error {
	var conflict *eventstore.Conflict
	var taken *eventstore.ClaimTaken
	var repeated *eventstore.Repeated
	switch {
	case errors.As(err, &repeated):
		w.proven = true // It is judged before all else, and by nothing else.
		return err
	case errors.As(err, &conflict):
		if slices.ContainsFunc(w.tracks, func(t *track) bool { return t.begun && t.stream == conflict.Stream }) {
			return ErrExists
		}
		if w.trusted() {
			w.x.distrust()
		}
		return w.restart(&rerun{need: slices.Clone(w.locked), conflict: true, reread: true})
	case errors.As(err, &taken):
		w.proven = true // Versions are judged before claims.
		return w.refusedClaim(taken)
	}
	return w.refusedSubject(err)
}

// refusedSubject tries again where what was known of somebody's key, or of the streams that hold somebody, has moved.
func (w *Work) refusedSubject(err error) error {
	var exists *eventstore.KeyExists
	var gone *eventstore.KeyGone
	var moved *eventstore.SubjectMoved
	switch {
	case errors.As(err, &exists):
		w.x.Vault.Keys.Drop(exists.Subject)
	case errors.As(err, &gone):
		if w.seals.Brings(gone.Subject) {
			return fmt.Errorf("%w: the key of %s is lost", err, gone.Subject)
		}
		w.x.Vault.Keys.Drop(gone.Subject)
	case !errors.As(err, &moved):
		return err
	}
	return w.restart(&rerun{need: slices.Clone(w.locked), conflict: true, reread: true, asked: true})
}

func (w *Work) refusedClaim(taken *eventstore.ClaimTaken) error {
	for _, t := range w.tracks {
		for _, c := range t.take {
			if w.x.Claims.Hash(c) == taken.Claim {
				return t.after.(domain.Claimant).Refuse(c)
			}
		}
	}
	return taken
}
