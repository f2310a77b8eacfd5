package accounts_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkGet and BenchmarkPut are a user by id and a new phone number, each by 64 clients at once, from
// the router down to a real Postgres.
func BenchmarkGet(b *testing.B) {
	race(b, func(path, token string) *http.Request { return request("GET", path, token, "") })
}

func BenchmarkPut(b *testing.B) {
	var n atomic.Int64
	race(b, func(path, token string) *http.Request {
		return request("PUT", path, token, fmt.Sprintf(`{"phone":"+%d"}`, n.Add(1)))
	})
}

func race(b *testing.B, next func(path, token string) *http.Request) {
	_, client, _ := start(b)
	const users = 64
	var paths, tokens []string
	for n := range users {
		id, access, _ := register(b, client, fmt.Sprintf("user%d@example.com", n), "CU", "")
		paths, tokens = append(paths, "/users/"+id), append(tokens, access)
	}
	var started atomic.Int64
	b.SetParallelism(users / 2)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		me := int(started.Add(1)-1) % users
		for pb.Next() {
			w := httptest.NewRecorder()
			client.Handler.ServeHTTP(w, next(paths[me], tokens[me]))
			if w.Code != http.StatusOK {
				b.Errorf("%d %s", w.Code, w.Body)
			}
		}
	})
}

// request is without what only a test's call would allocate.
func request(method, path, token, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return r
}
