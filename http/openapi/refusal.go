package openapi

import (
	"maps"
	"net/http"
	"strings"

	"github.com/swaggest/openapi-go/openapi31"

	"gesta/http/web"
)

// meanings are why requests are refused.
var meanings = map[int]string{
	http.StatusBadRequest:            "The request is not as documented.",
	http.StatusUnauthorized:          "Nobody known is asking: there is no token, or none that is good.",
	http.StatusForbidden:             "Who is asking may not.",
	http.StatusNotFound:              "There is no such thing, or not for who is asking.",
	http.StatusConflict:              "The thing is not in a state that allows it, or a request with the same key is still at work.",
	http.StatusPreconditionFailed:    "The thing is not any more what the request takes it to be.",
	http.StatusRequestEntityTooLarge: "The body has more than a mebibyte.",
	http.StatusUnsupportedMediaType:  "The body is not JSON in UTF-8.",
	http.StatusUnprocessableEntity:   "The request contradicts itself, the state of things, or an earlier one with its key.",
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
	content := map[string]openapi31.MediaType{web.Problem: {Schema: s.problem()}}
	content[how.contentType] = openapi31.MediaType{Schema: how.schema, Examples: examples}
	response := openapi31.Response{Description: http.StatusText(status), Headers: s.headersOf(r, status), Content: content}
	if meaning := meanings[status]; meaning != "" {
		response.Description = meaning
	}
	out.Response = &response
	if len(examples) > 0 {
		return out, nil
	}
	key := camel(s.Name) + camel(strings.ToLower(http.StatusText(status)))
	s.Components.WithResponsesItem(key, out)
	return openapi31.ResponseOrReference{Reference: &openapi31.Reference{Ref: "#/components/responses/" + key}}, nil
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

// problem refers to the schema of what RFC 9457 calls problem details.
func (d *document) problem() map[string]any {
	d.Components.WithSchemasItem("Problem", problem)
	return map[string]any{"$ref": "#/components/schemas/Problem"}
}

var problem = map[string]any{
	"type": "object", "description": "A refusal as RFC 9457 says it.",
	"required": []string{"type", "title", "status", "detail", "code"},
	"properties": map[string]any{
		"type":       described("Always about:blank.", map[string]any{"format": "uri-reference"}),
		"title":      described("The status in words.", nil),
		"status":     map[string]any{"type": "integer", "description": "The status of the answer."},
		"detail":     described("What is wrong, for people.", nil),
		"code":       described("What is wrong, for programs.", nil),
		"request_id": described("The X-Request-Id of the answer.", nil),
		"errors": map[string]any{
			"type": "array", "description": "What is wrong with single fields.",
			"items": map[string]any{
				"type": "object", "required": []string{"detail", "pointer"},
				"properties": map[string]any{
					"detail":  described("What is wrong with it.", nil),
					"pointer": described("Where it stands in the body, as a JSON pointer.", nil),
				},
			},
		},
	},
}

func described(text string, beside map[string]any) map[string]any {
	schema := map[string]any{"type": "string", "description": text}
	maps.Copy(schema, beside)
	return schema
}
