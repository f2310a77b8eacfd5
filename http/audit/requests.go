package audit

import (
	"context"

	"gesta/domain"
	"gesta/domain/audit"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/eventstore"
	"gesta/http/web"
	"gesta/projections"
)

func (a api) requestRoutes() []web.Route {
	return []web.Route{
		web.Get(prefix+"/requests/:id", readers, web.Handle(recorded(a, audit.Request, web.Reads(readRequest)), a.request, web.AsIs[requestTree])).
			Does("Show all that a request led to, by what caused what").Refuses(400, 401, 403, 404),
	}
}

var errNoRequest = &domain.Fault{Kind: domain.NotFound, Code: "request_not_found", Text: "no event was caused by a request of this id"}

// requestAsked asks what a request led to.
type requestAsked struct {
	of id.ID
	by identity.Caller
}

func readRequest(r *web.Request) (requestAsked, error) {
	of, err := web.FromPath(r, "id", parseID)
	return requestAsked{of, r.Caller}, err
}

// requestTree is all that a request led to, on whatever streams, by itself or by policies.
type requestTree struct {
	RequestID string `json:"request_id" format:"ulid"`
	// How many events are in the tree.
	Events int `json:"events"`
	// There are more events, and only the first 1,000 are in the tree.
	More bool `json:"more,omitempty"`
	// Events whose cause is not in the tree, in the order of the history: those that the request has caused at once, as a rule.
	Roots []causing `json:"roots"`
	// The position up to which all events were looked at.
	Indexed string `json:"indexed"`
}

// causing is an event with those that it has caused.
type causing struct {
	event
	// In the order of the history.
	Caused []causing `json:"caused,omitempty"`
}

func (a api) request(ctx context.Context, in requestAsked) (shown requestTree, err error) {
	tree, err := a.History.Request(ctx, in.of)
	if err != nil {
		return shown, err
	}
	if tree.Events == 0 {
		return shown, errNoRequest
	}
	shown = requestTree{RequestID: in.of.String(), Events: tree.Events, More: tree.More, Indexed: number(tree.Indexed)}
	events, err := a.eventsOf(ctx, in.by, rowsOf(tree.Roots))
	shown.Roots, _ = causingOf(tree.Roots, events)
	return shown, err
}

// rowsOf are all events of a tree, each ahead of those that it has caused.
func rowsOf(tree []*projections.Caused) (all []eventstore.Recorded) {
	for _, one := range tree {
		all = append(append(all, one.Event), rowsOf(one.Caused)...)
	}
	return all
}

// causingOf gives each event of a tree the form that it is shown in, and answers those that are left.
func causingOf(tree []*projections.Caused, events []event) (shown []causing, left []event) {
	if len(events) == 0 {
		return nil, nil
	}
	for _, one := range tree {
		c := causing{event: events[0]}
		c.Caused, events = causingOf(one.Caused, events[1:])
		shown = append(shown, c)
	}
	return shown, events
}
