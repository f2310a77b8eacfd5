package openapi

import (
	"net/http"
	"slices"

	"github.com/swaggest/openapi-go/openapi31"

	"gesta/http/web"
)

// answer is how a row answers when all went well.
type answer struct {
	schema  map[string]any // nil for no body
	headers []string       // that the dialect sets
}

// answer applies the dialect to a sample of what the row shows.
func (s surface) answer(r web.Route) (a answer, err error) {
	if r.Handler.Shown == nil {
		return a, nil
	}
	shown, h := sample(r.Handler.Shown, nil).Interface(), http.Header{}
	if s.Dialect.Envelope != nil {
		shown = s.Dialect.Envelope(h, shown)
	}
	for name := range h {
		a.headers = append(a.headers, name)
	}
	slices.Sort(a.headers)
	a.schema, err = s.shown.of(shown)
	return a, err
}

// dialectHeaders are those that dialects are known to set.
var dialectHeaders = map[string]header{
	"X-Total-Count": {text: "How many items there are on all pages.", schema: number},
}

func dialectHeader(name string) header {
	h, known := dialectHeaders[name]
	if !known {
		h = header{text: name, schema: text}
	}
	h.name, h.always = name, true
	return h
}

func (s surface) response(r web.Route, status int, a answer) (out openapi31.ResponseOrReference, err error) {
	if status >= http.StatusBadRequest {
		return s.refusal(r, status)
	}
	response := openapi31.Response{Description: http.StatusText(status), Headers: s.headersOf(r, status)}
	if status == r.Status {
		for _, name := range a.headers {
			response.Headers[name] = s.answered(dialectHeader(name))
		}
		if a.schema != nil {
			response.WithContentItem(web.JSON, openapi31.MediaType{Schema: a.schema, Examples: s.answers(r, status, web.JSON)})
		}
	}
	return openapi31.ResponseOrReference{Response: &response}, nil
}
