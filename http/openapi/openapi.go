// Package openapi describes surfaces in OpenAPI 3.1, from their tables and the types on their wires.
package openapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/swaggest/openapi-go/openapi31"

	"gesta/http/web"
)

// Document describes surfaces, whose paths never collide, as of a version of the binary.
func Document(title, version string, surfaces ...web.Surface) ([]byte, error) {
	d := &document{
		Openapi: "3.1.0", Info: *(&openapi31.Info{Title: title, Version: version}).WithDescription(about),
		Servers: []openapi31.Server{{URL: "/"}}, Components: &openapi31.Components{},
	}
	for _, s := range surfaces {
		if err := d.add(s); err != nil {
			return nil, fmt.Errorf("openapi of %s: %w", s.Name, err)
		}
	}
	text, err := json.MarshalIndent((*openapi31.Spec)(d), "", "  ")
	return append(text, '\n'), err
}

// about is what is true of every row.
const about = "Every GET answers HEAD as well, without the body, unless the row says that it does not. Fields of a request that are not documented are ignored. " +
	"A write says in `X-Event-Position` where it stands in the history; a read that is given that number as " +
	"`X-Min-Position` sees it. Refusals are said as `application/problem+json` to whoever accepts that."

// document is one that is being written.
type document openapi31.Spec

// surface is what describes the rows of one surface.
type surface struct {
	*document
	web.Surface
	shown, read *schemas
	problem     map[string]any        // the schema of a refusal that is said as a problem
	refused     map[int]said          // by status
	exchanges   map[string][]exchange // by method and path of the row
}

func (d *document) add(s web.Surface) (err error) {
	p := surface{document: d, Surface: s, shown: newSchemas(nil), refused: map[int]said{}}
	p.read = newSchemas(p.shown)
	if p.exchanges, err = byRow(s); err != nil {
		return err
	}
	if p.problem, err = p.shown.of(web.Problem{}); err != nil {
		return err
	}
	d.Tags = append(d.Tags, *(&openapi31.Tag{Name: s.Name}).WithDescription(s.Title + "."))
	if s.Authenticate != nil {
		(*openapi31.Spec)(d).SetHTTPBearerTokenSecurity(s.Name, "JWT", "An access token that this API gave.")
	}
	answers := make([]answer, len(s.Routes))
	for i, r := range s.Routes { // Before any body is: types that are read have other names if they are shown as well.
		if answers[i], err = p.answer(r); err != nil {
			return fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
	}
	for i, r := range s.Routes {
		if err := p.addOperation(r, answers[i]); err != nil {
			return fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
	}
	for _, of := range []*schemas{p.shown, p.read} {
		for name, schema := range of.components {
			d.Components.WithSchemasItem(name, schema)
		}
	}
	return nil
}

// camel makes one name of the words of a text.
func camel(text string) string {
	var out strings.Builder
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !isAlphanumeric(r) }) {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
