package audit

import (
	"context"

	"gesta/domain/audit"
	"gesta/http/web"
	"gesta/projections"
)

var (
	byParam = web.Param{
		Name: "by", Text: "What events are counted by; an hour is that in which they were recorded.", Required: true,
		Enum: []string{"type", "realm", "actor", "hour"},
	}
	realmParam = web.Param{Name: "realm", Text: "Only events of this realm; - for what belongs to none, such as what operators do at the command line."}
	keyParam   = web.Param{Name: "after", Text: "A key: only those behind it. A page's next goes here."}
)

func (a api) summaryRoutes() []web.Route {
	return []web.Route{
		web.Get(prefix+"/summary", readers, web.Handle(
			recorded(a, audit.Summary, web.Reads(readSummary)).Asks(byParam, realmParam, keyParam, eventLimit), a.summary, showSummary)).
			Does("Count events").Refuses(400, 401, 403),
	}
}

func readSummary(r *web.Request) (projections.SummaryQuery, error) {
	q := query{Request: r}
	in := projections.SummaryQuery{By: q.Word(&q.Fields, byParam), Limit: q.limit(eventLimit)}
	if realm := q.Query("realm"); realm != "" {
		in.Realm = new(keptRealm(realm))
	}
	if key := q.Query("after"); key != "" {
		in.After = &key
		if in.By == "realm" {
			in.After = new(keptRealm(key))
		}
	}
	return in, q.InQuery()
}

// keptRealm is what events are counted under.
func keptRealm(realm string) string {
	if realm == projections.NoRealm {
		return ""
	}
	return realm
}

// summary is a page of counts, by key.
type summary struct {
	By string `json:"by"`
	// A key is a type, a realm, an actor, or the beginning of an hour in UTC, as in 2026-01-31T15:00:00Z. What belongs to no
	// realm has -.
	Counts []count `json:"counts"`
	// The after of the next page. Left out on the last page.
	Next string `json:"next,omitempty"`
	// These are the events up to this position.
	Indexed string `json:"indexed"`
}

// summed is what was asked with what was found.
type summed struct {
	by string
	projections.Summary
}

func (a api) summary(ctx context.Context, q projections.SummaryQuery) (summed, error) {
	s, err := a.History.Summary(ctx, q)
	return summed{q.By, s}, err
}

func showSummary(s summed) summary {
	shown := summary{By: s.by, Counts: countsOf(s.Counts), Indexed: number(s.Indexed)}
	if all := shown.Counts; s.by == "realm" && len(all) > 0 && all[0].Key == "" {
		all[0].Key = projections.NoRealm // It is the first.
	}
	if s.More {
		shown.Next = shown.Counts[len(shown.Counts)-1].Key
	}
	return shown
}
