package main

import (
	"net/http"
	"syscall"
	"testing"

	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
)

// A process is killed between the commit and the answer; whoever asks again, at another one, hears what was made.
func TestARequestOutlivesTheProcessThatTookIt(t *testing.T) {
	t.Parallel()
	i := install(t)
	doomed, one := i.serve(t, "api")
	_, other := i.serve(t, "api")
	projector, worker := i.serve(t, "relay,projector,policies")
	worker.expect(200, "GET", "/readyz", "", nil)
	before := one.settles()

	projector.signal(syscall.SIGSTOP) // So that the answer has to wait.
	defer projector.signal(syscall.SIGCONT)
	keyed := one.request("POST", "/users", "", registration("ann@example.com"))
	keyed.Header.Set("Idempotency-Key", "k")
	answered := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(keyed)
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	db := pgtest.Connect(t, i.owner)
	wait.Until(t, "it is committed", func() bool {
		var there bool
		if err := db.QueryRow(t.Context(), "select exists (select from gesta.idempotency where scope = 'request')").Scan(&there); err != nil {
			t.Fatal(err)
		}
		return there
	})
	doomed.kill()
	if err := <-answered; err == nil {
		t.Fatal("the answer was faster than the kill")
	}
	projector.signal(syscall.SIGCONT)

	again := other.request("POST", "/users", "", registration("ann@example.com"))
	again.Header.Set("Idempotency-Key", "k")
	a := other.send(again)
	if a.status != 201 || a.header.Get("Idempotency-Replayed") != "true" || a.field("email") != "ann@example.com" {
		t.Errorf("%d %v %s", a.status, a.header, a.text)
	}
	if all := i.exported(t, "identity.user.registered"); len(all) != before+1 {
		t.Errorf("%d users are registered", len(all))
	}
	token := other.expect(200, "POST", "/auth/login", "", credentials("ann@example.com")).field("access_token")
	other.expect(200, "GET", "/users/"+a.field("id"), token, nil)
}
