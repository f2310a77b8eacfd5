package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// history is what is known on the way through it.
type history struct {
	Verifier
	report   Report
	position int64
	recorded time.Time
	events   int
	unknown  int
}

// History walks the events by position: none is missing, none was recorded before the one in front of
// it, each can be read, no two have the same id, and those that its followers have seen last are there.
func (v Verifier) History(ctx context.Context, report Report) (checked string, err error) {
	head, err := v.Store.Head(ctx)
	if err != nil {
		return "", err
	}
	h := history{Verifier: v, report: report}
	for h.position < head.Position {
		events, err := v.Store.Read(ctx, h.position, v.page())
		if err != nil {
			return "", err
		}
		opened, err := v.Vault.Decode(ctx, events...)
		if err != nil {
			return "", err
		}
		for i, r := range events {
			h.look(r, opened[i].Err)
			h.sealed(r)
		}
		if len(events) == 0 {
			break // Somebody is taking it away.
		}
	}
	if err := h.findStrays(ctx); err != nil {
		return "", err
	}
	passes := h.position/compared + 1
	for pass := range passes {
		if err := h.compareIDs(ctx, pass, passes); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d events, %d of types unknown here", h.events, h.unknown), nil
}

func (h *history) look(r eventstore.Recorded, unread error) {
	switch r.Position - h.position {
	case 1:
	case 2:
		h.report.say("position %d is missing", h.position+1)
	default:
		h.report.say("positions %d to %d are missing", h.position+1, r.Position-1)
	}
	if r.RecordedAt.Before(h.recorded) {
		h.report.say("position %d was recorded before position %d", r.Position, h.position)
	}
	h.position, h.recorded = r.Position, r.RecordedAt
	h.events++
	h.read(r, unread)
}

// read tells a type that another version of the program has written from damage.
func (h *history) read(r eventstore.Recorded, err error) {
	switch {
	case errors.Is(err, domain.ErrUnknownType):
		h.unknown++
	case err != nil:
		h.report.say("position %d can't be read: %v", r.Position, err)
	}
}

// sealed finds what others have written in clear, or taken away, since everything is sealed.
func (h *history) sealed(r eventstore.Recorded) {
	if r.Position <= h.Sealed {
		return
	}
	closed, err := h.Vault.Catalogue.Parse(r.Type, r.Schema, r.Data, r.Secret)
	if err == nil && !closed.IsSealed() {
		h.report.say("position %d has something personal or secret in clear, or lacks it", r.Position)
	}
}

// findStrays finds by its followers that the end of the history was lost, or is another one.
func (h *history) findStrays(ctx context.Context) error {
	strays, err := h.Store.Strays(ctx)
	for _, s := range strays {
		h.report.say("%s has seen an event at position %d that is not there", s.Follower, s.Position)
	}
	return err
}

// compareIDs compares the ids of one part of so many parts, told apart by their random bits.
func (h *history) compareIDs(ctx context.Context, part, parts int64) error {
	seen := map[id.Event]int64{}
	for after := int64(0); after < h.position; {
		marks, err := h.Store.Marks(ctx, after, marked)
		if err != nil || len(marks) == 0 {
			return err
		}
		for _, m := range marks {
			after = m.Position
			if binary.BigEndian.Uint64(m.Event.ID[8:])%uint64(parts) != uint64(part) {
				continue
			}
			if first, twice := seen[m.Event]; twice {
				h.report.say("positions %d and %d have the same event id", first, m.Position)
			}
			seen[m.Event] = m.Position
		}
	}
	return nil
}
