package openapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
	"gesta/http/openapi"
	"gesta/http/openapi/openapitest"
	"gesta/http/web"
	"gesta/projections"
)

// price is read as it is shown, but for what must be there.
type price struct {
	Minor    int    `json:"minor" required:"true"`
	Currency string `json:"currency"`
}

type thing struct {
	ID    string   `json:"id" format:"ulid"`
	Price price    `json:"price"`
	Was   *price   `json:"was"`
	Note  *string  `json:"note,omitempty"`
	Tags  []string `json:"tags"`
	Parts []thing  `json:"parts,omitempty"`
}

func (thing) Revision() (id.ID, int64) { return id.ID{}, 1 }

type offer struct {
	Price price `json:"price" required:"true"`
}

// envelope wraps everything.
type envelope struct {
	Status     string `json:"status" enum:"success"`
	Data       any    `json:"data"`
	Pagination *pages `json:"pagination,omitempty"`
}

type pages struct {
	Total int `json:"total"`
}

var shop = web.Surface{
	Name: "shop", Title: "Things for money", Prefixes: []string{"/things"},
	IDs: web.Spelling{Format: "ulid"},
	Dialect: web.Dialect{
		Envelope: func(h http.Header, shown any) any {
			if l, ok := shown.(web.Listed); ok {
				items, _, total := l.Listing()
				h.Set("X-Total-Count", strconv.Itoa(total))
				return envelope{"success", items, &pages{total}}
			}
			return envelope{Status: "success", Data: shown}
		},
		Fault: func(f *domain.Fault) web.Body {
			b := web.Body{Type: web.JSON, Value: map[string]any{"status": "error", "reason": f.Text}}
			if f.Kind == domain.Invalid {
				b.Status = http.StatusUnprocessableEntity
			}
			return b
		},
	},
	Routes: []web.Route{
		web.Get("/things", web.Anyone, web.Handle(web.Lists(20, 100, web.Filter{Column: "sort", Param: web.Param{Name: "sort", Text: "Only of a sort.", Enum: []string{"big", "small"}}}), nothing[projections.Query, web.List[thing]], same[web.List[thing]])).Does("List things"),
		web.Get("/things/:id", web.SignedIn, web.Handle(web.Reads(asked), nothing[string, thing], same[thing])).Does("Find a thing").Of("shop.thing"),
		web.Post("/things/:id/offers", web.Only("BO"), web.Handle(web.Takes(takes[offer]), nothing[offer, thing], same[thing])).Does("Offer a thing").Refuses(404),
		web.Delete("/things/:id", web.Only("BO", "CU"), web.Do(web.Reads(asked), func(context.Context, string) error { return nil })).Does("Take a thing back").Of("shop.thing"),
	},
	Authenticate: web.Bearer(func(context.Context, string) (identity.Caller, error) { return identity.Caller{}, nil }),
	Exchanges: fstest.MapFS{"wire/things.txt": {Data: []byte(`# a thing
GET /things/<id 1>
Authorization: Bearer <token 1>

200 OK
Content-Type: application/json

{"status":"success","data":{"id":"<id 1>"}}


# no thing
GET /things/none

404 Not Found
Content-Type: application/json

{"status":"error","reason":"not found"}


# an offer
POST /things/<id 1>/offers

{"price":{"minor":7}}

201 Created
Content-Type: application/json

{"status":"success","data":{"id":"<id 1>"}}


# an offer of nothing
POST /things/<id 1>/offers

{}

422 Unprocessable Entity
Content-Type: application/json

{"status":"error","reason":"invalid"}
`)}},
}

func nothing[In, Out any](context.Context, In) (out Out, err error) { return out, nil }
func same[T any](v T) T                                             { return v }
func asked(*web.Request) (string, error)                            { return "", nil }
func takes[B any](_ *web.Request, body B) (B, error)                { return body, nil }

// tree is a document, or a part of it.
type tree struct {
	t *testing.T
	v any
}

func describe(t *testing.T, surfaces ...web.Surface) (tree, []byte) {
	t.Helper()
	text, err := openapi.Document("Things", "v1", surfaces...)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return tree{t, v}, text
}

// at follows keys to a part.
func (d tree) at(keys ...string) any {
	v := d.v
	for _, key := range keys {
		if list, ok := v.([]any); ok {
			i, _ := strconv.Atoi(key)
			v = list[i]
			continue
		}
		fields, _ := v.(map[string]any)
		v = fields[key]
	}
	return v
}

// says compares the JSON of a part with what it should be; "" stands for nothing there.
func (d tree) says(want string, keys ...string) {
	d.t.Helper()
	got, err := json.Marshal(d.at(keys...))
	if err != nil {
		d.t.Fatal(err)
	}
	if want == "" {
		want = "null"
	}
	if string(got) != want {
		d.t.Errorf("%s:\n got %s\nwant %s", strings.Join(keys, " "), got, want)
	}
}

