package accounts_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gesta/http/web"
	"gesta/http/web/webtest"
)

// Who guesses at one account from many addresses is refused in the same words whether or not there is such an account,
// however its address is written.
func TestGuessesAtAnAccountAreCounted(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	register(t, client, "user@example.com", "CU", "")
	stack.Limits = web.Limits{"accounts POST /auth/login": {Requests: 3, Per: 24 * time.Hour}}
	h := stack.Client(t, surface).Handler
	addresses := 0
	signIn := func(email, password string) *httptest.ResponseRecorder {
		body := fmt.Sprintf(`{"email":%q,"password":%q}`, email, password)
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/auth/login", strings.NewReader(body))
		addresses++
		r.RemoteAddr = fmt.Sprintf("10.0.0.%d:1", addresses)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for range 5 {
		if w := signIn("user@example.com", example["password"]); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	for i, want := range []int{401, 401, 401, 429} {
		known := signIn([]string{" USER@example.com", "user@example.com "}[i%2], "a wrong one")
		unknown := signIn([]string{"Nobody@example.com", " nobody@EXAMPLE.com"}[i%2], "a wrong one")
		left := known.Header().Get("X-RateLimit-Remaining")
		if known.Code != want || unknown.Code != want || known.Body.String() != unknown.Body.String() ||
			left == "" || left != unknown.Header().Get("X-RateLimit-Remaining") {
			t.Errorf("%d: %d %v %s, %d %v %s", i, known.Code, known.Header(), known.Body, unknown.Code, unknown.Header(), unknown.Body)
		}
	}
	if w := signIn("user@example.com", example["password"]); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// Whoever has somebody's token still has to know the password to change it, and can't guess at that from everywhere.
func TestGuessesAtACurrentPasswordAreCounted(t *testing.T) {
	t.Parallel()
	stack, client, surface := start(t)
	id, token, _ := register(t, client, "user@example.com", "CU", "")
	stack.Limits = web.Limits{"accounts PUT /users/:id#account": {Requests: 3, Per: 24 * time.Hour}}
	limited := stack.Client(t, surface)
	put := func(body map[string]string) int {
		return limited.Do(t, webtest.Call{Method: "PUT", Path: "/users/" + id, Token: token, Body: body}).Status
	}
	for i, want := range []int{400, 400, 400, 429} {
		if status := put(map[string]string{"password": "password456", "current_password": "a wrong one"}); status != want {
			t.Errorf("%d: %d", i, status)
		}
	}
	if status := put(map[string]string{"phone": "+1"}); status != 200 {
		t.Errorf("what takes no password: %d", status)
	}
}
