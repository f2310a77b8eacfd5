// Package webtest tests surfaces over the whole stack: a store and read models in a real Postgres, a
// projector, and the router.
package webtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/http/openapi/openapitest"
)

// UPDATE_GOLDEN=1 writes the golden files anew.
var update = os.Getenv("UPDATE_GOLDEN") != ""

// Client talks to a handler, and can keep what was said for a golden file.
type Client struct {
	Handler  http.Handler
	Document *openapitest.Checker // of all that is said; nil to check nothing
	log      strings.Builder
}

// Call is one request. A Body that is no string is sent as JSON.
type Call struct {
	Method, Path string
	Token        string
	Type         string // content type; JSON when there is a body and none is given
	Header       map[string]string
	Body         any
}

// Answer is what came back.
type Answer struct {
	Status     int
	Header     http.Header
	Text       string
	RoundTrips int64 // to Postgres, beside the appender's own
}

// JSON reads the body into a value.
func (a Answer) JSON(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Text), into); err != nil {
		t.Fatalf("%v in %s", err, a.Text)
	}
}

// Field is a text field of a JSON object, or of one inside, as in data.user.id.
func (a Answer) Field(t testing.TB, path string) string {
	t.Helper()
	var at any
	a.JSON(t, &at)
	for name := range strings.SplitSeq(path, ".") {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	s, ok := at.(string)
	if !ok {
		t.Fatalf("no %q in %s", path, a.Text)
	}
	return s
}

// Do makes a call.
func (c *Client) Do(t testing.TB, call Call) Answer {
	t.Helper()
	r := call.request(t)
	ctx, trips := counting(r.Context())
	w := httptest.NewRecorder()
	c.Handler.ServeHTTP(w, r.WithContext(ctx))
	a := Answer{Status: w.Code, Header: w.Header(), Text: w.Body.String(), RoundTrips: trips.Load()}
	if c.Document != nil {
		if err := c.Document.Check(Said(t, call, a)); err != nil {
			t.Error(err)
		}
	}
	return a
}

// Said puts a call and its answer together, for who checks them.
func Said(t testing.TB, call Call, a Answer) openapitest.Exchange {
	t.Helper()
	return openapitest.Exchange{
		Request: call.request(t), RequestBody: call.body(t), Status: a.Status, Header: a.Header, Body: a.Text,
	}
}

// Say makes a call and keeps both sides of it for Golden.
func (c *Client) Say(t testing.TB, title string, call Call) Answer {
	t.Helper()
	a := c.Do(t, call)
	fmt.Fprintf(&c.log, "# %s\n%s %s\n", title, call.Method, call.Path)
	if call.Token != "" {
		fmt.Fprintf(&c.log, "Authorization: Bearer %s\n", call.Token)
	}
	for _, name := range slices.Sorted(maps.Keys(call.Header)) {
		fmt.Fprintf(&c.log, "%s: %s\n", name, call.Header[name])
	}
	if body := call.body(t); body != "" {
		fmt.Fprintf(&c.log, "\n%s\n", body)
	}
	fmt.Fprintf(&c.log, "\n%d %s\n%s", a.Status, http.StatusText(a.Status), shownHeaders(a.Header))
	if a.Text != "" {
		fmt.Fprintf(&c.log, "\n%s", a.Text)
	}
	c.log.WriteString("\n\n")
	return a
}

// Golden compares everything said so far with a file in testdata, in which ids, tokens and times have
// names; UPDATE_GOLDEN writes it.
func (c *Client) Golden(t testing.TB, name string) {
	t.Helper()
	path := filepath.Join("testdata", "wire", name+".txt")
	got := named(c.log.String())
	if update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func (call Call) request(t testing.TB) *http.Request {
	t.Helper()
	r := httptest.NewRequest(call.Method, call.Path, io.NopCloser(strings.NewReader(call.body(t))))
	if call.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if call.Type != "" {
		r.Header.Set("Content-Type", call.Type)
	}
	if call.Token != "" {
		r.Header.Set("Authorization", "Bearer "+call.Token)
	}
	for name, value := range call.Header {
		r.Header.Set(name, value)
	}
	return r
}

func (call Call) body(t testing.TB) string {
	t.Helper()
	switch b := call.Body.(type) {
	case nil:
		return ""
	case string:
		return b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// shown are the headers that are part of what a document promises.
var shown = []string{"Content-Type", "Allow", "Retry-After", "Www-Authenticate", "X-Total-Count", "ETag", "Idempotency-Replayed", "Link"}

func shownHeaders(h http.Header) string {
	var out strings.Builder
	for _, name := range slices.Sorted(slices.Values(shown)) {
		if value := h.Get(name); value != "" {
			fmt.Fprintf(&out, "%s: %s\n", name, value)
		}
	}
	return out.String()
}

// volatile is what differs from run to run.
var volatile = []struct {
	name    string
	pattern *regexp.Regexp
	counted bool
}{
	{"sealed", regexp.MustCompile(`sealed:\d+:[\w-]+`), false},
	{"token", regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), true},
	{"id", regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`), true},
	{"etag", regexp.MustCompile(`"\d+-[0-9a-f]{8}-[0-9a-f]{8}"`), true},
	{"request", regexp.MustCompile(`\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b`), true},
	{"code", regexp.MustCompile(`\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b`), true},
	{"trace", regexp.MustCompile(`\b00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\b`), false},
	{"time", regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), false},
}

// named gives each id and token a name by the order in which they were first said.
func named(text string) string {
	for _, v := range volatile {
		names := map[string]string{}
		text = v.pattern.ReplaceAllStringFunc(text, func(found string) string {
			if !v.counted {
				return "<" + v.name + ">"
			}
			if names[found] == "" {
				names[found] = fmt.Sprintf("<%s %d>", v.name, len(names)+1)
			}
			return names[found]
		})
	}
	return text
}
