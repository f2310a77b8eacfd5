package domain

import "context"

// Meta says who caused an event, where, and by what: it is stored with each event.
type Meta struct {
	Actor         string `json:"actor,omitempty"` // kind/id, as in "user/01J…"; or "system"
	Realm         string `json:"realm,omitempty"` // the population the actor and the thing belong to
	Surface       string `json:"surface,omitempty"`
	Request       string `json:"request,omitempty"`        // our own id of the request
	ClientRequest string `json:"client_request,omitempty"` // the id the client gave it
	Correlation   string `json:"correlation,omitempty"`    // the same for all that one request led to
	Causation     string `json:"causation,omitempty"`      // the event that caused this one
	Traceparent   string `json:"traceparent,omitempty"`    // W3C trace context
}

type metaKey struct{}

// WithMeta answers a context in which everything is caused as m says.
func WithMeta(ctx context.Context, m Meta) context.Context {
	return context.WithValue(ctx, metaKey{}, m)
}

// MetaOf is what WithMeta put in ctx.
func MetaOf(ctx context.Context) Meta {
	m, _ := ctx.Value(metaKey{}).(Meta)
	return m
}

// ActingAs answers a context in which the actor causes what is done in a realm, where nobody is known to
// yet: who registers or signs in is known only by doing so.
func ActingAs(ctx context.Context, actor, realm string) context.Context {
	m := MetaOf(ctx)
	if m.Actor == "" {
		m.Actor, m.Realm = actor, realm
	}
	return WithMeta(ctx, m)
}
