package audit

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/audit"
	"gesta/domain/identity"
	"gesta/http/web"
	"gesta/projections"
)

var diffLimit = limitParam(100, commands.MaxChanges)

func (a api) streamRoutes() []web.Route {
	const stream = prefix + "/streams/:kind/:id"
	return []web.Route{
		web.Get(stream, readers, web.Handle(
			recorded(a, audit.Stream, web.Reads(readStream).Asks(afterParam, beforeParam, orderParam, eventLimit)), a.stream, web.AsIs[eventPage])).
			Does("List the events of a stream by version").Refuses(400, 401, 403, 404),
		web.Get(stream+"/state", readers, web.Handle(
			recorded(a, audit.State, web.Reads(readState).Asks(pointParam("at", "as it is now"))), a.state, web.AsIs[stateThen])).
			Does("Show what a stream was at a point").Refuses(400, 401, 403, 404, 413),
		web.Get(stream+"/diff", readers, web.Handle(
			recorded(a, audit.Diff, web.Reads(readDiff).Asks(
				pointParam("from", "the beginning"), pointParam("to", "the end"), afterParam, diffLimit)), a.diff, web.AsIs[difference])).
			Does("Show what changed in a stream between two points, by whom, and with which event").Refuses(400, 401, 403, 404, 413),
	}
}

func streamOf(r *web.Request) (domain.Stream, error) {
	i, err := web.FromPath(r, "id", parseID)
	return domain.Stream{Kind: r.Param("kind"), ID: i}, err
}

// streamAsked asks for events of a stream.
type streamAsked struct {
	query projections.HistoryQuery
	by    identity.Caller
}

func readStream(r *web.Request) (in streamAsked, err error) {
	if in.query.Stream, err = streamOf(r); err != nil {
		return in, err
	}
	q := query{Request: r}
	in.by = r.Caller
	in.query.After, in.query.Before = q.position("after"), q.behind("before")
	in.query.Descending, in.query.Limit = q.descending(), q.limit(eventLimit)
	return in, q.InQuery()
}

func (a api) stream(ctx context.Context, in streamAsked) (p eventPage, err error) {
	found, err := a.History.Stream(ctx, in.query)
	if err == nil && len(found.Events) == 0 {
		err = a.Streams.Exists(ctx, in.query.Stream) // Else there is nothing between the bounds.
	}
	if err != nil {
		return p, err
	}
	events, err := a.eventsOf(ctx, in.by, found.Events)
	return pageOf(events, found.More), err
}

// stateAsked asks what a stream was.
type stateAsked struct {
	stream domain.Stream
	at     commands.Point
	clear  bool
}

func readState(r *web.Request) (in stateAsked, err error) {
	if in.stream, err = streamOf(r); err != nil {
		return in, err
	}
	q := query{Request: r}
	in.at, in.clear = q.point("at", commands.Now), seesClear(r.Caller)
	return in, q.InQuery()
}

// stateThen is what a stream was at a point.
type stateThen struct {
	// kind/id.
	Stream string `json:"stream"`
	reached
	// How many events of it are of types not known here, or damaged, and are left out of the state.
	Unread int64 `json:"unread,omitempty"`
	// What the rules of the business made of the events until then; null before there were any, and where what it was is
	// deleted without a trace. What is personal is shown as in events: "[personal]" is also what was empty, since it is not
	// opened.
	State json.RawMessage `json:"state"`
}

// reached is the last event of a stream before a point.
type reached struct {
	// 0 where the stream had not begun.
	Version string `json:"version"`
	// In the whole history; 0 where the stream had not begun.
	Position string `json:"position"`
	// When it was recorded, by the clock of the store.
	RecordedAt time.Time `json:"recorded_at,omitzero"`
}

func (a api) state(ctx context.Context, in stateAsked) (stateThen, error) {
	then, err := a.Streams.StateAt(ctx, in.stream, in.at, in.clear)
	return stateThen{Stream: in.stream.String(), reached: showReached(then.Reached), Unread: then.Unread, State: then.State}, err
}

