package web_test

import (
	"context"
	"errors"
	"net/http"
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

// serve answers one row of a surface under a limit.
func serve(limits map[string]web.Limit, now func() time.Time) http.Handler {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		_ = web.Problems.Refuse(c.Response(), web.FaultOf(err))
	}
	route := web.Post("/things", web.Anyone, does(func(*web.Request) (any, error) { return map[string]int{"n": 1}, nil }))
	host := web.Host{Limits: &web.Limiter{Limits: limits, Now: now}}
	e.Add(route.Method, route.Path, host.Serve(web.Surface{Name: "s"}, route))
	return e
}

func surfaceOf(paths ...string) web.Surface {
	s := web.Surface{Name: "s"}
	for _, p := range paths {
		s.Routes = append(s.Routes, web.Post(p, web.Anyone, web.Handler{}))
	}
	return s
}

// Whoever has one address of an IPv6 house has all of them.
func TestALimitCountsHouses(t *testing.T) {
	h := serve(map[string]web.Limit{"s POST /things": {Requests: 1, Per: time.Minute}}, time.Now)
	for _, c := range []struct {
		address string
		status  int
	}{{"[2001:db8::1]", 201}, {"[2001:db8::2]", 429}, {"[2001:db8:0:1::1]", 201}} {
		if w := ask(h, c.address); w.Code != c.status {
			t.Errorf("%s: %d", c.address, w.Code)
		}
	}
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

func ask(h http.Handler, address string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), "POST", "/things", nil)
	r.RemoteAddr = address + ":1"
	r.Header.Set("X-Forwarded-For", "9.9.9.9")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestLimits(t *testing.T) {
	limits, err := web.ParseLimits("s POST /things=2/1m", nil, surfaceOf("/things"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(600, 0)
	h := serve(limits, func() time.Time { return now })
	for i, want := range []struct {
		status    int
		remaining string
	}{{201, "1"}, {201, "0"}, {429, "0"}} {
		w := ask(h, "10.0.0.1")
		if w.Code != want.status || w.Header().Get("X-RateLimit-Remaining") != want.remaining || w.Header().Get("X-RateLimit-Reset") != "660" {
			t.Errorf("request %d: %d %v", i, w.Code, w.Header())
		}
	}
	if w := ask(h, "10.0.0.1"); w.Header().Get("Retry-After") != "60" || !strings.Contains(w.Body.String(), "rate_limit_exceeded") {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if w := ask(h, "10.0.0.2"); w.Code != 201 {
		t.Errorf("another address: %d", w.Code)
	}
	now = now.Add(2 * time.Minute)
	if w := ask(h, "10.0.0.1"); w.Code != 201 {
		t.Errorf("the next window: %d", w.Code)
	}
}

func TestParseLimits(t *testing.T) {
	over := map[string]web.Limit{"s POST /a": {Requests: 1, Per: time.Minute}}
	if got, err := web.ParseLimits("off", over); err != nil || len(got) != 0 {
		t.Errorf("off: %v %v", got, err)
	}
	got, err := web.ParseLimits("s POST /b=5/1h, s POST /a=9/1s", over, surfaceOf("/a", "/b"))
	if err != nil || got["s POST /b"] != (web.Limit{Requests: 5, Per: time.Hour}) || got["s POST /a"].Requests != 9 {
		t.Errorf("%v %v", got, err)
	}
	for _, text := range []string{"x", "s POST /a=5", "s POST /a=0/1m", "s POST /a=5/1ms", "POST /a=5/1m", "s POST /a=x/1m", "s POST /c=5/1m"} {
		if _, err := web.ParseLimits(text, nil, surfaceOf("/a", "/b")); err == nil {
			t.Errorf("%q is taken", text)
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