func TestADocumentSaysWhatARowTakesAndShows(t *testing.T) {
	t.Parallel()
	d, _ := describe(t, shop)
	d.says(`"v1"`, "info", "version")
	d.says(`[{"description":"Things for money.","name":"shop"}]`, "tags")

	list := []string{"paths", "/things", "get"}
	d.says(`"getThings"`, append(list, "operationId")...)
	d.says(`"List things"`, append(list, "summary")...)
	d.says(`"For anyone."`, append(list, "description")...)
	d.says(`[{},{"shop":[]}]`, append(list, "security")...)
	d.says(`{"default":20,"maximum":100,"minimum":1,"type":"integer"}`, append(list, "parameters", "1", "schema")...)
	d.says(`{"$ref":"#/components/headers/XTotalCount"}`, append(list, "responses", "200", "headers", "X-Total-Count")...)
	content := []string{"responses", "200", "content", "application/json", "schema"}
	d.says(`{"items":{"$ref":"#/components/schemas/OpenapiTestThing"},"type":"array"}`, append(append(list, content...), "properties", "data")...)
	d.says(`{"$ref":"#/components/schemas/OpenapiTestPages"}`, append(append(list, content...), "properties", "pagination")...)
	d.says(`["status","data"]`, append(append(list, content...), "required")...)

	one := []string{"paths", "/things/{id}", "get"}
	d.says(`[{"shop":[]}]`, append(one, "security")...)
	d.says(`{"in":"path","name":"id","required":true,"schema":{"format":"ulid","type":"string"}}`, append(one, "parameters", "0")...)
	d.says(`{"$ref":"#/components/schemas/OpenapiTestThing"}`, append(append(one, content...), "properties", "data")...)
	d.says(`"For `+"`BO`, `CU`"+` only."`, "paths", "/things/{id}", "delete", "description")
	d.says("", "paths", "/things/{id}", "delete", "responses", "204", "content")

	shown := []string{"components", "schemas", "OpenapiTestThing"}
	d.says(`["id","price","was","tags"]`, append(shown, "required")...)
	d.says(`{"anyOf":[{"type":"null"},{"$ref":"#/components/schemas/OpenapiTestPrice"}]}`, append(shown, "properties", "was")...)
	d.says(`{"items":{"type":"string"},"type":"array"}`, append(shown, "properties", "tags")...)
	d.says(`{"items":{"$ref":"#/components/schemas/OpenapiTestThing"},"type":"array"}`, append(shown, "properties", "parts")...)
	d.says(`["minor","currency"]`, "components", "schemas", "OpenapiTestPrice", "required")
	d.says(`["minor"]`, "components", "schemas", "OpenapiTestPriceInput", "required")
	d.says(`{"$ref":"#/components/schemas/OpenapiTestPriceInput"}`, "components", "schemas", "OpenapiTestOffer", "properties", "price")
}

func TestADocumentSaysHowARowRefuses(t *testing.T) {
	t.Parallel()
	d, text := describe(t, shop)
	for row, statuses := range map[string][]string{
		"/things get":              {"200", "401", "422", "429", "500", "503"},
		"/things/{id} get":         {"200", "304", "401", "404", "412", "422", "429", "500", "503"},
		"/things/{id}/offers post": {"201", "401", "403", "404", "409", "412", "413", "415", "422", "429", "500", "503"},
		"/things/{id} delete":      {"204", "401", "403", "404", "412", "422", "429", "500", "503"},
	} {
		path, method, _ := strings.Cut(row, " ")
		responses, _ := json.Marshal(d.at("paths", path, method, "responses"))
		var got map[string]any
		if err := json.Unmarshal(responses, &got); err != nil {
			t.Fatal(err)
		}
		for _, s := range statuses {
			if got[s] == nil {
				t.Errorf("%s: %s is missing", row, s)
			}
			delete(got, s)
		}
		if len(got) > 0 {
			t.Errorf("%s: %v are too many", row, got)
		}
	}
	refused := []string{"components", "responses", "ShopTooManyRequests"}
	d.says(`{"$ref":"#/components/headers/RetryAfter"}`, append(refused, "headers", "Retry-After")...)
	d.says(`{"properties":{"reason":{"type":"string"},"status":{"type":"string"}},"type":"object"}`, append(refused, "content", "application/json", "schema")...)
	d.says(`{"$ref":"#/components/schemas/WebProblem"}`, append(refused, "content", "application/problem+json", "schema")...)
	if _, err := openapitest.New(text); err != nil {
		t.Error(err)
	}
}

