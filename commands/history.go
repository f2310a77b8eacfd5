package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/seal"
)

// History answers what streams were, and what has changed in them, by the aggregates that run the business. It folds a
// stream from its beginning, a page at a time, and keeps nothing: beside reading them it takes some 2 to 6 µs an event
// (BenchmarkHistory), which is half a second for a stream of a hundred thousand.
type History struct {
	Store      eventstore.Store
	Vault      *seal.Vault
	Aggregates domain.Aggregates
	// MaxEvents are folded for one answer; 100,000 for 0. It refuses with ErrStreamTooLong what takes more.
	MaxEvents int64
}

// maxFolded are read from Postgres and compared in some 0.9 to 1.8 s on two busy cores; half of that where they are folded
// alone.
const maxFolded = 100_000

// Refusals.
var (
	ErrKindUnknown    = &domain.Fault{Kind: domain.NotFound, Code: "stream_kind_unknown", Text: "there are no streams of this kind"}
	ErrStreamNotFound = &domain.Fault{Kind: domain.NotFound, Code: "stream_not_found", Text: "there is no such stream"}
	ErrStreamTooLong  = &domain.Fault{
		Kind: domain.TooLarge, Code: "stream_too_long",
		Text: "the stream has too many events up to that point to be gone through at once: ask for an earlier point, or for its events",
	}
)

// Point is a place between two events of the history: behind the event at a position, or behind all that were recorded
// until a time. The zero Point is before the first.
type Point struct {
	position int64
	time     time.Time
}

// Now is behind all there is.
var Now = Point{position: math.MaxInt64}

// AtPosition is behind the event at a position, which need not be one of the stream that is asked about.
func AtPosition(position int64) Point { return Point{position: position} }

// AtTime is behind all that were recorded until then, by the store's clock, which goes by microseconds.
func AtTime(t time.Time) Point { return Point{time: t.UTC()} }

// ErrPoint refuses text that is no point.
var ErrPoint = errors.New("must be a position such as 41, or a time such as 2026-01-02T03:04:05Z")

// ParsePoint reads a position, or a time as RFC 3339 spells it.
func ParsePoint(text string) (Point, error) {
	if text != "" && strings.Trim(text, "0123456789") == "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Point{}, ErrPoint
		}
		return AtPosition(n), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return Point{}, ErrPoint
	}
	return AtTime(t), nil
}

// has tells whether an event is before the point.
func (p Point) has(r eventstore.Recorded) bool {
	if p.time.IsZero() {
		return r.Position <= p.position
	}
	return !r.RecordedAt.After(p.time)
}

// Reached is the last event of a stream before a point; zero where the stream had not begun.
type Reached struct {
	Version, Position int64
	RecordedAt        time.Time
}

// EventRef says which event it was, and who has caused it.
type EventRef struct {
	ID                     id.Event
	Type                   string
	Position, Version      int64
	OccurredAt, RecordedAt time.Time
	Meta                   domain.Meta
}

func refOf(r eventstore.Recorded) EventRef {
	ref := EventRef{
		ID: r.ID, Type: r.Type, Position: r.Position, Version: r.Version, OccurredAt: r.OccurredAt, RecordedAt: r.RecordedAt,
	}
	_ = json.Unmarshal(r.Meta, &ref.Meta) // What is no metadata names nobody.
	return ref
}

// walk is a stream on the way through its events.
type walk struct {
	stream  domain.Stream
	of      domain.Aggregate
	state   any
	reached Reached
	unread  int64 // events that could not be folded: they are of types not known here, or damaged
}

// visit deals with the next event of a stream, and tells whether to go on.
type visit func(w *walk, r eventstore.Recorded, o seal.Opened) (on bool, err error)

// walk visits the events of a stream in order. Personal values are opened where clear is true.
func (h History) walk(ctx context.Context, s domain.Stream, clear bool, v visit) (*walk, error) {
	of, known := h.Aggregates[s.Kind]
	if !known {
		return nil, ErrKindUnknown
	}
	w := &walk{stream: s, of: of, state: of.Zero}
	for after := int64(0); ; after += page {
		events, err := h.Store.ReadStream(ctx, s, after, page)
		if err != nil {
			return nil, unavailable(err)
		}
		if after == 0 && len(events) == 0 {
			return nil, ErrStreamNotFound
		}
		on, err := h.page(ctx, w, clear, events, v)
		if err != nil || !on || len(events) < page {
			return w, unavailable(err)
		}
	}
}

func (h History) page(ctx context.Context, w *walk, clear bool, events []eventstore.Recorded, v visit) (on bool, err error) {
	opened, err := h.Vault.DecodeShown(ctx, clear, events...)
	if err != nil {
		return false, err
	}
	for i, r := range events {
		if on, err = v(w, r, opened[i]); err != nil || !on {
			return false, err
		}
		if r.Version > cmp.Or(h.MaxEvents, maxFolded) {
			return false, ErrStreamTooLong
		}
	}
	return true, nil
}

// take folds an event, and tells whether it could.
func (w *walk) take(r eventstore.Recorded, o seal.Opened) (read bool) {
	w.reached = Reached{Version: r.Version, Position: r.Position, RecordedAt: r.RecordedAt}
	defer func() {
		if recover() != nil {
			read = false // 'gesta verify' says what is wrong with it.
		}
		if !read {
			w.unread++
		}
	}()
	if o.Err != nil {
		return false
	}
	if domain.IsOf(w.stream, o.Event) {
		w.state = w.of.Evolve(w.state, o.Event, r.OccurredAt)
	}
	return true
}

// StateThen is what a stream was at a point.
type StateThen struct {
	Reached
	Unread int64           // events of it that are of types not known here, or damaged, and are left out of the state
	State  json.RawMessage // as domain.ShowState has it; null where there was nothing
}

// StateAt answers what a stream was at a point; version 0 and no state before it began. Where clear is false nothing
// personal is opened, not even to see whether it is empty. It refuses with ErrKindUnknown, ErrStreamNotFound and
// ErrStreamTooLong.
func (h History) StateAt(ctx context.Context, s domain.Stream, at Point, clear bool) (StateThen, error) {
	w, err := h.walk(ctx, s, clear, func(w *walk, r eventstore.Recorded, o seal.Opened) (bool, error) {
		if !at.has(r) {
			return false, nil
		}
		w.take(r, o)
		return true, nil
	})
	if err != nil {
		return StateThen{}, err
	}
	then := StateThen{Reached: w.reached, Unread: w.unread, State: json.RawMessage("null")}
	if w.reached.Version > 0 {
		then.State, err = domain.ShowState(w.state, clear)
	}
	return then, err
}

// Shown is what events say, for whoever may see what is personal in them or may not: as seal.Vault.Shown.
func (h History) Shown(ctx context.Context, clear bool, rows []eventstore.Recorded) ([]json.RawMessage, error) {
	shown, err := h.Vault.Shown(ctx, clear, rows...)
	return shown, unavailable(err)
}

// Exists refuses with ErrStreamNotFound where a stream has no event, of whatever kind it is.
func (h History) Exists(ctx context.Context, s domain.Stream) error {
	first, err := h.Store.ReadStream(ctx, s, 0, 1)
	if err == nil && len(first) == 0 {
		err = ErrStreamNotFound
	}
	return unavailable(err)
}
