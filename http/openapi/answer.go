package openapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

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
	if s.Dialect.Envelope != nil && r.Handler.Type == "" {
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

// formOf describes what is written bit by bit; only what is JSON as a whole has a form of its own.
func formOf(f web.Form) openapi31.MediaType {
	schema := map[string]any{"type": "string", "description": f.Text}
	if strings.HasSuffix(f.Type, "+json") {
		schema = map[string]any{"type": "array", "items": map[string]any{"type": "object"}, "description": f.Text}
	}
	return openapi31.MediaType{Schema: schema}
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
			is := cmp.Or(r.Handler.Type, web.JSON)
			response.WithContentItem(is, openapi31.MediaType{Schema: a.schema, Examples: s.answers(r, status, is)})
		}
		for _, f := range r.Handler.Forms {
			response.WithContentItem(f.Type, formOf(f))
		}
	}
	return openapi31.ResponseOrReference{Response: &response}, nil
}