// An example would be of another type than its schema.
func TestOnlyParametersThatAreTextHaveExamples(t *testing.T) {
	t.Parallel()
	filtered := shop
	filtered.Routes = []web.Route{web.Get("/things", web.Anyone, web.Handle(web.Lists(20, 100,
		web.Filter{Column: "sort", Param: web.Param{Name: "sort"}}, web.Filter{Column: "new", Param: web.Param{Name: "new", Boolean: true}},
	), nothing[projections.Query, web.List[thing]], same[web.List[thing]])).Does("List things")}
	filtered.Exchanges = fstest.MapFS{"wire/x.txt": {Data: []byte("# some\nGET /things?sort=big&new=true&page_size=5\n\n200 OK\n")}}
	d, _ := describe(t, filtered)
	parameters := []string{"paths", "/things", "get", "parameters"}
	for i, want := range []string{`"page"`, `"page_size"`, `"sort"`, `"new"`} {
		d.says(want, append(parameters, strconv.Itoa(i), "name")...)
		example := map[string]string{`"sort"`: `"big"`}[want]
		d.says(example, append(parameters, strconv.Itoa(i), "example")...)
	}
}

func TestExamplesAreWhatTestsHaveSeen(t *testing.T) {
	t.Parallel()
	d, _ := describe(t, shop)
	offers := []string{"paths", "/things/{id}/offers", "post"}
	d.says(`{"an-offer":{"summary":"an offer","value":{"price":{"minor":7}}}}`, append(offers, "requestBody", "content", "application/json", "examples")...)
	d.says(`{"an-offer-of-nothing":{"summary":"an offer of nothing","value":{"reason":"invalid","status":"error"}}}`,
		append(offers, "responses", "422", "content", "application/json", "examples")...)
	d.says(`"01997b3c-5a00-7000-8000-000000000001"`, "paths", "/things/{id}", "get", "responses", "200", "content", "application/json",
		"examples", "a-thing", "value", "data", "id")

	broken := shop
	broken.Exchanges = fstest.MapFS{"wire/x.txt": {Data: []byte("# no answer\nGET /things\n")}}
	if _, err := openapi.Document("", "", broken); err == nil {
		t.Error("a file that can't be read is no error")
	}
}

func TestFilesShowNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	byPath, said := map[string]openapi.File{}, map[string]string{}
	for _, f := range openapi.Files("v1", shop) {
		text, err := f.Body()
		if err != nil {
			t.Fatal(err)
		}
		byPath[f.Path], said[f.Path] = f, string(text)
	}
	for path, says := range map[string]string{
		"/openapi.json": `"All APIs"`, "/openapi/shop.json": `"Things for money"`, "/docs": `src="/docs/page.js"`,
		"/docs/page.js": `"url":"/openapi/shop.json"`, "/docs/page.css": "nav", "/docs/scalar.js": "\x1f\x8b",
	} {
		if !strings.Contains(said[path], says) {
			t.Errorf("%s does not say %s", path, says)
		}
	}
	for _, path := range []string{"/docs", "/docs/page.js", "/docs/page.css"} {
		if body := said[path]; strings.Contains(body, "http:") || strings.Contains(body, "https:") || strings.Contains(body, `"//`) {
			t.Errorf("%s names another server", path)
		}
	}
	for _, off := range []string{"proxyUrl: ''", "telemetry: false", "agent: { disabled: true }", "mcp: { disabled: true }", "withDefaultFonts: false"} {
		if !strings.Contains(said["/docs/page.js"], off) {
			t.Errorf("the page does not say %s", off)
		}
	}
	policy := byPath["/docs"].Header.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self';", "img-src 'self' data:;", "font-src 'self' data:;"} {
		if !strings.Contains(policy, rule) {
			t.Errorf("the policy does not say %s", rule)
		}
	}
	if html := said["/docs"]; strings.Contains(html, "<style") || strings.Contains(html, "<script>") {
		t.Error("the page has something inline")
	}
}

// What is answered is checked through the dialect's own words.
func TestTheDocumentOfADialectHoldsItsAnswers(t *testing.T) {
	t.Parallel()
	_, text := describe(t, shop)
	checker, err := openapitest.New(text)
	if err != nil {
		t.Fatal(err)
	}
	e := openapitest.Exchange{
		Request: httptest.NewRequest(http.MethodGet, "/things", nil), Status: 200,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"1"}, "X-Total-Count": {"1"}},
		Body:   `{"status":"success","data":[{"id":"1","price":{"minor":1,"currency":"EUR"},"was":null,"tags":[]}],"pagination":{"total":1}}`,
	}
	if err := checker.Check(e); err != nil {
		t.Error(err)
	}
	e.Body = strings.Replace(e.Body, `"tags":[]`, `"tags":[],"secret":1`, 1)
	if err := checker.Check(e); err == nil {
		t.Error("a field that is not documented is taken")
	}
}
