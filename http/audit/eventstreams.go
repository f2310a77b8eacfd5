package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gesta/domain"
	"gesta/eventstore"
	"gesta/http/web"
)

// quiet is how long a tail says nothing at most, so that whoever stands between does not take it for dead.
const quiet = 15 * time.Second

// lines writes page after page, and has no more than one in memory. It is broken off when its session ends.
func (a api) lines(ctx context.Context, in eventsAsked) (s web.Stream, err error) {
	if _, err := a.History.Indexed(ctx); err != nil {
		return s, err
	}
	s.Write = func(ctx context.Context, w *web.Writer) error {
		for p, err := range a.History.Pages(ctx, in.query) {
			if err == nil {
				err = a.writePage(ctx, w, in, p.Events, line)
			}
			if err != nil || in.most {
				return err
			}
		}
		return nil
	}
	return s, nil
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
		said := time.Time{} // The first thing that is said tells that it has begun.
		for p, err := range a.History.Tail(ctx, in.query) {
			if err == nil {
				err = w.StillIn()
			}
			if err == nil && len(p.Events) > 0 {
				said, err = time.Now(), a.writePage(ctx, w, in, p.Events, message)
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

// writePage writes events as their reader may see them.
func (a api) writePage(
	ctx context.Context, w *web.Writer, in eventsAsked, rows []eventstore.Recorded, write func(*bytes.Buffer, event) error,
) error {
	events, err := a.eventsOf(ctx, in.by, rows)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for _, e := range events {
		if err := write(&text, e); err != nil {
			return err
		}
	}
	return say(w, text.Bytes())
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
