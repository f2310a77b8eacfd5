package web_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gesta/domain"
	"gesta/http/web"
)

// serve answers one row of a surface under a limit.
func serve(limits map[string]web.Limit, now func() time.Time) http.Handler {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		_ = web.Problems.Refuse(c.Response(), web.FaultOf(err))
	}
	route := web.Post("/things", web.Anyone, does(func(*web.Request) (any, error) { return map[string]int{"n": 1}, nil }))
	host := web.Host{Limits: &web.Limiter{Limits: limits, Counter: &web.Counts{Now: now}, Now: now}}
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
	h := serve(map[string]web.Limit{"s POST /things": {Requests: 1, Per: time.Minute}}, func() time.Time { return time.Unix(600, 0) })
	for _, c := range []struct {
		address string
		status  int
	}{{"[2001:db8::1]", 201}, {"[2001:db8::2]", 429}, {"[2001:db8:0:1::1]", 201}} {
		if w := ask(h, c.address); w.Code != c.status {
			t.Errorf("%s: %d", c.address, w.Code)
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
	got, err = web.ParseLimits("s POST /a=off", over, surfaceOf("/a", "/b"))
	if err != nil || got["s POST /a"] != (web.Limit{}) || got.Longest() != 0 {
		t.Errorf("a row that is off: %v %v", got, err)
	}
	for _, text := range []string{"x", "s POST /a=5", "s POST /a=0/1m", "s POST /a=5/1ms", "s POST /a=5/1500ms", "POST /a=5/1m", "s POST /a=x/1m", "s POST /c=5/1m", "s POST /a=1/25h", "s POST /c=off", "s POST /a#account=5/1m", "s POST /a", "s POST /a=on"} {
		if _, err := web.ParseLimits(text, nil, surfaceOf("/a", "/b")); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// broken counts nothing.
type broken struct{ err error }

func (b broken) Add(context.Context, string, int, time.Time) (int, error) { return 0, b.err }

// What can't be counted passes, and says nothing that is not known.
func TestUncountedRequestsPass(t *testing.T) {
	for reason, err := range map[string]error{"away": web.Uncounted("away"), "failed": errors.New("anything")} {
		s := newSafe(web.Limits{"s POST /open": {Requests: 1, Per: time.Minute}}, broken{err})
		for range 3 {
			if w := s.try("10.0.0.1", "ann", "right"); w.Code != 201 || w.Header().Get("X-RateLimit-Limit") != "" {
				t.Errorf("%s: %d %v", reason, w.Code, w.Header())
			}
		}
		if err := s.metric(t, `gesta_rate_limit_uncounted_total{reason="`+reason+`"} 6`); err != nil {
			t.Error(err)
		}
	}
}

// safe is a row that a password opens.
type safe struct {
	http.Handler
	now     time.Time
	opened  int // how often somebody with a password was listened to
	metrics *prometheus.Registry
}

type key struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

var errClosed = &domain.Fault{Kind: domain.Unauthenticated, Code: "closed", Text: "closed", Guess: true}

func newSafe(limits web.Limits, c web.Counter) *safe {
	s := &safe{now: time.Unix(600, 0), metrics: prometheus.NewRegistry()}
	if c == nil {
		c = &web.Counts{Now: s.clock}
	}
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = web.Problems.Refuse(c.Response(), web.FaultOf(err)) }
	l := &web.Limiter{Limits: limits, Counter: c, Now: s.clock}
	l.Observe(s.metrics)
	route := s.route()
	e.Add(route.Method, route.Path, web.Host{Limits: l}.Serve(web.Surface{Name: "s", Routes: []web.Route{route}}, route))
	s.Handler = e
	return s
}

func (s *safe) clock() time.Time { return s.now }

func (s *safe) route() web.Route {
	reading := web.Takes(func(_ *web.Request, in key) (key, error) {
		if in.Name = strings.ToLower(in.Name); in.Name == "" {
			return in, web.ErrBody
		}
		return in, nil
	}).Names(func(in key) string { return in.Name })
	return web.Post("/open", web.Anyone, web.Do(reading, s.open))
}

func (s *safe) open(_ context.Context, k key) error {
	s.opened++
	if k.Password != "right" {
		return errClosed
	}
	return nil
}

func (s *safe) try(address, name, password string) *httptest.ResponseRecorder {
	body := `{"name":"` + name + `","password":"` + password + `"}`
	r := httptest.NewRequestWithContext(context.Background(), "POST", "/open", strings.NewReader(body))
	r.RemoteAddr = address + ":1"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// metric answers an error unless the metrics hold a line.
func (s *safe) metric(t *testing.T, line string) error {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if !strings.Contains(w.Body.String(), line+"\n") {
		return errors.New("not " + line + ": " + w.Body.String())
	}
	return nil
}

// Who tries the password of one account from many addresses is stopped, before anybody listens; who knows it, is not
// while tries are left.
func TestFailedTriesCountAgainstAnAccount(t *testing.T) {
	s := newSafe(web.Limits{"s POST /open": {Requests: 100, Per: time.Minute}, "s POST /open#account": {Requests: 2, Per: time.Hour}}, nil)
	for i, c := range []struct {
		address, name, password string
		status                  int
		limit, remaining        string
	}{
		{"10.0.0.1", "ann", "right", 201, "2", "2"},
		{"10.0.0.2", "ann", "wrong", 401, "2", "1"},
		{"10.0.0.3", "ANN", "right", 201, "2", "1"},
		{"10.0.0.4", "Ann", "wrong", 401, "2", "0"},
		{"10.0.0.5", "ann", "wrong", 429, "2", "0"},
		{"10.0.0.6", "ann", "right", 429, "2", "0"},
		{"10.0.0.7", "bob", "wrong", 401, "2", "1"},
		{"10.0.0.7", "", "wrong", 400, "100", "98"},
	} {
		w := s.try(c.address, c.name, c.password)
		h := w.Header()
		if w.Code != c.status || h.Get("X-RateLimit-Limit") != c.limit || h.Get("X-RateLimit-Remaining") != c.remaining {
			t.Errorf("%d: %d %v %s", i, w.Code, h, w.Body)
		}
	}
	if w := s.try("10.0.0.8", "ann", "right"); w.Header().Get("Retry-After") != "3000" || w.Header().Get("X-RateLimit-Reset") != "3600" {
		t.Errorf("%v", w.Header())
	}
	if s.opened != 5 {
		t.Errorf("%d were listened to", s.opened)
	}
	if err := s.metric(t, `gesta_rate_limited_total{by="account",method="POST",route="/open",surface="s"} 3`); err != nil {
		t.Error(err)
	}
	s.now = s.now.Add(time.Hour)
	if w := s.try("10.0.0.1", "ann", "right"); w.Code != 201 {
		t.Errorf("an hour later: %d", w.Code)
	}
}

// One limit stands for both, and what an address may not ask counts against no account.
func TestOneAddressCannotUseUpAnAccount(t *testing.T) {
	s := newSafe(web.Limits{"s POST /open": {Requests: 3, Per: time.Minute}}, nil)
	for i, want := range []int{201, 201, 401, 429, 429, 429} {
		if w := s.try("10.0.0.1", "ann", map[int]string{201: "right"}[want]); w.Code != want {
			t.Errorf("%d: %d", i, w.Code)
		}
	}
	if w := s.try("10.0.0.2", "ann", "right"); w.Code != 201 || w.Header().Get("X-RateLimit-Remaining") != "2" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if err := s.metric(t, `gesta_rate_limited_total{by="address",method="POST",route="/open",surface="s"} 3`); err != nil {
		t.Error(err)
	}
}

func TestTheLimitOfAnAccountIsSetApart(t *testing.T) {
	surface := web.Surface{Name: "s", Routes: []web.Route{new(safe).route()}}
	for text, want := range map[string]web.Limits{
		"s POST /open=5/1m, s POST /open#account = 20/1h": {"s POST /open": {5, time.Minute}, "s POST /open#account": {20, time.Hour}},
		"s POST /open#account=off":                        {"s POST /open#account": {}},
	} {
		if got, err := web.ParseLimits(text, nil, surface); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	s := newSafe(web.Limits{"s POST /open": {Requests: 9, Per: time.Minute}, "s POST /open#account": {}}, nil)
	for i := range 9 {
		if w := s.try("10.0.0.1", "ann", "wrong"); w.Code != 401 {
			t.Errorf("%d: %d", i, w.Code)
		}
	}
	if w := s.try("10.0.0.2", "ann", "wrong"); w.Code != 401 || w.Header().Get("X-RateLimit-Remaining") != "8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestDocumentsNameLimits(t *testing.T) {
	surface := web.Surface{Name: "s", Routes: []web.Route{
		web.Post("/in", web.Anyone, web.Handler{}).Limited(5, time.Minute).GivesTokens(),
		web.Post("/on", web.Anyone, web.Handler{}).GivesTokens(), web.Post("/by", web.Anyone, web.Handler{}),
	}}
	all := []web.Surface{surface}
	documented := web.DocumentedLimits(all)
	if want := (web.Limits{"s POST /in": {5, time.Minute}}); !maps.Equal(documented, want) {
		t.Errorf("%v", documented)
	}
	if rows := documented.Unlimited(all); len(rows) != 1 || rows[0] != "s POST /on" {
		t.Errorf("%v", rows)
	}
	if hardened := web.LimitCredentials(all, web.Limit{Requests: 1, Per: time.Second}); len(hardened) != 2 {
		t.Errorf("%v", hardened)
	}
}
