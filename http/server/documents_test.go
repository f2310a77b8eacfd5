package server_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gesta/http/server"
	"gesta/http/web"
)

func says(text []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return text, nil }
}

func TestDocumentsAreServedToAnyone(t *testing.T) {
	t.Parallel()
	s := serverOf(io.Discard, get("/things", func(*web.Request) (any, error) { return "done", nil }))
	s.Documents = []server.Document{
		{Path: "/docs/one.json", Type: "application/json", Body: says([]byte(`{"one":1}`))},
		{Path: "/docs/all/", Type: "text/html", Body: says([]byte(`<p>all</p>`))},
		{Path: "/docs/all/a.b/1", Type: "application/schema+json", Body: says([]byte(`{}`))},
	}
	h := s.Handler()
	tag := ask(h, "GET", "/docs/one.json").Header().Get("ETag")
	for _, c := range []struct {
		method, path, ifNoneMatch string
		status                    int
		typ, says                 string
	}{
		{"GET", "/docs/one.json", "", 200, "application/json", `{"one":1}`},
		{"GET", "/docs/one.json", tag, 304, "", ""},
		{"GET", "/docs/one.json", `"other"`, 200, "application/json", `{"one":1}`},
		{"HEAD", "/docs/one.json", "", 200, "application/json", ""},
		{"GET", "/docs/all/", "", 200, "text/html", "<p>all</p>"},
		{"GET", "/docs/all", "", 200, "text/html", "<p>all</p>"},
		{"GET", "/docs/all/a.b/1", "", 200, "application/schema+json", "{}"},
	} {
		w := ask(h, c.method, c.path, "If-None-Match", c.ifNoneMatch)
		if w.Code != c.status || w.Body.String() != c.says || w.Header().Get("Content-Type") != c.typ {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, w.Code, w.Header(), w.Body)
		}
		if w.Header().Get("ETag") == "" || w.Header().Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s %s: %v", c.method, c.path, w.Header())
		}
	}
	if other := ask(h, "GET", "/docs/all").Header().Get("ETag"); other == tag {
		t.Error("two documents have one tag")
	}
}

func TestWhereThereIsNoDocument(t *testing.T) {
	t.Parallel()
	s := serverOf(io.Discard)
	s.Documents = []server.Document{{Path: "/docs/all/a/1", Type: "text/plain", Body: says(nil)}}
	h := s.Handler()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/docs/all/a/2", 404}, {"GET", "/docs", 404}, {"HEAD", "/docs/all/b", 404}, {"POST", "/docs/all/a/1", 405},
	} {
		w := ask(h, c.method, c.path)
		if w.Code != c.status || w.Header().Get("Content-Type") != web.ProblemJSON || w.Header().Get("ETag") != "" {
			t.Errorf("%s %s: %d %v", c.method, c.path, w.Code, w.Header())
		}
	}
}

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
		{Path: "/docs", Type: "text/html", Header: http.Header{"Content-Security-Policy": {"default-src 'none'"}}, Body: says([]byte("<p>"))},
		{Path: "/docs/long.js", Type: "text/javascript", Header: http.Header{"Content-Encoding": {"gzip"}}, Body: says(packed)},
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

// What is long comes in gzip to who takes it, under a tag of its own.
func TestLongDocumentsComeInGzip(t *testing.T) {
	t.Parallel()
	text := `"` + strings.Repeat("long ", 1000) + `"`
	long := server.Document{Path: "/long.json", Type: "application/json", Body: says([]byte(text))}
	s := serverOf(io.Discard)
	s.Documents = []server.Document{long}
	h := s.Handler()
	plain, packed := ask(h, "GET", "/long.json"), ask(h, "GET", "/long.json", "Accept-Encoding", "gzip")
	in, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(in); err != nil || string(unpacked) != text || plain.Body.String() != text {
		t.Errorf("%v: %s", err, text)
	}
	for _, w := range []*httptest.ResponseRecorder{plain, packed} {
		tag, encoding := w.Header().Get("ETag"), w.Header().Get("Content-Encoding")
		if w.Header().Get("Vary") != "Accept-Encoding" || ask(h, "GET", "/long.json", "Accept-Encoding", encoding, "If-None-Match", tag).Code != 304 {
			t.Errorf("%q: %v", encoding, w.Header())
		}
	}
	if plain.Header().Get("ETag") == packed.Header().Get("ETag") {
		t.Error("other bytes have the same tag")
	}
}
