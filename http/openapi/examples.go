package openapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"gesta/http/web"

	"github.com/swaggest/openapi-go/openapi31"
)

// enough examples of one thing.
const enough = 3

// requests are examples of what a row takes, and takes well.
func (s surface) requests(r web.Route) map[string]openapi31.ExampleOrReference {
	return examples(s.of(r), func(e exchange) (string, bool) {
		return e.body, e.status < http.StatusBadRequest && says(e.body, r.Handler.Body)
	})
}

// says tells whether a body has no field that is ignored.
func says(body string, as typed) bool {
	in := json.NewDecoder(strings.NewReader(body))
	in.DisallowUnknownFields()
	return in.Decode(reflect.New(as).Interface()) == nil
}

// answers are examples of how a row answers with a status.
func (s surface) answers(r web.Route, status int, contentType string) map[string]openapi31.ExampleOrReference {
	return examples(s.of(r), func(e exchange) (string, bool) {
		return e.answer, e.status == status && e.contentType == contentType
	})
}

// examples picks the first few that differ.
func examples(of []exchange, pick func(exchange) (text string, picked bool)) map[string]openapi31.ExampleOrReference {
	var all map[string]openapi31.ExampleOrReference
	said := map[string]bool{}
	for _, e := range of {
		text, picked := pick(e)
		if !picked || said[text] || text == "" || len(all) == enough {
			continue
		}
		said[text] = true
		if all == nil {
			all = map[string]openapi31.ExampleOrReference{}
		}
		example := openapi31.Example{}
		example.WithSummary(e.title).WithValue(valueOf(text))
		all[slug(e.title)] = openapi31.ExampleOrReference{Example: &example}
	}
	return all
}

// valueOf is what JSON stands for, in its own order, or text as it is.
func valueOf(text string) any {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

func slug(title string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return !isAlphanumeric(r) }), "-")
}
