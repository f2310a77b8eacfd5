package audit

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/eventstore"
)

// event is a fact as it stands in the history.
type event struct {
	ID string `json:"id" format:"ulid"`
	// Counted from 1 over the whole history, without gaps.
	Position string `json:"position"`
	// kind/id.
	Stream string `json:"stream"`
	// Counted from 1 in the stream.
	Version string `json:"version"`
	Type    string `json:"type"`
	// The one that its data is written in.
	Schema int `json:"schema"`
	cause
	// When it happened, by the clock of whoever decided on it.
	OccurredAt time.Time `json:"occurred_at"`
	// When it was recorded, by the clock of the store, which never goes back.
	RecordedAt time.Time `json:"recorded_at"`
	// What it says, as it was written, but for its secrets. What is personal is "[personal]", or for an officer what was
	// said, "[forgotten]" where the person was forgotten, "[unreadable]" where it is damaged.
	Data json.RawMessage `json:"data"`
}

// cause is who has caused an event, where, and by what.
type cause struct {
	// kind/id, as in user/01J…, or system.
	Actor string `json:"actor,omitempty"`
	// The population that the actor belongs to.
	Realm string `json:"realm,omitempty"`
	// The API that it was asked by.
	Surface string `json:"surface,omitempty"`
	// Of the request that has caused it at once.
	RequestID string `json:"request_id,omitempty"`
	// The id that the client gave that request.
	ClientRequestID string `json:"client_request_id,omitempty"`
	// The same for all that one request led to.
	Correlation string `json:"correlation,omitempty"`
	// The event that has caused it.
	Causation string `json:"causation,omitempty"`
	// W3C trace context.
	Traceparent string `json:"traceparent,omitempty"`
}

func causeOf(m domain.Meta) cause {
	return cause{
		Actor: m.Actor, Realm: m.Realm, Surface: m.Surface, RequestID: m.Request, ClientRequestID: m.ClientRequest,
		Correlation: m.Correlation, Causation: m.Causation, Traceparent: m.Traceparent,
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// eventsOf are events as their reader may see them.
func (a api) eventsOf(ctx context.Context, by identity.Caller, rows []eventstore.Recorded) ([]event, error) {
	data, err := a.Streams.Shown(ctx, seesClear(by), rows)
	if err != nil {
		return nil, err
	}
	events := make([]event, len(rows))
	for i, r := range rows {
		var m domain.Meta
		_ = json.Unmarshal(r.Meta, &m) // What is no metadata names nobody.
		events[i] = event{
			ID: r.ID.String(), Position: number(r.Position), Stream: r.Stream.String(), Version: number(r.Version),
			Type: r.Type, Schema: r.Schema, cause: causeOf(m), OccurredAt: r.OccurredAt, RecordedAt: r.RecordedAt, Data: data[i],
		}
	}
	return events, nil
}

// eventPage is a part of what was asked for.
type eventPage struct {
	Events []event `json:"events"`
	// The cursor of the next page: its after, or its before where the last events come first. Left out on the last page.
	Next string `json:"next,omitempty"`
}

func pageOf(events []event, more bool) eventPage {
	p := eventPage{Events: events}
	if more && len(events) > 0 {
		p.Next = events[len(events)-1].Position
	}
	return p
}
