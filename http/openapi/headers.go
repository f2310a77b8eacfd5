package openapi

import (
	"cmp"
	"net/http"

	"github.com/swaggest/openapi-go/openapi31"

	"gesta/http/web"
)

// header is one that requests may bring, or answers have.
type header struct {
	name, text string
	schema     map[string]any
	on         func(web.Route) bool
	status     func(status int) bool // of answers: with which; nil for requests
	always     bool                  // whether each of those has it
	as         string                // how it is called among components; "" for its name
}

var (
	text   = map[string]any{"type": "string"}
	number = map[string]any{"type": "integer", "minimum": 0}
	key    = map[string]any{"type": "string", "pattern": `^[ -~]{1,255}$`}
	etag   = map[string]any{"type": "string", "pattern": `^(W/)?"[^"]*"$`}
)

func everyRow(web.Route) bool  { return true }
func isRead(r web.Route) bool  { return r.Method == http.MethodGet }
func isWrite(r web.Route) bool { return r.Method != http.MethodGet }
func isOne(r web.Route) bool {
	return r.Conditional() || r.Thing.Kind != "" && r.Handler.Shown != nil && !r.Handler.Told
}
func isKeyed(r web.Route) bool  { return r.Keyed() }
func isSingle(r web.Route) bool { return r.Conditional() || r.Changes() }
func isOK(status int) bool      { return status < 300 }
func isSeen(status int) bool    { return isOK(status) || status == http.StatusNotModified }
func anyStatus(int) bool        { return true }
func retried(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}
func unknownWho(status int) bool { return status == http.StatusUnauthorized }

// requestHeaders are those that rows read.
var requestHeaders = []header{
	{name: "Idempotency-Key", text: "Any text that no other request of yours has: a repetition with the same key does nothing twice and is answered as the first was.", schema: key, on: isKeyed},
	{name: "If-Match", text: "The ETag of the thing as you know it: refused when it has changed meanwhile.", schema: text, on: isSingle},
	{name: "If-None-Match", text: "The ETag of the thing as you know it: a GET sends nothing, and a change is refused, when it is still the same.", schema: text, on: isSingle},
	{name: "X-Min-Position", text: "Waits until the answer knows all of the history up to here: the X-Event-Position of an earlier answer.", schema: number, on: isRead},
	{name: "X-Request-Id", text: "Yours, of up to 64 letters, digits, dots, underscores and hyphens; it comes back as X-Client-Request-Id.", schema: text, on: everyRow},
	{name: "traceparent", text: "The W3C trace that the request is part of.", schema: text, on: everyRow},
}

// answerHeaders are those that rows answer with, beside what a dialect says in headers.
var answerHeaders = []header{
	{name: "X-Request-Id", text: "What the server calls the request, in its logs and events.", schema: text, on: everyRow, status: anyStatus, always: true},
	{name: "X-Client-Request-Id", text: "The request's own X-Request-Id.", schema: text, on: everyRow, status: anyStatus},
	{name: "ETag", text: "Stands for what is shown, as it is now.", schema: etag, on: isOne, status: isSeen, always: true},
	{name: "X-Event-Position", text: "Where what was done stands in the history.", schema: number, on: isWrite, status: anyStatus},
	{name: "X-Read-Model", text: "Says that reads may not see yet what was done.", schema: map[string]any{"type": "string", "enum": []any{"pending"}}, on: isWrite, status: anyStatus},
	{name: "Idempotency-Replayed", text: "Says that this was done before, under the same key.", schema: map[string]any{"type": "string", "enum": []any{"true"}}, on: isKeyed, status: isOK},
	{name: "X-RateLimit-Limit", text: "How many such requests you may make in a while.", schema: number, on: everyRow, status: anyStatus},
	{name: "X-RateLimit-Remaining", text: "How many of them are left.", schema: number, on: everyRow, status: anyStatus},
	{name: "X-RateLimit-Reset", text: "When you may make all of them again, in seconds since 1970.", schema: number, on: everyRow, status: anyStatus},
	{name: "Retry-After", text: "How many seconds to wait before asking again.", schema: number, on: everyRow, status: retried, always: true},
	{name: "Retry-After", text: "How many seconds to wait before asking again, while a request with the same key is at work.", schema: number, on: isKeyed, status: func(s int) bool { return s == http.StatusConflict }, as: "RetryAfterInProgress"},
	{name: "WWW-Authenticate", text: "How to say who you are.", schema: text, on: everyRow, status: unknownWho, always: true},
}

// header refers to a header of requests.
func (d *document) header(h header) openapi31.ParameterOrReference {
	key := camel(h.name)
	d.Components.WithParametersItem(key, parameter(h.name, openapi31.ParameterInHeader, h.text, false, h.schema))
	return openapi31.ParameterOrReference{Reference: &openapi31.Reference{Ref: "#/components/parameters/" + key}}
}

// answered refers to a header of answers.
func (d *document) answered(h header) openapi31.HeaderOrReference {
	described := openapi31.Header{Schema: h.schema}
	described.WithDescription(h.text)
	if h.always {
		described.WithRequired(true)
	}
	key := cmp.Or(h.as, camel(h.name))
	d.Components.WithHeadersItem(key, openapi31.HeaderOrReference{Header: &described})
	return openapi31.HeaderOrReference{Reference: &openapi31.Reference{Ref: "#/components/headers/" + key}}
}

// headersOf are those of a row's answers with a status.
func (d *document) headersOf(r web.Route, status int) map[string]openapi31.HeaderOrReference {
	all := map[string]openapi31.HeaderOrReference{}
	for _, h := range answerHeaders {
		if h.on(r) && h.status(status) {
			all[h.name] = d.answered(h)
		}
	}
	return all
}
