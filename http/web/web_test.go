package web_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"gesta/domain"
	"gesta/http/web"
)

type body struct {
	Email *string           `json:"email"`
	Count int               `json:"count"`
	Tags  []string          `json:"tags"`
	More  map[string]string `json:"more"`
}

// Whatever bytes arrive, they are refused with ErrBody or leave only text that a store can keep.
func FuzzBody(f *testing.F) {
	for _, s := range []string{"", "{}", `{"email":"a@b.c","count":1,"tags":["x"]}`, `{"email":"\u0000"}`, `{"email":"\\u0000"}`, "{\"email\":\"\xff\"}", `{"email":7}`, `[]`, `{}{}`, `{"more":{"\u0000":"x"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b body
		err := web.Decode(text, &b)
		if err != nil {
			if !errors.Is(err, web.ErrBody) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		said := b.Tags
		if b.Email != nil {
			said = append(said, *b.Email)
		}
		for k, v := range b.More {
			said = append(said, k, v)
		}
		for _, s := range said {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("%q leaves %q", text, s)
			}
		}
	})
}

func TestDecodeNamesTheField(t *testing.T) {
	var b body
	if err := web.Decode([]byte(`{"email":7}`), &b); err == nil || err.Error() != "invalid request body: email must not be a number" {
		t.Error(err)
	}
	var shared struct{ body }
	if err := web.Decode([]byte(`{"email":7}`), &shared); err == nil || err.Error() != "invalid request body: email must not be a number" {
		t.Errorf("within another struct: %v", err)
	}
	if err := web.Decode([]byte(`{"count":1234567.5}`), &b); err == nil || err.Error() != "invalid request body: count must not be such a number" {
		t.Error(err)
	}
	for _, text := range []string{`{"email":"\ud800"}`, `{"email":"\u0000"}`, `{"\udc00x":1}`, `{"email":"\ud800\ud800"}`, `{"email":"\ud800","more":{"x":"\ufffd"}}`, `{"email":"\ud83d\n\ude00"}`} {
		if err := web.Decode([]byte(text), &b); !errors.Is(err, web.ErrBody) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`{"email":"\ud83d\ude00"}`, `{"email":"\ufffd"}`, `{"email":"\u00e9"}`, `{"email":"\uD83D\uDE00x\\ud800"}`} {
		if err := web.Decode([]byte(text), &b); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := web.Decode([]byte(`{"email":"\\u0000"}`), &b); err != nil || *b.Email != `\u0000` {
		t.Errorf("%v %v", b.Email, err)
	}
}

// does makes a handler of one function.
func does(f func(*web.Request) (any, error)) web.Handler {
	return web.Handle(web.Reads(f), func(_ context.Context, v any) (any, error) { return v, nil }, func(v any) any { return v })
}

func TestTheOwnerOfAPathHasTheLongestPrefix(t *testing.T) {
	surfaces := []web.Surface{{Name: "a", Prefixes: []string{"/x"}}, {Name: "b", Prefixes: []string{"/x/y", "/z"}}}
	for path, want := range map[string]string{"/x": "a", "/x/q": "a", "/x/y": "b", "/x/y/q": "b", "/x/yq": "a", "/xx": "", "/": ""} {
		if got, _ := web.Owner(surfaces, path); got.Name != want {
			t.Errorf("%s is %q's", path, got.Name)
		}
	}
}

func TestContentTypes(t *testing.T) {
	e := echo.New()
	route := web.Post("/things", web.Anyone, does(func(r *web.Request) (any, error) { return 1, r.Body(&body{}) }))
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = web.Problems.Refuse(c.Response(), web.FaultOf(err)) }
	e.Add(route.Method, route.Path, web.Host{Limits: &web.Limiter{}}.Serve(web.Surface{Name: "s"}, route))
	for given, status := range map[string]int{
		"": 201, "application/json": 201, "Application/JSON; charset=UTF-8": 201,
		"text plain": 415, ";": 415, "application/json; charset=utf-16": 415, "text/json": 415, "multipart/form-data": 415,
	} {
		r := httptest.NewRequestWithContext(context.Background(), "POST", "/things", strings.NewReader("{}"))
		if given != "" {
			r.Header.Set("Content-Type", given)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%q: %d %s", given, w.Code, w.Body)
		}
	}
}

func TestABodyMayBeLeftOut(t *testing.T) {
	e := echo.New()
	route := web.Post("/things", web.Anyone, web.Handle(
		web.MayTake(func(_ *web.Request, b body) (int, error) { return b.Count, nil }),
		func(_ context.Context, count int) (int, error) { return count, nil }, func(count int) int { return count }))
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = web.Problems.Refuse(c.Response(), web.FaultOf(err)) }
	e.Add(route.Method, route.Path, web.Host{Limits: &web.Limiter{}}.Serve(web.Surface{Name: "s"}, route))
	for _, c := range []struct {
		contentType, body string
		status            int
		answer            string
	}{
		{"", "", 201, "0\n"},
		{"application/x-www-form-urlencoded", "", 201, "0\n"},
		{"application/json", " \n", 201, "0\n"},
		{"application/json", `{"count":7}`, 201, "7\n"},
		{"", "{}", 201, "0\n"},
		{"application/json", "{", 400, ""},
		{"application/json", "null", 400, ""},
		{"text/plain", `{"count":7}`, 415, ""},
		{"text/plain", strings.Repeat("x", web.MaxBody+1), 413, ""},
	} {
		r := httptest.NewRequestWithContext(context.Background(), "POST", "/things", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != c.status || c.status == 201 && w.Body.String() != c.answer {
			t.Errorf("%q %.20q: %d %s", c.contentType, c.body, w.Code, w.Body)
		}
	}
}

func TestARefusalSaysWhenToComeBack(t *testing.T) {
	w := httptest.NewRecorder()
	f := &domain.Fault{Kind: domain.Unavailable, Code: "busy", Text: "busy", Retry: 2 * time.Second}
	if err := web.Problems.Refuse(w, f); err != nil {
		t.Fatal(err)
	}
	if w.Code != 503 || w.Header().Get("Retry-After") != "2" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
