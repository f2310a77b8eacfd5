package projections

import (
	"context"
	"encoding/json"
	"slices"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// RequestTree is all that one request led to, by what caused what.
type RequestTree struct {
	Roots   []*Caused // in the order of the history
	Events  int
	More    bool  // There are more than MaxHistoryLimit, and only the first are here.
	Indexed int64 // Up to here all events were looked at.
}

// Caused is an event with those that it caused, in the order of the history.
type Caused struct {
	Event  eventstore.Recorded
	Caused []*Caused
}

// Request answers the events that have an id as their request or correlation. One whose cause is not among them is a
// root; there are none where nothing is known of the request.
func (h History) Request(ctx context.Context, of id.ID) (RequestTree, error) {
	p, err := h.Events(ctx, HistoryQuery{related: of, Limit: MaxHistoryLimit})
	return RequestTree{Roots: grow(p.Events), Events: len(p.Events), More: p.More, Indexed: p.Indexed}, err
}

// grow makes a tree of events in order. What says that it was caused by itself, or by what came later, is a root: so all
// of them are in the tree.
func grow(events []eventstore.Recorded) []*Caused {
	roots, known := []*Caused{}, map[id.ID]*Caused{}
	for _, e := range events {
		one := &Caused{Event: e}
		if cause := known[causationOf(e)]; cause != nil {
			cause.Caused = append(cause.Caused, one)
		} else {
			roots = append(roots, one)
		}
		known[e.ID.ID] = one
	}
	return slices.Clip(roots)
}

func causationOf(e eventstore.Recorded) id.ID {
	var m domain.Meta
	_ = json.Unmarshal(e.Meta, &m)
	return ulidOf(m.Causation)
}
