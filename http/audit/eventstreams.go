package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"gesta/domain"
	"gesta/domain/audit"
	"gesta/eventstore"
	"gesta/http/web"
	"gesta/projections"
)

// quiet is how long a tail says nothing at most, so that whoever stands between does not take it for dead.
const quiet = 15 * time.Second

// lines writes page after page, and has no more than one in memory. It is broken off when its session ends.
func (a api) lines(ctx context.Context, in eventsAsked) (s web.Stream, err error) {
	if _, err := a.History.Indexed(ctx); err != nil {
		return s, err
	}
	s.Write = func(ctx context.Context, w *web.Writer) error {
		note := a.noting(in, audit.Export)
		next, stop := iter.Pull2(a.History.Pages(ctx, in.query))
		defer stop()
		for {
			text, more, err := a.exported(ctx, in, next)
			if err == nil && more {
				err = errors.Join(note(ctx), say(w, text))
			}
			if err != nil || !more || in.most {
				return err
			}
		}
	}
	return s, nil
}

// exportPage is how many events an export takes at once: so few that whoever asks in between does not wait for long.
const exportPage = 250

// exported is the next page of an export. Exports take turns at making theirs, so that they leave room for those who ask
// for less.
func (a api) exported(ctx context.Context, in eventsAsked, next func() (projections.HistoryPage, error, bool)) (text []byte, more bool, err error) {
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	p, err, more := next()
	if err != nil || !more {
		return nil, false, err
	}
	text, err = a.written(ctx, in, p.Events, line)
	return text, true, err
}

// noting notes what goes on for longer than a minute in each.
func (a api) noting(in eventsAsked, part audit.Part) func(context.Context) error {
	noted := time.Now() // As it began.
	return func(ctx context.Context) error {
		if now := time.Now(); now.Sub(noted) >= time.Minute {
			noted = now
			return a.Audit.Read(ctx, in.by, part, seesClear(in.by))
		}
		return nil
	}
}

func line(text *bytes.Buffer, e event) error { return json.NewEncoder(text).Encode(e) }

// tail writes what there is, and then what comes.
func (a api) tail(ctx context.Context, in eventsAsked) (s web.Stream, err error) {
	at, err := a.History.Indexed(ctx)
	if err != nil {
		return s, err
	}
	if !in.begins {
		in.query.After = at
	}
	s.Write = func(ctx context.Context, w *web.Writer) error {
		said, note := time.Time{}, a.noting(in, audit.Tail) // The first thing that is said tells that it has begun.
		for p, err := range a.History.Tail(ctx, in.query) {
			if err == nil {
				err = errors.Join(w.StillIn(), note(ctx))
			}
			if err == nil && len(p.Events) > 0 {
				said, err = time.Now(), a.writePage(ctx, w, in, p.Events)
			}
			if err == nil && time.Since(said) > quiet {
				said, err = time.Now(), say(w, []byte(":\n\n"))
			}
			if err != nil {
				return untilOver(ctx, err)
			}
		}
		return nil
	}
	return s, nil
}

// untilOver tells the ends of a tail, which are those of its session and of the server, from what breaks it off.
func untilOver(ctx context.Context, err error) error {
	if over := (*domain.Fault)(nil); ctx.Err() != nil || errors.As(err, &over) && over.Kind == domain.Unauthenticated {
		return nil
	}
	return err
}

func (a api) writePage(ctx context.Context, w *web.Writer, in eventsAsked, rows []eventstore.Recorded) error {
	text, err := a.written(ctx, in, rows, message)
	if err != nil {
		return err
	}
	return say(w, text)
}

// written are events as their reader may see them.
func (a api) written(
	ctx context.Context, in eventsAsked, rows []eventstore.Recorded, write func(*bytes.Buffer, event) error,
) ([]byte, error) {
	events, err := a.eventsOf(ctx, in.by, rows)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, e := range events {
		if err := write(&text, e); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

func say(w *web.Writer, text []byte) error {
	_, err := w.Write(text)
	return errors.Join(err, w.Flush())
}

func message(text *bytes.Buffer, e event) error {
	data, err := json.Marshal(e)
	fmt.Fprintf(text, "id: %s\ndata: %s\n\n", e.Position, data)
	return err
}
