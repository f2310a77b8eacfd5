package bench

import (
	"context"
	"crypto/md5"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/projections"
)

// question is one that an archive is asked. It finds so much at least.
type question struct {
	what  string
	finds int
	ask   func(context.Context, *archive) (found int, err error)
}

// filters are what events are looked for by.
var filters = []struct {
	what  string
	finds int // on the first page
	query func(*archive) projections.HistoryQuery
}{
	{"no filter", 100, always(projections.HistoryQuery{})},
	{"stream", 15, func(a *archive) projections.HistoryQuery {
		u := a.user()
		return projections.HistoryQuery{Stream: domain.Stream{Kind: fmt.Sprint("context.thing", u%12), ID: md5.Sum([]byte(strconv.Itoa(u)))}}
	}},
	{"kind (a twelfth)", 100, always(projections.HistoryQuery{Kind: "context.thing1"})},
	{"type (a sixtieth)", 100, always(projections.HistoryQuery{Type: "context.thing1.verb2"})},
	{"type=*.verb2 (a fifth)", 100, always(projections.HistoryQuery{Type: "*.verb2"})},
	{"realm (a third)", 100, always(projections.HistoryQuery{Realm: "realm1"})},
	{"surface (a tenth)", 100, always(projections.HistoryQuery{Surface: "cli"})},
	{"actor (20 events)", 15, func(a *archive) projections.HistoryQuery { return projections.HistoryQuery{Actor: actor(a.user())} }},
	{"actor=system (a tenth)", 100, always(projections.HistoryQuery{Actor: "system"})},
	{"actor and type=*.verb2", 0, func(a *archive) projections.HistoryQuery {
		return projections.HistoryQuery{Actor: actor(a.user()), Type: "*.verb2"}
	}},
	{"type and realm", 100, always(projections.HistoryQuery{Type: "context.thing1.verb2", Realm: "realm1"})},
	{"kind and realm that never meet", 0, always(projections.HistoryQuery{Kind: "context.thing1", Realm: "realm2"})},
	{"correlation", 3, func(a *archive) projections.HistoryQuery { return projections.HistoryQuery{Correlation: a.request()} }},
	{"request_id", 3, func(a *archive) projections.HistoryQuery { return projections.HistoryQuery{Request: a.request()} }},
}

func always(q projections.HistoryQuery) func(*archive) projections.HistoryQuery {
	return func(*archive) projections.HistoryQuery { return q }
}

// questions are all that are measured, of each filter these pages.
func questions(pages ...page) (all []question) {
	for _, f := range filters {
		for _, p := range pages {
			finds := f.finds
			if p.part {
				finds = 0
			}
			all = append(all, question{f.what + ", " + p.what, finds, func(ctx context.Context, a *archive) (int, error) {
				found, err := a.asked.Events(ctx, p.of(a, f.query(a)))
				return len(found.Events), err
			}})
		}
	}
	return append(all,
		question{"a request as a tree", 3, func(ctx context.Context, a *archive) (int, error) {
			t, err := a.asked.Request(ctx, a.request())
			return t.Events, err
		}},
		question{"an actor with a head", 15, func(ctx context.Context, a *archive) (int, error) {
			u := a.user()
			p, err := a.asked.Actor(ctx, fmt.Sprint("realm", u%3), actor(u), 0, 0)
			return len(p.Events), err
		}},
		summary("type", fewer), summary("realm", 3), summary("actor", fewer), summary("hour", fewer),
	)
}

func summary(by string, finds int) question {
	return question{"summary by " + by, finds, func(ctx context.Context, a *archive) (int, error) {
		s, err := a.asked.Summary(ctx, projections.SummaryQuery{By: by, Limit: fewer})
		return len(s.Counts), err
	}}
}

// page is a page of what a filter finds.
type page struct {
	what string
	part bool // of the history, in which less is found
	of   func(*archive, projections.HistoryQuery) projections.HistoryQuery
}

// fewer are as many as are found in a part of the short history as well, so that both find the same.
const fewer = 20

var (
	first = page{"the first page", false, func(_ *archive, q projections.HistoryQuery) projections.HistoryQuery { return q }}
	// Somewhere in the second half of the history.
	deep = page{"20 events backwards from a deep cursor", true, func(a *archive, q projections.HistoryQuery) projections.HistoryQuery {
		q.Limit, q.Descending, q.Before = fewer, true, int64(a.events/2+rand.IntN(a.events/2))
		return q
	}}
	// In a quarter of the history, from somewhere in its first half.
	between = page{"20 events between two times", true, func(a *archive, q projections.HistoryQuery) projections.HistoryQuery {
		n := rand.IntN(a.events / 2)
		q.Limit, q.From, q.To = fewer, happenedAt(n), happenedAt(n+a.events/4)
		return q
	}}
)

func happenedAt(n int) time.Time {
	return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 10 * time.Second)
}

// user is one of those to whom something happened that is not all the system's doing.
func (a *archive) user() int { return rand.IntN(a.events/200)*10 + 1 + rand.IntN(9) }

func actor(user int) string { return "user/" + ulid(user).String() }

func (a *archive) request() id.ID { return ulid(1 + rand.IntN(a.events/3-2)) }

// ulid is how the events spell the id of a user, or a request.
func ulid(n int) id.ID {
	i, err := id.Parse(fmt.Sprintf("01J8Z3K5T9V7W2X4Y6%08d", n))
	if err != nil {
		panic(err) // It is one.
	}
	return i
}