func showReached(r commands.Reached) reached {
	return reached{number(r.Version), number(r.Position), r.RecordedAt}
}

// diffAsked asks what changed in a stream.
type diffAsked struct {
	stream  domain.Stream
	between commands.Between
}

func readDiff(r *web.Request) (in diffAsked, err error) {
	if in.stream, err = streamOf(r); err != nil {
		return in, err
	}
	q := query{Request: r}
	in.between = commands.Between{
		From: q.point("from", commands.Point{}), To: q.point("to", commands.Now), After: q.position("after"),
		Limit: q.limit(diffLimit), Clear: seesClear(r.Caller),
	}
	return in, q.InQuery()
}

// difference is what changed in a stream between two points.
type difference struct {
	// kind/id.
	Stream string  `json:"stream"`
	From   reached `json:"from"`
	// How far this answer goes, where net is left out.
	To reached `json:"to"`
	// One for each event between the two, in order.
	Events []changingEvent `json:"events"`
	// The after of the next answer, where this one breaks off. Left out where it is complete.
	Next string `json:"next,omitempty"`
	// The fields that differ between from and to, also where events break off. Left out where after was given.
	Net []netChange `json:"net,omitzero"`
}

// changingEvent is what one event has changed.
type changingEvent struct {
	eventRef
	Fields []fieldChange `json:"fields"`
	// It is of a type not known here, or damaged: nobody knows what it has changed.
	Unread bool `json:"unread,omitempty"`
}

// eventRef says which event it was, and who has caused it.
type eventRef struct {
	ID       string `json:"id" format:"ulid"`
	Position string `json:"position"`
	Version  string `json:"version"`
	Type     string `json:"type"`
	cause
	OccurredAt time.Time `json:"occurred_at"`
	RecordedAt time.Time `json:"recorded_at"`
}

// fieldChange is a field of the state that is another than before. A personal one that is not shown is the same word before
// and after, and differs nevertheless.
type fieldChange struct {
	// A JSON pointer (RFC 6901) into the state.
	Path string `json:"path"`
	// Left out where the field was not there.
	Before json.RawMessage `json:"before,omitempty"`
	// Left out where the field is not there any more.
	After json.RawMessage `json:"after,omitempty"`
}

// netChange is a field that differs between two points.
type netChange struct {
	fieldChange
	// The event that has changed it last.
	By eventRef `json:"by"`
}

func (a api) diff(ctx context.Context, in diffAsked) (d difference, err error) {
	found, err := a.Streams.Diff(ctx, in.stream, in.between)
	if errors.Is(err, commands.ErrBackwards) {
		err = web.ErrQuery.In(commands.ErrBackwards.Fields...)
	}
	if err != nil {
		return d, err
	}
	d = difference{Stream: in.stream.String(), From: showReached(found.From), To: showReached(found.To), Events: []changingEvent{}}
	for _, c := range found.Changes {
		shown := changingEvent{eventRef: showRef(c.EventRef), Fields: make([]fieldChange, len(c.Fields)), Unread: c.Unread}
		for i, f := range c.Fields {
			shown.Fields[i] = fieldChange(f)
		}
		d.Events = append(d.Events, shown)
	}
	if found.Next > 0 {
		d.Next = number(found.Next)
	}
	if found.Net != nil {
		d.Net = make([]netChange, len(found.Net))
	}
	for i, n := range found.Net {
		d.Net[i] = netChange{fieldChange(n.FieldChange), showRef(n.By)}
	}
	return d, nil
}

func showRef(r commands.EventRef) eventRef {
	return eventRef{
		ID: r.ID.String(), Position: number(r.Position), Version: number(r.Version), Type: r.Type, cause: causeOf(r.Meta),
		OccurredAt: r.OccurredAt, RecordedAt: r.RecordedAt,
	}
}
