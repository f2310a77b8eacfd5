package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"gesta/domain/id"
	"gesta/http/web"
	"gesta/projections"
)

var errWord = errors.New("must be a word")

func parseWord(s string) (string, error) {
	if s != "word" {
		return "", errWord
	}
	return s, nil
}

// answer asks one row; problems are what it refuses with.
func answer(route web.Route, path string) *httptest.ResponseRecorder {
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = web.Problems.Refuse(c.Response(), web.FaultOf(err)) }
	e.Add(route.Method, route.Path, web.Host{Limits: &web.Limiter{}}.Serve(web.Surface{Name: "s"}, route))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), "GET", path, nil))
	return w
}

func TestAWholeListIsWhatIsAskedFor(t *testing.T) {
	all := web.Whole[string]{All: []string{"Ab", "b", "C"}, Traits: []web.Trait[string]{
		{Param: web.Param{Name: "is"}, Of: func(s string) string { return s }},
		{Param: web.Param{Name: "long", Boolean: true}, Of: func(s string) string { return strconv.FormatBool(len(s) > 1) }},
	}}
	plain, within := web.Get("/things", web.Anyone, all.List()), web.Get("/things/:is", web.Anyone, all.ListOf("is"))
	for _, c := range []struct {
		route web.Route
		path  string
		want  []string
	}{
		{plain, "/things", all.All},
		{plain, "/things?is=AB", []string{"Ab"}},
		{plain, "/things?long=false&is=c", []string{"C"}},
		{plain, "/things?long=true&is=c", []string{}},
		{plain, "/things?is=unknown", []string{}},
		{within, "/things/ab?is=c", []string{"Ab"}},
		{within, "/things/ab?long=false", []string{}},
		{within, "/things/%00", []string{}},
	} {
		w := answer(c.route, c.path)
		var got []string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got == nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
	if w := answer(plain, "/things?long=maybe"); w.Code != 400 || !strings.Contains(w.Body.String(), `"parameter":"long"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if q := within.Handler.Query; len(q) != 1 || q[0].Name != "long" {
		t.Errorf("clients are told of %v", q)
	}
}

func TestAWordOfThePath(t *testing.T) {
	route := web.Get("/things/:kind", web.Anyone, web.Handle(web.Lists(20, 100).And(web.InPath("kind", parseWord)),
		func(_ context.Context, q projections.Query) ([]projections.Filter, error) { return q.Filters, nil },
		func(f []projections.Filter) []projections.Filter { return f }))
	if w := answer(route, "/things/word"); strings.TrimSpace(w.Body.String()) != `[{"Column":"kind","Value":"word"}]` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := answer(route, "/things/other")
	if w.Code != 400 || !strings.Contains(w.Body.String(), `"detail":"invalid path"`) || !strings.Contains(w.Body.String(), `"parameter":"kind"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestFieldsThatMayBeEmpty(t *testing.T) {
	for given, ok := range map[string]bool{"": true, " ": true, "word": true, "x": false} {
		if got, err := web.OrNone(parseWord)(given); (err == nil) != ok || ok && got != strings.TrimSpace(given) {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	var f web.Fields
	empty := ""
	f.Need("a", &empty)
	if err := f.Err(); err != nil {
		t.Error(err)
	}
	f.Need("b", nil)
	if err := f.Err(); err == nil || err.Error() != "invalid request body: b is required" {
		t.Error(err)
	}
}

func TestIDsOfFields(t *testing.T) {
	is := id.Named("is")
	for _, s := range []web.Spelling{web.ULID, web.UUID} {
		if got, err := s.Parse(s.Write(is)); err != nil || got != is {
			t.Errorf("%s, %v", got, err)
		}
		for _, bad := range []string{"", "x", s.Write(id.ID{})} {
			if _, err := s.Parse(bad); !errors.Is(err, web.ErrID) {
				t.Errorf("%s %q: %v", s.Format, bad, err)
			}
		}
		if text := s.Optional(&is); s.Optional(nil) != nil || *text != s.Write(is) {
			t.Errorf("%s: %s", s.Format, *text)
		}
	}
}
