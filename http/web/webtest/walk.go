package webtest

import (
	"encoding/json"
	"iter"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gesta/domain/id"
	"gesta/http/web"
)

// Walk asks every row of a surface what no client should: nobody, with a token that is none, about
// what does not exist, in words that are none. Each row must refuse in the surface's own shape, with a
// status that it is documented to refuse with.
type Walk struct {
	Client  *Client
	Surface web.Surface
	// Token is a good one whose role may use every row.
	Token string
	// Powerless is a good one of the least role.
	Powerless string
	// Known are the ids of things that there are, by the kinds that rows are Of; or whole paths, by rows such as
	// "DELETE /users/:id/roles/:roleId".
	Known map[string]string
	// Open are the rows that answer any word in their path: "GET /countries/region/:region".
	Open []string
	// IsRefusal tells whether a body has the shape of the surface's refusals.
	IsRefusal func(text string) bool
}

// Run walks.
func (w Walk) Run(t *testing.T) {
	for _, route := range w.Surface.Routes {
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			t.Run("no token", func(t *testing.T) { w.noToken(t, route) })
			t.Run("wrong token", func(t *testing.T) { w.wrongToken(t, route) })
			t.Run("wrong role", func(t *testing.T) { w.wrongRole(t, route) })
			t.Run("unknown id", func(t *testing.T) { w.unknownID(t, route) })
			t.Run("broken body", func(t *testing.T) { w.brokenBody(t, route) })
			t.Run("broken key", func(t *testing.T) { w.brokenKey(t, route) })
			t.Run("outdated", func(t *testing.T) { w.outdated(t, route) })
		})
	}
	t.Run("paths without a row", w.noRow)
}

func (w Walk) noToken(t *testing.T, r web.Route) {
	if r.Access.Public {
		t.Skip("the row is public")
	}
	w.refused(t, r, Call{Path: path(r)}, http.StatusUnauthorized)
}

func (w Walk) wrongToken(t *testing.T, r web.Route) {
	w.refused(t, r, Call{Path: path(r), Token: "eyJhbGciOiJub25lIn0.e30."}, http.StatusUnauthorized)
	w.refused(t, r, Call{Path: path(r), Header: map[string]string{"Authorization": "Basic eDp5"}}, http.StatusUnauthorized)
}

func (w Walk) wrongRole(t *testing.T, r web.Route) {
	if !r.Access.IsRestricted() {
		t.Skip("the row is for every role")
	}
	w.refused(t, r, Call{Path: path(r), Token: w.Powerless}, http.StatusForbidden)
}

func (w Walk) unknownID(t *testing.T, r web.Route) {
	if !parameters.MatchString(r.Path) {
		t.Skip("the row has no id")
	}
	if slices.Contains(w.Open, rowOf(r)) {
		t.Skip("the row answers any word")
	}
	unknown := w.Surface.IDs.Write(id.Named("unknown"))
	for _, p := range []string{with(r, unknown), path(r), with(r, "%ff"), with(r, "%00")} {
		call := Call{Path: p, Token: w.Token}
		if w.takesBody(r) {
			call.Body = "{}"
		}
		w.refused(t, r, call, http.StatusNotFound, http.StatusBadRequest)
	}
}

func (w Walk) brokenBody(t *testing.T, r web.Route) {
	if !w.takesBody(r) {
		t.Skip("the row takes no body")
	}
	call := Call{Path: w.known(r), Token: w.Token}
	if r.Access.Public {
		call.Token = ""
	}
	broken := []string{"{", "[]", "null", "7", `"x"`, "{}{}", "{\"email\":\"\\u0000@example.com\"}", "{\"email\":\"\xff\"}", strings.Repeat("[", 100_000)}
	if !r.Handler.Spare {
		broken = append(broken, "")
	}
	for f := range fieldsOf(r.Handler.Body) {
		broken = append(broken, `{"`+f+`":[{}]}`)
	}
	for _, body := range broken {
		call.Body, call.Type = body, ""
		w.refused(t, r, call, http.StatusBadRequest)
	}
	call.Body = "{\"x\":\"" + strings.Repeat("x", 1<<20) + "\"}"
	w.refused(t, r, call, http.StatusRequestEntityTooLarge)
	call.Body, call.Type = "email=x", "application/x-www-form-urlencoded"
	w.refused(t, r, call, http.StatusUnsupportedMediaType)
}

