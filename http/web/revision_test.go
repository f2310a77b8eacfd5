package web_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"gesta/domain/id"
	"gesta/http/web"
)

// word is something single, at its third version.
type word struct {
	Text string `json:"text"`
}

func (word) Revision() (id.ID, int64) { return id.Named("word"), 3 }

// ofWords answers GET /word by a row.
func ofWords(change func(web.Route) web.Route) *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = web.Problems.Refuse(c.Response(), web.FaultOf(err)) }
	read := web.Reads(func(*web.Request) (word, error) { return word{"hello"}, nil })
	same := func(_ context.Context, w word) (word, error) { return w, nil }
	r := change(web.Get("/word", web.Anyone, web.Handle(read, same, func(w word) word { return w })))
	e.Add(r.Method, r.Path, web.Host{Limits: &web.Limiter{}}.Serve(web.Surface{Name: "s"}, r))
	return e
}

func TestTags(t *testing.T) {
	plain := ofWords(func(r web.Route) web.Route { return r })
	kept := ofWords(func(r web.Route) web.Route { return r.Cacheable(time.Hour) })
	strong := askWord(plain, "", "").Header().Get("ETag")
	if !strings.HasPrefix(strong, `"3-`) || askWord(kept, "", "").Header().Get("ETag") != "W/"+strong {
		t.Errorf("%s, and %v", strong, askWord(kept, "", "").Header())
	}
	for _, c := range []struct {
		header, value string
		status        int
	}{
		{"If-None-Match", strong, 304},
		{"If-None-Match", "W/" + strong, 304},
		{"If-None-Match", "*", 304},
		{"If-None-Match", "W/*", 200},
		{"If-None-Match", `"3-00000000", ` + strong, 304},
		{"If-None-Match", `"3-00000000"`, 200},
		{"If-None-Match", "", 200},
		{"If-None-Match", `junk,,`, 200},
		{"If-Match", `junk`, 412},
		{"If-Match", `"2-00000000"`, 412},
	} {
		for name, h := range map[string]*echo.Echo{"strong": plain, "weak": kept} {
			if w := askWord(h, c.header, c.value); w.Code != c.status || w.Code == 304 && w.Body.Len() > 0 {
				t.Errorf("%s: %s: %s: %d", name, c.header, c.value, w.Code)
			}
		}
	}
	// Nobody changes by a weak tag what it may stand for.
	if askWord(plain, "If-Match", strong).Code != 200 || askWord(plain, "If-Match", "*").Code != 200 || askWord(plain, "If-Match", "W/"+strong).Code != 412 {
		t.Error("If-Match")
	}
}

func askWord(h *echo.Echo, header, value string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), "GET", "/word", nil)
	if value != "" {
		r.Header.Set(header, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
