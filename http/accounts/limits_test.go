package accounts_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gesta/http/web"
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
