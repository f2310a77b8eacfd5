package web_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/http/web"
)

func TestOrigins(t *testing.T) {
	for text, want := range map[string]web.Origins{
		"":  nil,
		"*": {"*"},
		" https://App.example.com , http://localhost:8090,": {"https://app.example.com", "http://localhost:8090"},
		"http://[::1]:3000":     {"http://[::1]:3000"},
		"capacitor://localhost": {"capacitor://localhost"},
	} {
		var o web.Origins
		if err := o.UnmarshalText([]byte(text)); err != nil || !cmp.Equal(o, want) {
			t.Errorf("%q: %v %v", text, o, err)
		}
	}
	for _, text := range []string{
		"null", "example.com", "localhost:8090", "https://", "https://a.example/", "https://a.example/x", "https://u@a.example",
		"https://a.example?x", "https://a.example#x", "https://*.example", "https://a.example:443", "http://a.example:80", "http://a b",
	} {
		var o web.Origins
		if err := o.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %v", text, o)
		}
	}
}

func TestWhichOriginsAreAllowed(t *testing.T) {
	named := web.Origins{"https://a.example", "http://localhost:8090"}
	for _, c := range []struct {
		cors         web.CORS
		origin, want string
	}{
		{web.CORS{}, "https://a.example", ""},
		{web.CORS{}, "", ""},
		{web.CORS{Origins: named}, "", ""},
		{web.CORS{Origins: named}, "https://a.example", "https://a.example"},
		{web.CORS{Origins: named, Credentials: true}, "http://localhost:8090", "http://localhost:8090"},
		{web.CORS{Origins: named}, "http://a.example", ""},
		{web.CORS{Origins: named}, "https://a.example.evil.example", ""},
		{web.CORS{Origins: named}, "null", ""},
		{web.CORS{Origins: web.Origins{"*"}}, "https://b.example", "*"},
		{web.CORS{Origins: web.Origins{"*"}, Credentials: true}, "https://b.example", ""},
		{web.CORS{Origins: web.Origins{"*"}, Credentials: true}, "*", ""},
	} {
		if got := c.cors.Allowed(c.origin); got != c.want {
			t.Errorf("%+v %q: %q", c.cors, c.origin, got)
		}
	}
	if err := (web.CORS{Origins: web.Origins{"*"}, Credentials: true}).Err(); err == nil {
		t.Error("any page may use everybody's cookies")
	}
	if err := (web.CORS{Origins: named, Credentials: true}).Err(); err != nil {
		t.Error(err)
	}
}
