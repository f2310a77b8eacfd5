package audit

import (
	"context"
	"time"

	"gesta/domain"
	"gesta/domain/audit"
	"gesta/domain/identity"
	"gesta/eventstore"
	"gesta/http/web"
	"gesta/projections"
)

func (a api) actorRoutes() []web.Route {
	return []web.Route{
		web.Get(prefix+"/actors/:realm/:id", readers, web.Handle(
			recorded(a, audit.Actor, web.Reads(readActor)).Asks(beforeParam, eventLimit), a.actor, web.AsIs[actorPage])).
			Does("Show what somebody did in a realm, the last first; in the realm - what belongs to none, as at the command line").Refuses(400, 401, 403, 404),
	}
}

var errNoActor = &domain.Fault{Kind: domain.NotFound, Code: "actor_not_found", Text: "nothing was done by this actor in this realm"}

// actorAsked asks what somebody did.
type actorAsked struct {
	realm, actor string
	before       int64
	limit        int
	by           identity.Caller
}

// readActor takes an id, or the whole of what events call the actor, as in system or user%2F01J…
func readActor(r *web.Request) (actorAsked, error) {
	q := query{Request: r}
	in := actorAsked{r.Param("realm"), actorOf(r.Param("id")), q.behind("before"), q.limit(eventLimit), r.Caller}
	if in.realm == "" || in.actor == "" {
		return in, errNoActor
	}
	return in, q.InQuery()
}

// actorPage is what somebody did.
type actorPage struct {
	// As it was asked for: - for what belongs to none.
	Realm string `json:"realm"`
	Actor string `json:"actor"`
	// How many events there are on all pages.
	Total string `json:"total"`
	First moment `json:"first"`
	Last  moment `json:"last"`
	// How many events there are of each type; left out where there are very many events.
	Types []count `json:"types,omitempty"`
	foundPage
}

// moment is when an event was recorded, and where.
type moment struct {
	Position   string    `json:"position"`
	RecordedAt time.Time `json:"recorded_at"`
}

func momentOf(e *eventstore.Recorded) moment { return moment{number(e.Position), e.RecordedAt} }

// count is how many events there are of something.
type count struct {
	Key    string `json:"key"`
	Events string `json:"events"`
}

func countsOf(all []projections.HistoryCount) []count {
	shown := make([]count, len(all))
	for i, one := range all {
		shown[i] = count{one.Key, number(one.Events)}
	}
	return shown
}

func (a api) actor(ctx context.Context, in actorAsked) (shown actorPage, err error) {
	p, err := a.History.Actor(ctx, in.realm, in.actor, in.before, in.limit)
	if err != nil {
		return shown, err
	}
	if p.First == nil {
		return shown, errNoActor
	}
	shown = actorPage{
		Realm: in.realm, Actor: in.actor, Total: number(p.Total), First: momentOf(p.First), Last: momentOf(p.Last), Types: countsOf(p.Types),
	}
	shown.foundPage, err = a.found(ctx, in.by, p.HistoryPage)
	return shown, err
}
