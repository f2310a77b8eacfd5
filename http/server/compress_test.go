package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
	"gesta/http/server"
	"gesta/http/web"
)

// sized is a text of as many bytes as the path says, as JSON with its quotes and its end of line.
func sized(r *web.Request) string {
	n, err := strconv.Atoi(r.Param("size"))
	if err != nil || n < 3 {
		n = 3
	}
	return strings.Repeat("x", n-3)
}

func nothing(context.Context, any) error { return nil }

func headerOf(t *testing.T, l *line, method string) http.Header {
	t.Helper()
	a, err := http.ReadResponse(l.in, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if method == http.MethodHead {
		_, _ = l.Write([]byte("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"))
		l.hear(200, "ok") // There was no body.
	}
	a.Header.Set("Status", a.Status)
	a.Header.Set("Length", strconv.FormatInt(a.ContentLength, 10))
	return a.Header
}

// differ tells what differs beside what always does.
func differ(a, b http.Header) string {
	for _, h := range []http.Header{a, b} {
		h.Del("Date")
		h.Del("X-Request-Id")
	}
	return cmp.Diff(a, b)
}

func TestWhatIsLargeIsCompressed(t *testing.T) {
	size := func(r *web.Request) (any, error) { return sized(r), nil }
	h := serverOf(io.Discard,
		get("/things/:size", size),
		web.Post("/things/:size", web.Anyone, does(size)),
		web.Post("/things/tokens/:size", web.Anyone, does(size)).GivesTokens(),
		get("/things/same/:size", size).Answers(304),
		get("/things/refused/:size", func(r *web.Request) (any, error) {
			return nil, web.ErrBody.In(domain.Field{Name: "x", Text: sized(r)})
		}),
	).Handler()
	for name, c := range map[string]struct {
		method, path, accept string
		compressed, could    bool
	}{
		"large":                         {"GET", "/things/2048", "gzip", true, true},
		"what was made":                 {"POST", "/things/2048", "gzip", true, true},
		"small":                         {"GET", "/things/2047", "gzip", false, true},
		"not asked for":                 {"GET", "/things/2048", "", false, true},
		"something else":                {"GET", "/things/2048", "br, deflate", false, true},
		"as browsers do":                {"GET", "/things/2048", "gzip, deflate, br, zstd", true, true},
		"in capitals, a little":         {"GET", "/things/2048", "br, GZIP;q=0.001", true, true},
		"refused":                       {"GET", "/things/2048", "gzip;q=0", false, true},
		"refused in spite of all":       {"GET", "/things/2048", "gzip;q=0, *", false, true},
		"anything":                      {"GET", "/things/2048", "*", true, true},
		"nothing":                       {"GET", "/things/2048", "*;q=0", false, true},
		"nothing but gzip":              {"GET", "/things/3", "gzip, *;q=0", true, true},
		"not as it is":                  {"GET", "/things/3", "gzip;q=0.5, identity;q=0", true, true},
		"rather as it is":               {"GET", "/things/2048", "gzip;q=0.5, identity", false, true},
		"rather in gzip":                {"GET", "/things/2048", "gzip, identity;q=0.5", true, true},
		"neither":                       {"GET", "/things/2048", "br, identity;q=0", false, true},
		"tokens":                        {"POST", "/things/tokens/4096", "gzip", false, false},
		"what has no body":              {"GET", "/things/same/4096", "gzip", false, true},
		"a refusal, however long it is": {"GET", "/things/refused/4096", "gzip", false, true},
	} {
		plain, got := ask(h, c.method, c.path), ask(h, c.method, c.path, "Accept-Encoding", c.accept)
		if is := got.Header().Get("Content-Encoding") == "gzip"; is != c.compressed {
			t.Errorf("%s: %v", name, got.Header())
		}
		if varies(got.Header(), "Accept-Encoding") != c.could {
			t.Errorf("%s: Vary: %v", name, got.Header()["Vary"])
		}
		if text := unpacked(t, got); text != plain.Body.String() || got.Code != plain.Code {
			t.Errorf("%s: %d %.40q, not %d %.40q", name, got.Code, text, plain.Code, plain.Body)
		}
		if length := got.Header().Get("Content-Length"); length != "" && length != strconv.Itoa(got.Body.Len()) {
			t.Errorf("%s: %s bytes are %d", name, length, got.Body.Len())
		}
	}
}

func unpacked(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Header().Get("Content-Encoding") == "" {
		return w.Body.String()
	}
	in, err := gzip.NewReader(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write serves one function that writes an answer in a row's place, compressed.
func write(accept string, f func(http.ResponseWriter) error) *httptest.ResponseRecorder {
	return server.Compressed(accept, f)
}

func TestWhatIsNotCompressed(t *testing.T) {
	large := strings.Repeat("x", 4096)
	for name, c := range map[string]struct {
		header     http.Header
		status     int
		compressed bool
	}{
		"JSON":                     {http.Header{"Content-Type": {"application/json"}}, 200, true},
		"JSON of a kind":           {http.Header{"Content-Type": {"application/schema+json; charset=utf-8"}}, 200, true},
		"a page":                   {http.Header{"Content-Type": {"text/html; charset=utf-8"}}, 200, true},
		"a weak tag":               {http.Header{"Content-Type": {"text/html"}, "Etag": {`W/"1"`}}, 200, true},
		"a strong tag":             {http.Header{"Content-Type": {"application/json"}, "Etag": {`"1"`}}, 200, false},
		"a picture":                {http.Header{"Content-Type": {"image/png"}}, 200, false},
		"no type":                  {http.Header{}, 200, false},
		"what is encoded already":  {http.Header{"Content-Type": {"text/html"}, "Content-Encoding": {"br"}}, 200, false},
		"a part":                   {http.Header{"Content-Type": {"text/html"}, "Content-Range": {"bytes 0-4095/9999"}}, 206, false},
		"a length that is no such": {http.Header{"Content-Type": {"text/html"}, "Content-Length": {"x"}}, 200, false},
		"what comes bit by bit":    {http.Header{"Content-Type": {"text/event-stream"}, "Content-Length": nil}, 200, false},
	} {
		w := write("gzip", func(w http.ResponseWriter) error {
			w.Header().Set("Content-Length", strconv.Itoa(len(large)))
			for k, v := range c.header {
				w.Header()[k] = v
			}
			w.WriteHeader(c.status)
			_, err := io.WriteString(w, large)
			return err
		})
		if is := w.Header().Get("Content-Encoding") == "gzip"; is != c.compressed || c.compressed && unpacked(t, w) != large || !c.compressed && w.Body.String() != large {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
}

// What is flushed arrives, and a body that is broken off is no whole one.
func TestWhatIsFlushedArrives(t *testing.T) {
	w := write("gzip", func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "4096")
		w.WriteHeader(200)
		_, err1 := io.WriteString(w, "first")
		if err := http.NewResponseController(w).Flush(); err != nil || err1 != nil {
			return err
		}
		return io.ErrUnexpectedEOF
	})
	in, err := gzip.NewReader(w.Body)
	if err != nil || !w.Flushed {
		t.Fatal(err, w.Flushed)
	}
	if text, err := io.ReadAll(in); string(text) != "first" || err != io.ErrUnexpectedEOF {
		t.Errorf("%q %v", text, err)
	}
	stream := write("gzip", func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(200)
		_, _ = io.WriteString(w, "data: 1\n\n")
		return http.NewResponseController(w).Flush()
	})
	if !stream.Flushed || stream.Body.String() != "data: 1\n\n" || stream.Header().Get("Content-Encoding") != "" {
		t.Errorf("%v %q", stream.Header(), stream.Body)
	}
}

// A client that is refused, and one that panics the row, gets its words as they are.
func TestAFailureIsNotCompressed(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, get("/things", func(*web.Request) (any, error) { panic("x") }))
	a := r.dial().say("GET /things HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n").hear(500, "thing: internal server error")
	if a.Header.Get("Content-Encoding") != "" {
		t.Errorf("%v", a.Header)
	}
}
