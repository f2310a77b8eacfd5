package audit

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/http/web"
	"gesta/projections"
)

var eventLimit = limitParam(projections.DefaultHistoryLimit, projections.MaxHistoryLimit)

// eventParams are what events are found by: all that is given must hold.
var eventParams = []web.Param{
	{Name: "stream", Text: "Only events of this stream, as in identity.user/01J…"},
	{Name: "kind", Text: "Only events of streams of this kind, as in identity.user."},
	{Name: "type", Text: "Only events of this type, as in identity.user.registered; * stands for anything, as in identity.user.* or *.created."},
	{Name: "realm", Text: "Only events of this realm; - for what belongs to none, such as what operators do at the command line."},
	{Name: "surface", Text: "Only events that were caused by requests to this API, or by what stands in its place, such as cli."},
	{Name: "actor", Text: "Only events that were caused by this actor, as in user/01J…, policy/mail-verification or system."},
	{Name: "request_id", Text: "Only events that the request with this id has caused at once.", Format: "ulid"},
	{Name: "correlation", Text: "Only events with this correlation, which is the id of the request that has led to them.", Format: "ulid"},
	afterParam, beforeParam,
	{Name: "from", Text: "A time as RFC 3339 spells it: only events that were recorded then or later."},
	{Name: "to", Text: "A time as RFC 3339 spells it: only events that were recorded before."},
	orderParam, eventLimit,
}

// eventsAsked asks for events.
type eventsAsked struct {
	query  projections.HistoryQuery
	by     identity.Caller
	most   bool                        // A limit was given.
	begins bool                        // It was said where to begin.
	next   func(position int64) string // where the next page is
}

func readEvents(r *web.Request) (eventsAsked, error) {
	return readQuery(r, func(*query, *eventsAsked) {})
}

func readQuery(r *web.Request, more func(*query, *eventsAsked)) (eventsAsked, error) {
	q := &query{Request: r}
	in := eventsAsked{by: r.Caller, most: q.Query("limit") != "", begins: q.Query("after") != "", query: projections.HistoryQuery{
		Stream: q.stream("stream"), Kind: q.Query("kind"), Type: q.pattern("type"), Realm: q.Query("realm"), Surface: q.Query("surface"),
		Actor: actorOf(q.Query("actor")), Request: q.id("request_id"), Correlation: q.id("correlation"),
		After: q.position("after"), Before: q.behind("before"), From: q.time("from"), To: q.time("to"),
		Descending: q.descending(), Limit: q.limit(eventLimit),
	}}
	in.next = func(position int64) string {
		if in.query.Descending {
			return r.Like("before", number(position))
		}
		return r.Like("after", number(position))
	}
	more(q, &in)
	return in, q.InQuery()
}

// readExport asks for all pages, unless there is a limit.
func readExport(r *web.Request) (eventsAsked, error) {
	return readQuery(r, func(_ *query, in *eventsAsked) {
		if !in.most {
			in.query.Limit = exportPage
		}
	})
}

var errTail = errors.New("must be left out: a tail goes on for ever")

// readTail begins behind the last event that the client has seen.
func readTail(r *web.Request) (eventsAsked, error) {
	return readQuery(r, func(q *query, in *eventsAsked) {
		in.query.Limit = 0
		for _, name := range []string{"before", "to"} {
			if q.Query(name) != "" {
				q.refuse(name, errTail)
			}
		}
		if in.query.Descending {
			q.refuse("order", errTail)
		}
		if last := r.Header("Last-Event-ID"); last != "" {
			in.query.After, in.begins = q.parsePosition("Last-Event-ID", last), true
		}
	})
}

// actorOf takes either spelling of an actor's id.
func actorOf(text string) string {
	slash := strings.LastIndexByte(text, '/') + 1
	if i, err := id.ParseUUID(text[slash:]); err == nil {
		return text[:slash] + i.String()
	}
	return text
}

var errStream = errors.New("must be a stream such as identity.user/01J8Z3K5T9V7W2X4Y6Z8A0B1C2")

func (q *query) stream(name string) (s domain.Stream) {
	text := q.Query(name)
	if text == "" {
		return s
	}
	kind, of, _ := strings.Cut(text, "/")
	i, err := parseID(of)
	if err != nil || kind == "" {
		q.refuse(name, errStream)
	}
	return domain.Stream{Kind: kind, ID: i}
}

var (
	patterns   = regexp.MustCompile(`^[A-Za-z0-9._*-]{1,200}$`)
	errPattern = errors.New("must be a type such as identity.user.registered, in which * stands for anything")
)

func (q *query) pattern(name string) string {
	text := q.Query(name)
	if text != "" && !patterns.MatchString(text) {
		q.refuse(name, errPattern)
	}
	return text
}

func (q *query) id(name string) (i id.ID) {
	text := q.Query(name)
	if text == "" {
		return i
	}
	i, err := parseID(text)
	if err != nil {
		q.refuse(name, err)
	}
	return i
}

// behind is a position that something may be ahead of.
func (q *query) behind(name string) int64 {
	if text := q.Query(name); text != "" && strings.Trim(text, "0") == "" {
		q.refuse(name, errPosition)
	}
	return q.position(name)
}

var errTime = errors.New("must be a time such as 2026-01-31T15:00:00Z")

func (q *query) time(name string) time.Time {
	text := q.Query(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		q.refuse(name, errTime)
	}
	if t.IsZero() {
		t = t.Add(1) // Which is given all the same.
	}
	return t
}
