package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gesta/http/server"
	"gesta/http/web"
)

// Who was counted shows in whose second request is refused.
func TestWhereARequestComesFrom(t *testing.T) {
	for name, c := range map[string]struct {
		trusted, peer string
		forwarded     []string // headers
		client        string
	}{
		"nobody is trusted":          {"", "10.0.0.1:5", []string{"9.9.9.9"}, "10.0.0.1"},
		"a stranger":                 {"10.0.0.0/8", "11.0.0.1:5", []string{"9.9.9.9"}, "11.0.0.1"},
		"a proxy":                    {"10.0.0.0/8", "10.0.0.1:5", []string{"9.9.9.9"}, "9.9.9.9"},
		"a proxy without a word":     {"10.0.0.0/8", "10.0.0.1:5", nil, "10.0.0.1"},
		"a client that lies":         {"10.0.0.0/8", "10.0.0.1:5", []string{"1.1.1.1, 9.9.9.9"}, "9.9.9.9"},
		"a client that lies apart":   {"10.0.0.0/8", "10.0.0.1:5", []string{"1.1.1.1", "9.9.9.9"}, "9.9.9.9"},
		"two proxies":                {"10.0.0.0/8, 192.0.2.7", "10.0.0.1:5", []string{"1.1.1.1, 9.9.9.9, 192.0.2.7"}, "9.9.9.9"},
		"two proxies, two headers":   {"10.0.0.0/8, 192.0.2.7", "10.0.0.1:5", []string{"9.9.9.9", "192.0.2.7"}, "9.9.9.9"},
		"one of two is unknown":      {"10.0.0.0/8", "10.0.0.1:5", []string{"9.9.9.9, 192.0.2.7"}, "192.0.2.7"},
		"all are proxies":            {"10.0.0.0/8", "10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"loopback is no proxy":       {"10.0.0.0/8", "127.0.0.1:5", []string{"9.9.9.9"}, "127.0.0.1"},
		"no address":                 {"10.0.0.0/8", "10.0.0.1:5", []string{"9.9.9.9, unknown"}, "10.0.0.1"},
		"no address behind it":       {"10.0.0.0/8", "10.0.0.1:5", []string{"unknown, 9.9.9.9"}, "9.9.9.9"},
		"empty elements":             {"10.0.0.0/8", "10.0.0.1:5", []string{", 9.9.9.9, ,"}, "9.9.9.9"},
		"nothing but empty elements": {"10.0.0.0/8", "10.0.0.1:5", []string{" ,"}, "10.0.0.1"},
		"with a port":                {"10.0.0.0/8", "10.0.0.1:5", []string{"9.9.9.9:443"}, "9.9.9.9"},
		"IPv6 in brackets":           {"::1", "[::1]:5", []string{"[2001:db8::9]:443"}, "2001:db8::9"},
		"IPv6 without":               {"2001:db8::/64", "[2001:db8::1]:5", []string{"2001:db9::9"}, "2001:db9::9"},
		"IPv4 in IPv6":               {"10.0.0.0/8", "[::ffff:10.0.0.1]:5", []string{"::ffff:9.9.9.9"}, "9.9.9.9"},
		"with a zone":                {"fe80::/10", "[fe80::1%eth0]:5", []string{"9.9.9.9"}, "9.9.9.9"},
	} {
		t.Run(name, func(t *testing.T) {
			h := limitedServer(t, c.trusted)
			if status := askFrom(h, c.peer, c.forwarded); status != 200 {
				t.Fatal(status)
			}
			// The client itself comes, without a proxy between.
			if status := askFrom(h, "["+c.client+"]:9", nil); status != 429 {
				t.Errorf("it was not counted as %s: %d", c.client, status)
			}
		})
	}
}

func limitedServer(t *testing.T, trusted string) http.Handler {
	t.Helper()
	s := serverOf(t.Output(), get("/things", func(*web.Request) (any, error) { return 1, nil }))
	if err := s.Proxies.UnmarshalText([]byte(trusted)); err != nil {
		t.Fatal(err)
	}
	s.Host.Limits = &web.Limiter{
		Limits: web.Limits{"things GET /things": {Requests: 1, Per: 24 * time.Hour}}, Counter: &web.Counts{Now: time.Now}, Now: time.Now,
	}
	return s.Handler()
}

func askFrom(h http.Handler, peer string, forwarded []string) int {
	r := httptest.NewRequestWithContext(context.Background(), "GET", "/things", nil)
	r.RemoteAddr, r.Header["X-Forwarded-For"] = peer, forwarded
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// Nobody but a proxy says how the client came.
func TestOnlyProxiesAreBelievedAboutTheScheme(t *testing.T) {
	for peer, want := range map[string]int{"10.0.0.1:5": 5, "11.0.0.1:5": 0, "": 0} {
		r := httptest.NewRequestWithContext(context.Background(), "GET", "/things", nil)
		r.RemoteAddr = peer
		for _, name := range []string{"Forwarded", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Ssl", "X-Real-Ip"} {
			r.Header.Set(name, "https")
		}
		r.Header.Set("Accept", "*/*")
		limitedServer(t, "10.0.0.0/8").ServeHTTP(httptest.NewRecorder(), r)
		if len(r.Header) != want+1 {
			t.Errorf("%q: %v", peer, r.Header)
		}
	}
}

func TestProxiesAreAddresses(t *testing.T) {
	for _, text := range []string{"", "10.0.0.1", "10.0.0.0/8,::1", " 2001:db8::/32 , 10.0.0.1 ,"} {
		if err := new(server.Proxies).UnmarshalText([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"proxy", "10.0.0.0/33", "10.0.0.0-10.0.0.9", "*", "::ffff:10.0.0.0/104", "10.0.0.1:80"} {
		if err := new(server.Proxies).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
