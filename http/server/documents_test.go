package server_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"gesta/http/server"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDocumentsMayBringHeadersAndBeZipped(t *testing.T) {
	t.Parallel()
	s := serverOf(io.Discard)
	packed := zipped(t, "long")
	s.Documents = []server.Document{
		{Path: "/docs", Type: "text/html", Header: http.Header{"Content-Security-Policy": {"default-src 'none'"}}, Body: []byte("<p>")},
		{Path: "/docs/long.js", Type: "text/javascript", Header: http.Header{"Content-Encoding": {"gzip"}}, Body: packed},
	}
	h := s.Handler()
	tag := ask(h, "GET", "/docs").Header().Get("ETag")
	for _, c := range []struct {
		method, path, header, value string
		status                      int
		says, encoding              string
	}{
		{"GET", "/docs", "", "", 200, "<p>", ""},
		{"HEAD", "/docs", "", "", 200, "", ""},
		{"GET", "/docs", "If-None-Match", tag, 304, "", ""},
		{"GET", "/docs/long.js", "Accept-Encoding", "gzip, br", 200, string(packed), "gzip"},
		{"GET", "/docs/long.js", "", "", 200, "long", ""},
		{"HEAD", "/docs/long.js", "", "", 200, "", ""},
	} {
		w := ask(h, c.method, c.path, c.header, c.value)
		if w.Code != c.status || w.Body.String() != c.says || w.Header().Get("Content-Encoding") != c.encoding {
			t.Errorf("%s %s: %d %v %q", c.method, c.path, w.Code, w.Header(), w.Body)
		}
		if w.Header().Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s %s: %v", c.method, c.path, w.Header())
		}
	}
	if policy := ask(h, "GET", "/docs").Header().Get("Content-Security-Policy"); policy != "default-src 'none'" {
		t.Errorf("policy: %q", policy)
	}
}
