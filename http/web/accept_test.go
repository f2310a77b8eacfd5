package web_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"gesta/http/web"
)

func TestQuality(t *testing.T) {
	for _, c := range []struct {
		accept string
		q      float64
		named  bool
	}{
		{"", 0, false},
		{"text/html, */*;q=0.8", 0, false},
		{"application/*", 0, false},
		{"application/problem+json", 1, true},
		{"Application/Problem+JSON ; charset=utf-8 ; Q=0.5, */*", 0.5, true},
		{"application/json,application/problem+json;q=0.1", 0.1, true},
		{"application/problem+json;q=0", 0, true},
		{"application/problem+json;q=0.2,application/problem+json;q=0.7", 0.7, true},
		{"application/problem+json;q=2", 0, true},
		{"application/problem+json;q=NaN", 0, true},
		{"application/problem+json;q=", 0, true},
		{"application/problem+jsonx, xapplication/problem+json", 0, false},
	} {
		if q, named := web.Quality([]string{"text/plain", c.accept}, web.ProblemJSON); q != c.q || named != c.named {
			t.Errorf("%q: %v %v", c.accept, q, named)
		}
	}
}

// A client that would rather have the surface's own words gets those.
func TestWhoWantsProblems(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/problem+json": true, "application/json, application/problem+json": true,
		"application/json;q=0.5, application/problem+json;q=0.6": true, "application/json, application/problem+json;q=0.1": false,
	} {
		r := httptest.NewRequestWithContext(context.Background(), "GET", "/", nil)
		r.Header.Set("Accept", accept)
		if web.WantsProblem(r) != want {
			t.Errorf("%q", accept)
		}
	}
}
