package openapi

import (
	"net/http"
	"strings"

	"github.com/swaggest/openapi-go/openapi31"

	"gesta/http/web"
)

// meanings are why requests are refused.
var meanings = map[int]string{
	http.StatusBadRequest:            "The request breaks a rule of form.",
	http.StatusUnauthorized:          "Nobody known is asking: there is no token, or none that is good.",
	http.StatusForbidden:             "Who is asking may not.",
	http.StatusNotFound:              "There is no such thing, or not for who is asking.",
	http.StatusConflict:              "The thing is not in a state that allows it, or a request with the same key is still at work.",
	http.StatusPreconditionFailed:    "The thing is not any more what the request takes it to be.",
	http.StatusRequestEntityTooLarge: "The body has more than a mebibyte.",
	http.StatusUnsupportedMediaType:  "The body is not JSON in UTF-8.",
	http.StatusUnprocessableEntity:   "The request contradicts an earlier one with its key.",
	http.StatusTooManyRequests:       "You have asked too often.",
	http.StatusInternalServerError:   "Something is wrong here.",
	http.StatusServiceUnavailable:    "This can't be answered at the moment; what was asked may have been done.",
}

// refusal is said in the dialect, or as RFC 9457 does. What no exchange has shown is the same for all rows of a
// surface.
func (s surface) refusal(r web.Route, status int) (out openapi31.ResponseOrReference, err error) {
	how, err := s.refuses(status)
	if err != nil {
		return out, err
	}
	examples := s.answers(r, status, how.contentType)
	content := map[string]openapi31.MediaType{web.ProblemJSON: {Schema: s.problem, Examples: s.answers(r, status, web.ProblemJSON)}}
	content[how.contentType] = openapi31.MediaType{Schema: how.schema, Examples: examples}
	response := openapi31.Response{Description: http.StatusText(status), Headers: s.headersOf(r, status), Content: content}
	if meaning := meanings[status]; meaning != "" {
		response.Description = meaning
	}
	out.Response = &response
	if len(examples) > 0 {
		return out, nil
	}
	key := camel(s.Name) + camel(strings.ToLower(http.StatusText(status))) + class(r)
	s.Components.WithResponsesItem(key, out)
	return openapi31.ResponseOrReference{Reference: &openapi31.Reference{Ref: "#/components/responses/" + key}}, nil
}

// class tells rows apart whose answers have other headers.
func class(r web.Route) string {
	switch {
	case isKeyed(r):
		return "Keyed"
	case isWrite(r):
		return "Write"
	}
	return ""
}

// said is how something is said.
type said struct {
	contentType string
	schema      map[string]any
}

// refuses tells how the dialect refuses with a status.
func (s surface) refuses(status int) (how said, err error) {
	if how, known := s.refused[status]; known {
		return how, nil
	}
	body := s.Dialect.Refusal(status)
	how.contentType = body.Type
	how.schema, err = s.shown.of(body.Value)
	s.refused[status] = how
	return how, err
}
