package openapitest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gesta/http/openapi/openapitest"
)

const document = `{
	"openapi": "3.1.0", "info": {"title": "Things", "version": "1"},
	"paths": {
		"/things/{id}": {"put": {
			"parameters": [
				{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}},
				{"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1}},
				{"$ref": "#/components/parameters/Key"}
			],
			"requestBody": {"content": {"application/json": {"schema": {
				"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}
			}}}},
			"responses": {
				"200": {
					"description": "OK",
					"headers": {"X-Count": {"required": true, "schema": {"type": "integer"}}},
					"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Things"}}}
				},
				"204": {"description": "Nothing"},
				"400": {"$ref": "#/components/responses/Refusal"}
			}
		}},
		"/things/first": {"put": {"responses": {"204": {"description": "Nothing"}}}},
		"/zones/{rest}": {"put": {
			"parameters": [{"name": "rest", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^Europe/Kyiv$"}}],
			"responses": {"204": {"description": "Nothing"}}
		}},
		"/zones/of/{country}": {"put": {
			"parameters": [{"name": "country", "in": "path", "required": true, "schema": {"type": "string"}}],
			"responses": {"204": {"description": "Nothing"}}
		}}
	},
	"components": {
		"parameters": {"Key": {"name": "Key", "in": "header", "schema": {"type": "string", "maxLength": 3}}},
		"responses": {"Refusal": {"description": "No", "content": {"text/plain": {"schema": {"type": "string", "minLength": 1}}}}},
		"schemas": {"Things": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}, "Thing": {
			"type": "object", "required": ["name"],
			"properties": {"name": {"type": "string"}, "at": {"type": "string", "format": "date-time"}}
		}}
	}
}`

const id = "01997b3c-5a00-7000-8000-000000000001"

// said is an exchange that is as documented, but for what change makes of it.
func said(change func(*openapitest.Exchange)) openapitest.Exchange {
	e := openapitest.Exchange{
		Request:     httptest.NewRequest(http.MethodPut, "/things/"+id, nil),
		RequestBody: `{"name":"a","beside":1}`, Status: 200,
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Count": {"1"}},
		Body:   `[{"name":"a","at":"2026-01-02T15:04:05Z"}]`,
	}
	e.Request.Header.Set("Content-Type", "application/json")
	change(&e)
	return e
}

func TestWhatIsNotAsDocumentedIsTold(t *testing.T) {
	t.Parallel()
	checker, err := openapitest.New([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(e *openapitest.Exchange) {
		e.Status, e.Body, e.RequestBody = 400, "no", "{}" // A refused request may be as it likes.
		e.Header.Set("Content-Type", "text/plain")
	}
	encoded, err := url.Parse("/zones/Europe%2FKyiv")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*openapitest.Exchange)
		says   string // "" when all is well
	}{
		"as documented":           {func(*openapitest.Exchange) {}, ""},
		"a slash at the end":      {func(e *openapitest.Exchange) { e.Request.URL.Path += "/" }, ""},
		"a refusal":               {refused, ""},
		"no such path":            {func(e *openapitest.Exchange) { e.Request.URL.Path, e.Status = "/none", 404 }, ""},
		"the path that says more": {func(e *openapitest.Exchange) { e.Request.URL.Path, e.Status, e.Body = "/things/first", 204, "" }, ""},
		"no body where it may be": {func(e *openapitest.Exchange) { e.RequestBody = "" }, ""},
		"a path with a rest":      {func(e *openapitest.Exchange) { e.Request.URL.Path, e.Status, e.Body = "/zones/Europe/Kyiv", 204, "" }, ""},
		"that is encoded":         {func(e *openapitest.Exchange) { e.Request.URL, e.Status, e.Body = encoded, 204, "" }, ""},
		"that says less":          {func(e *openapitest.Exchange) { e.Request.URL.Path, e.Status, e.Body = "/zones/of/UA", 204, "" }, ""},
		"another rest":            {func(e *openapitest.Exchange) { e.Request.URL.Path, e.Status, e.Body = "/zones/Kyiv", 204, "" }, "pattern"},

		"another status":        {func(e *openapitest.Exchange) { e.Status = 201 }, "the status is not documented"},
		"another type":          {func(e *openapitest.Exchange) { e.Header.Set("Content-Type", "text/html") }, `"text/html" is not documented`},
		"no type":               {func(e *openapitest.Exchange) { e.Header.Del("Content-Type") }, "content type"},
		"no JSON":               {func(e *openapitest.Exchange) { e.Body = "[" }, "EOF"},
		"one field more":        {func(e *openapitest.Exchange) { e.Body = `[{"name":"a","secret":"b"}]` }, "additional properties 'secret'"},
		"one field less":        {func(e *openapitest.Exchange) { e.Body = `[{}]` }, "missing property 'name'"},
		"another type of field": {func(e *openapitest.Exchange) { e.Body = `[{"name":7}]` }, "want string"},
		"another form of text":  {func(e *openapitest.Exchange) { e.Body = `[{"name":"a","at":"now"}]` }, "date-time"},
		"null for a list":       {func(e *openapitest.Exchange) { e.Body = "null" }, "want array"},
		"a header is missing":   {func(e *openapitest.Exchange) { e.Header.Del("X-Count") }, "X-Count is missing"},
		"a header is no number": {func(e *openapitest.Exchange) { e.Header.Set("X-Count", "many") }, "is no number"},
		"a body where none is":  {func(e *openapitest.Exchange) { e.Status = 204 }, "no body is documented"},
		"an empty refusal":      {func(e *openapitest.Exchange) { refused(e); e.Body = "" }, "minLength"},
		"a body that was taken": {func(e *openapitest.Exchange) { e.RequestBody = "{}" }, "missing property 'name'"},
		"an id that was taken":  {func(e *openapitest.Exchange) { e.Request.URL.Path = "/things/7" }, "uuid"},
		"a page that was taken": {func(e *openapitest.Exchange) { e.Request.URL.RawQuery = "page=0" }, "parameter page"},
		"a header that was":     {func(e *openapitest.Exchange) { e.Request.Header.Set("Key", "long") }, "maxLength"},
		"a form that was taken": {func(e *openapitest.Exchange) { e.Request.Header.Set("Content-Type", "text/css") }, `"text/css" is not documented`},
	} {
		switch err := checker.Check(said(c.change)); {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: want %q, got %v", name, c.says, err)
		}
	}
}

func TestAHEADIsAGETWithoutItsBody(t *testing.T) {
	t.Parallel()
	checker, err := openapitest.New([]byte(strings.ReplaceAll(document, `"put"`, `"get"`)))
	if err != nil {
		t.Fatal(err)
	}
	e := said(func(e *openapitest.Exchange) { e.Request.Method, e.Body = http.MethodHead, "" })
	if err := checker.Check(e); err != nil {
		t.Error(err)
	}
	e.Status = 201
	if err := checker.Check(e); err == nil {
		t.Error("a status that is not documented is taken")
	}
}
