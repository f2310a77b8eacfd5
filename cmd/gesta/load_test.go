package main

import (
	"fmt"
	"testing"
	"time"

	"gesta/cmd/gesta/loadgen"
)

// capacity is how many requests a second are answered when there are never too many.
func capacity(l loadgen.Traffic, lasting time.Duration) float64 {
	return float64(len(loadgen.Answered(l.Send(16, 0, lasting), 200))) / lasting.Seconds()
}

// signUp makes users, and answers for each its path and a token.
func signUp(c client, from, to int) (paths, tokens []string) {
	c.t.Helper()
	for n := from; n < to; n++ {
		user := c.expect(201, "POST", "/users", "", registration(loadUser(n)))
		paths = append(paths, "/users/"+user.field("id"))
		tokens = append(tokens, c.expect(200, "POST", "/auth/login", "", credentials(loadUser(n))).field("access_token"))
	}
	return paths, tokens
}

func loadUser(n int) string { return fmt.Sprintf("load%d@example.com", n) }

// signIns are of users who do nothing else: who signs in often loses the sessions of before.
func signIns(from, to int) (requests [][]byte) {
	for n := from; n < to; n++ {
		requests = append(requests, loadgen.Message("POST", "/auth/login", "", credentials(loadUser(n))))
	}
	return requests
}

// mixed is a load of six reads and three changes for each sign-in.
func mixed(t *testing.T, address string) loadgen.Traffic {
	t.Helper()
	const users = 10
	c := client{t, "http://" + address}
	paths, tokens := signUp(c, 0, users)
	signUp(c, users, 2*users)
	logins := signIns(users, 2*users)
	var requests [][]byte
	for n := range 1000 {
		path, token := paths[n/10%users], tokens[n/10%users]
		switch {
		case n%10 == 0:
			requests = append(requests, logins[n/10%users])
		case n%10 < 4:
			requests = append(requests, loadgen.Message("PUT", path, token, map[string]string{"phone": fmt.Sprint(n)}))
		default:
			requests = append(requests, loadgen.Message("GET", path, token, nil))
		}
	}
	return loadgen.Traffic{Address: address, Request: loadgen.Repeat(requests)}
}
