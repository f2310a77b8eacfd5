// Package openapitest checks what is said on HTTP against an OpenAPI document.
package openapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Checker knows a document. Any number of tests may ask it at once.
type Checker struct {
	document map[string]any
	mu       sync.Mutex
	open     *jsonschema.Compiler // for requests, whose unknown fields are ignored
	closed   *jsonschema.Compiler // for answers, which have no field that is not documented
}

// base names the document to the compilers.
const base = "document.json"

// New reads a document.
func New(text []byte) (*Checker, error) {
	c := &Checker{}
	var err error
	if c.document, c.open, err = compiler(text, func(any) {}); err != nil {
		return nil, err
	}
	_, c.closed, err = compiler(text, closeObjects)
	return c, err
}

func compiler(text []byte, change func(any)) (map[string]any, *jsonschema.Compiler, error) {
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	document, ok := read.(map[string]any)
	if !ok {
		return nil, nil, errors.New("the document is no object")
	}
	change(read)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	return document, c, c.AddResource(base, read)
}

// closeObjects lets no object have a property that is not listed, unless it says otherwise.
func closeObjects(in any) {
	switch v := in.(type) {
	case map[string]any:
		_, lists := v["properties"].(map[string]any)
		if _, says := v["additionalProperties"]; lists && !says && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

// Exchange is a request and its answer.
type Exchange struct {
	Request     *http.Request
	RequestBody string
	Status      int
	Header      http.Header
	Body        string
}

// Check says what is not as documented: of an answer everything, of a request only what the server took although
// it is none of the document. Paths and methods that the document does not have are none of its business.
func (c *Checker) Check(e Exchange) error {
	o, found := c.operation(e.Request)
	if !found {
		return nil
	}
	errs := []error{c.checkAnswer(o, e)}
	if e.Status < http.StatusMultipleChoices {
		errs = append(errs, c.checkRequest(o, e))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s %s: %d is not as documented: %w", e.Request.Method, e.Request.URL.Path, e.Status, err)
	}
	return nil
}

func (c *Checker) checkAnswer(o operation, e Exchange) error {
	response, at, found := c.object(o.at, "responses", strconv.Itoa(e.Status))
	if !found {
		return errors.New("the status is not documented")
	}
	content, _ := response["content"].(map[string]any)
	errs := []error{c.checkHeaders(response, at, e.Header)}
	switch {
	case o.head:
	case content == nil && e.Body != "":
		errs = append(errs, errors.New("no body is documented"))
	case content != nil:
		errs = append(errs, c.checkBody(c.closed, content, at, e.Header.Get("Content-Type"), e.Body))
	}
	return errors.Join(errs...)
}

// ours are the headers that tell of what is this program's own doing: no answer has one that is not documented.
var ours = []string{
	"ETag", "Idempotency-Replayed", "Retry-After", "WWW-Authenticate", "X-Client-Request-Id", "X-Event-Position",
	"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Read-Model", "X-Request-Id", "X-Total-Count",
}

func (c *Checker) checkHeaders(response map[string]any, at pointer, h http.Header) error {
	headers, _ := response["headers"].(map[string]any)
	var errs []error
	for _, name := range ours {
		if headers[name] == nil && h.Get(name) != "" {
			errs = append(errs, fmt.Errorf("the header %s is not documented", name))
		}
	}
	for name := range headers {
		header, at, _ := c.object(at, "headers", name)
		switch value := h.Get(name); {
		case value == "" && header["required"] == true:
			errs = append(errs, fmt.Errorf("the header %s is missing", name))
		case value != "":
			errs = append(errs, c.checkText("header "+name, header, at, value))
		}
	}
	return errors.Join(errs...)
}

func (c *Checker) checkBody(with *jsonschema.Compiler, content map[string]any, at pointer, contentType, body string) error {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || content[media] == nil {
		return fmt.Errorf("the content type %q is not documented", contentType)
	}
	var value any = body
	if strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json") { // And no lines of it, as of x-ndjson.
		if value, err = jsonschema.UnmarshalJSON(strings.NewReader(body)); err != nil {
			return err
		}
	}
	return c.checkValue(with, at.to("content", media, "schema"), value)
}

func (c *Checker) checkRequest(o operation, e Exchange) error {
	var errs []error
	parameters, _ := o.described["parameters"].([]any)
	for i := range parameters {
		p, at, _ := c.object(o.at, "parameters", strconv.Itoa(i))
		errs = append(errs, c.checkParameter(o, p, at, e.Request))
	}
	if body, at, takes := c.object(o.at, "requestBody"); takes && (e.RequestBody != "" || body["required"] == true) {
		content, _ := body["content"].(map[string]any)
		contentType := e.Request.Header.Get("Content-Type")
		errs = append(errs, c.checkBody(c.open, content, at, contentType, e.RequestBody))
	}
	return errors.Join(errs...)
}

func (c *Checker) checkParameter(o operation, p map[string]any, at pointer, r *http.Request) error {
	name, _ := p["name"].(string)
	value := map[string]string{
		"path": o.path[name], "query": r.URL.Query().Get(name), "header": r.Header.Get(name),
	}[fmt.Sprint(p["in"])]
	switch {
	case value == "" && p["required"] == true:
		return fmt.Errorf("the parameter %s is missing", name)
	case value == "":
		return nil
	}
	return c.checkText("parameter "+name, p, at, value)
}

// checkText checks what is written as text and may stand for a number or a truth.
func (c *Checker) checkText(what string, of map[string]any, at pointer, text string) error {
	var value any = text
	schema, _ := of["schema"].(map[string]any)
	switch schema["type"] {
	case "integer", "number":
		value = json.Number(text)
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("%s: %q is no number", what, text)
		}
	case "boolean":
		if text == "true" || text == "false" {
			value = text == "true"
		}
	}
	if err := c.checkValue(c.open, at.to("schema"), value); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (c *Checker) checkValue(with *jsonschema.Compiler, schema pointer, value any) error {
	c.mu.Lock()
	compiled, err := with.Compile(base + "#" + schema.String())
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}
