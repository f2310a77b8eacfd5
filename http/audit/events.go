package audit

import (
	"bytes"
	"context"
	"net/http"
	"slices"

	"gesta/domain/audit"
	"gesta/domain/identity"
	"gesta/eventstore"
	"gesta/eventstore/envelope"
	"gesta/http/web"
	"gesta/projections"
)

// The content types that events come in, beside JSON.
const (
	asLines     = "application/x-ndjson"
	asTail      = "text/event-stream"
	asPublished = "application/cloudevents-batch+json"
)

func (a api) eventRoutes() []web.Route {
	return []web.Route{
		web.Get(prefix+"/events", web.Only(Consumer, Decryptor, Auditor, Officer),
			web.Handle(recorded(a, audit.Events, forReaders(web.Reads(readEvents))).Asks(eventParams...), a.events, web.AsIs[foundPage])).
			Also(
				web.As(asLines, "All events that are asked for, one a line, each as in a page of JSON. Pages are none: limit is how many there are at most.",
					recordedStream(a, audit.Export, forReaders(web.Reads(readExport))), a.lines),
				web.As(asTail, "Server-sent events, each as in a page of JSON, with its position as the id: those from after, or Last-Event-ID, on, and then "+
					"those that come. Without either only those that come. It ends with the session.",
					recordedStream(a, audit.Tail, forReaders(web.Reads(readTail))), a.tail),
				web.AsPage(asPublished, "A page of events as they are published, personal data sealed. The Link header names the next page, where there is one.",
					recorded(a, audit.Events, web.Reads(readEvents)), a.published),
			).
			Does("Find events").Refuses(400, 401, 403),
	}
}

// forReaders refuses those who see events as they are published, and no more of them.
func forReaders[In any](reading web.Reading[In]) web.Reading[In] {
	return reading.And(func(r *web.Request, in In) (In, error) {
		if !slices.Contains(readers.Roles, r.Caller.Role) {
			return in, identity.ErrForbidden
		}
		return in, nil
	})
}

// foundPage is a part of what was asked for.
type foundPage struct {
	eventPage
	// The position up to which all events were looked at: later ones are found within some 200 ms.
	Indexed string `json:"indexed"`
}

func (a api) events(ctx context.Context, in eventsAsked) (foundPage, error) {
	p, err := a.History.Events(ctx, in.query)
	if err != nil {
		return foundPage{}, err
	}
	return a.found(ctx, in.by, p)
}

func (a api) found(ctx context.Context, by identity.Caller, p projections.HistoryPage) (foundPage, error) {
	events, err := a.eventsOf(ctx, by, p.Events)
	return foundPage{pageOf(events, p.More), number(p.Indexed)}, err
}

// published answers a page of what the stream has, or had.
func (a api) published(ctx context.Context, in eventsAsked) (shown web.Page, err error) {
	p, err := a.History.Events(ctx, in.query)
	if err != nil {
		return shown, err
	}
	epochs, err := eventstore.LoadEpochs(ctx, a.Streams.Store) // They know of whatever was read.
	if err != nil {
		return shown, err
	}
	if p.More {
		shown.Header = http.Header{"Link": {"<" + in.next(p.Events[len(p.Events)-1].Position) + `>; rel="next"`}}
	}
	all := make([][]byte, len(p.Events))
	for i, e := range p.Events {
		all[i] = envelope.Encode(e, epochs.At(e.Position))
	}
	shown.Text = slices.Concat([]byte{'['}, bytes.Join(all, []byte{','}), []byte{']'})
	return shown, nil
}