func (w Walk) brokenKey(t *testing.T, r web.Route) {
	if !r.Keyed() {
		t.Skip("the row knows no keys")
	}
	if !r.Handler.Repeats() {
		t.Error("the row can't show anew what it has made: make it with web.Make")
	}
	call := Call{Path: w.known(r), Token: w.Token, Body: "{}"}
	for _, key := range []string{"", "\x7f", "é", strings.Repeat("k", 256)} {
		call.Header = map[string]string{"Idempotency-Key": key}
		w.refused(t, r, call, http.StatusBadRequest)
	}
	call.Header, call.Body = map[string]string{"Idempotency-Key": "k"}, `{"x":"`+strings.Repeat("x", 1<<20)+`"}`
	w.refused(t, r, call, http.StatusRequestEntityTooLarge)
}

// outdated asks for a change of what has changed.
func (w Walk) outdated(t *testing.T, r web.Route) {
	if !r.Changes() {
		t.Skip("the row changes nothing single")
	}
	call := Call{Path: w.known(r), Token: w.Token, Header: map[string]string{"If-Match": `"0-00000000-00000000"`}}
	if w.takesBody(r) {
		call.Body = "{}"
	}
	w.refused(t, r, call, http.StatusPreconditionFailed, http.StatusBadRequest, http.StatusForbidden, http.StatusConflict)
}

// noRow asks for paths that the surface owns and has no row for, and for methods that a path has not.
func (w Walk) noRow(t *testing.T) {
	for _, prefix := range w.Surface.Prefixes {
		w.refusedWith(t, Call{Method: http.MethodGet, Path: prefix + "/no/such/path"}, http.StatusNotFound)
	}
	for _, r := range w.Surface.Routes {
		a := w.refusedWith(t, Call{Method: http.MethodTrace, Path: path(r)}, http.StatusMethodNotAllowed)
		if !strings.Contains(a.Header.Get("Allow"), r.Method) {
			t.Errorf("%s: Allow: %q", r.Path, a.Header.Get("Allow"))
		}
	}
}

// refused expects one of the statuses, which the row must be documented to answer with.
func (w Walk) refused(t *testing.T, r web.Route, call Call, statuses ...int) {
	t.Helper()
	call.Method = r.Method
	a := w.refusedWith(t, call, statuses...)
	if !slices.Contains(w.Surface.Statuses(r), a.Status) {
		t.Errorf("%s %s refuses with %d, which is not documented", r.Method, r.Path, a.Status)
	}
}

func (w Walk) refusedWith(t *testing.T, call Call, statuses ...int) Answer {
	t.Helper()
	a := w.Client.Do(t, call)
	if !slices.Contains(statuses, a.Status) || !w.IsRefusal(a.Text) {
		t.Errorf("%s %s %.60q: %d %s", call.Method, call.Path, call.Body, a.Status, a.Text)
	}
	return a
}

func (w Walk) takesBody(r web.Route) bool { return r.Handler.Body != nil }

func rowOf(r web.Route) string { return r.Method + " " + r.Path }

// known is a path of something that there is.
func (w Walk) known(r web.Route) string {
	if whole := w.Known[rowOf(r)]; whole != "" {
		return whole
	}
	return with(r, w.Known[r.Thing.Kind])
}

// fieldsOf are the names of a body's fields that can hold no list of objects.
func fieldsOf(body reflect.Type) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, f := range reflect.VisibleFields(body) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && !yield(name) {
				return
			}
		}
	}
}

// path fills in what is no id.
func path(r web.Route) string { return with(r, "no-id") }

var parameters = regexp.MustCompile(`:\w+`)

// with fills in something for each parameter.
func with(r web.Route, value string) string {
	return parameters.ReplaceAllLiteralString(r.Path, value)
}

// IsObject tells whether a text is a JSON object with exactly the given keys.
func IsObject(text string, keys ...string) bool {
	var fields map[string]any
	if json.Unmarshal([]byte(text), &fields) != nil || len(fields) != len(keys) {
		return false
	}
	return !slices.ContainsFunc(keys, func(k string) bool { _, has := fields[k]; return !has })
}
