package server_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gesta/domain"
	"gesta/eventstore/wait"
	"gesta/http/server"
	"gesta/http/web"
)

const lines = "application/x-ndjson"

// streaming is a row that answers in lines as well.
func streaming(write func(context.Context, *web.Writer) error) web.Route {
	return get("/things", things).Also(web.As(lines, "Lines.", web.Reads(func(*web.Request) (any, error) { return nil, nil }),
		func(context.Context, any) (web.Stream, error) {
			return web.Stream{Header: http.Header{"Link": {"</next>"}}, Write: write}, nil
		}))
}

// ticking writes a line every few milliseconds for as long as it is let.
func ticking(ctx context.Context, w *web.Writer) error {
	for ctx.Err() == nil {
		if _, err := io.WriteString(w, "tick\n"); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

func (r *running) ask(accept string, header ...string) *http.Response {
	r.t.Helper()
	return r.askBy(http.MethodGet, append([]string{"Accept", accept}, header...)...)
}

func (r *running) askBy(method string, header ...string) *http.Response {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.address+"/things", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	a, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = a.Body.Close() })
	return a
}

func TestARowAnswersInTheFormThatIsAskedFor(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, streaming(func(_ context.Context, w *web.Writer) error {
		_, err := io.WriteString(w, "one\ntwo\n")
		return err
	}))
	for accept, is := range map[string]string{
		"": "application/json", "*/*": "application/json", "text/html": "application/json", lines: lines,
		lines + ", application/json": "application/json", "application/json;q=0.5, " + lines: lines, lines + ";q=0": "application/json",
	} {
		a := r.ask(accept)
		text, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != 200 || a.Header.Get("Content-Type") != is {
			t.Errorf("%q: %d %s %v", accept, a.StatusCode, a.Header.Get("Content-Type"), err)
		}
		if is == lines && (string(text) != "one\ntwo\n" || a.Header.Get("Link") != "</next>" || a.Header.Get("X-Request-Id") == "") {
			t.Errorf("%q: %s %v", accept, text, a.Header)
		}
	}
}

func TestWhatCanNotBeWrittenToItsEndIsBrokenOff(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, streaming(func(_ context.Context, w *web.Writer) error {
		_, err := io.WriteString(w, "half\n")
		return errors.Join(err, w.Flush(), errors.New("the store is away"))
	}))
	text, err := io.ReadAll(r.ask(lines).Body)
	if err == nil || strings.Contains(string(text), "store") {
		t.Errorf("%q is taken for whole: %v", text, err)
	}
}

func TestAStreamOutlastsWhatARequestMayTake(t *testing.T) {
	t.Parallel()
	short := 50 * time.Millisecond
	r := run(t, func(s *server.Server) {
		s.Times = server.Times{Request: short, Read: 10 * short, Write: 20 * short} // Who asks may be slow.
	}, streaming(ticking))
	a, began := bufio.NewReader(r.ask(lines).Body), time.Now()
	for time.Since(began) < 25*short {
		if _, err := a.ReadString('\n'); err != nil {
			t.Fatalf("it ended after %s: %v", time.Since(began), err)
		}
	}
	if r.metric("gesta_http_working") != 0 || r.metric("gesta_http_streams") != 1 {
		t.Error("it holds a place that is for requests")
	}
}

func TestAStreamEndsWithItsClient(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, streaming(ticking))
	a := r.ask(lines)
	if _, err := bufio.NewReader(a.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close()
	wait.Until(t, "it has ended", func() bool { return r.metric("gesta_http_streams") == 0 })
}

func TestAStreamEndsWithTheServer(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, streaming(ticking))
	a := bufio.NewReader(r.ask(lines).Body)
	if _, err := a.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(a); err != nil {
		t.Errorf("a stream that has said all is broken off: %v", err)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) { s.Limits = server.Limits{Streams: 2} }, streaming(ticking))
	for range 2 {
		if a := r.ask(lines); a.StatusCode != 200 {
			t.Fatal(a.StatusCode)
		}
	}
	a := r.ask(lines)
	text, _ := io.ReadAll(a.Body)
	if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Error(a.StatusCode, string(text))
	}
	if a := r.ask("application/json"); a.StatusCode != 200 {
		t.Error(fmt.Sprint("others are refused as well: ", a.StatusCode))
	}
}

// A client need take but a piece in the time it has for one, however much is written at once.
func TestASlowClientIsWaitedFor(t *testing.T) {
	t.Parallel()
	const size = 24 << 20 // More than the sockets keep.
	each := 500 * time.Millisecond
	r := run(t, func(s *server.Server) { s.Times.Write = each }, streaming(func(_ context.Context, w *web.Writer) error {
		_, err := w.Write(make([]byte, size))
		return err
	}))
	a, began, all := r.ask(lines), time.Now(), 0
	for text := make([]byte, 64<<10); ; {
		n, err := io.ReadFull(a.Body, text)
		if all += n; err != nil {
			break
		}
		time.Sleep(time.Until(began.Add(time.Duration(all/len(text)) * 5 * time.Millisecond))) // It is slow, and no slower on a busy machine.
	}
	if all != size || time.Since(began) < 2*each {
		t.Errorf("%d bytes in %s", all, time.Since(began))
	}
}

// A stream comes as it is, since it must not wait; a page of another type comes in gzip like any.
func TestFormsInGzip(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("all the same\n", 1000)
	nothing := web.Reads(func(*web.Request) (any, error) { return nil, nil })
	row := streaming(func(_ context.Context, w *web.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	row = row.Also(web.AsPage("application/page+json", "A page.", nothing, func(context.Context, any) (web.Page, error) {
		return web.Page{Header: http.Header{"Link": {"</next>"}}, Text: []byte(text)}, nil
	}))
	r := run(t, func(s *server.Server) { s.Limits.Streams = 1 }, row)
	for accept, encoding := range map[string]string{lines: "", "application/page+json": "gzip"} {
		a := r.ask(accept, "Accept-Encoding", "gzip")
		body, is := io.Reader(a.Body), a.Header.Get("Content-Encoding")
		if is == "gzip" {
			body, _ = gzip.NewReader(a.Body)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != text || is != encoding || a.Header.Get("Content-Type") != accept || a.Header.Get("Link") != "</next>" {
			t.Errorf("%s: %d bytes in %q, %v %v", accept, len(got), is, a.Header, err)
		}
	}
}

// What a row answers in depends on what is accepted, and caches must know.
func TestFormsVary(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, streaming(func(context.Context, *web.Writer) error { return nil }))
	for _, accept := range []string{lines, "application/json"} {
		for _, method := range []string{"GET", "HEAD"} {
			a := r.askBy(method, "Accept", accept)
			if got := a.Header["Vary"]; !slices.Equal(got, []string{"Accept-Encoding", "Accept"}) || a.Header.Get("Content-Type") != accept {
				t.Errorf("%s %s: %v", method, accept, a.Header)
			}
		}
	}
}

func TestAFormIsRefusedBeforeItBegins(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("%w: nobody answers", domain.ErrUnavailable)
	nothing := web.Reads(func(*web.Request) (any, error) { return nil, nil })
	r := run(t, asIs, get("/things", things).Also(
		web.As(lines, "Lines.", nothing, func(context.Context, any) (web.Stream, error) { return web.Stream{}, away }),
		web.AsPage("text/x-page", "A page.", nothing, func(context.Context, any) (web.Page, error) { return web.Page{}, away })))
	for _, accept := range []string{lines, "text/x-page"} {
		a := r.ask(accept)
		text, _ := io.ReadAll(a.Body)
		if a.StatusCode != 503 || string(text) != "thing: "+domain.ErrUnavailable.Text || a.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: %d %s", accept, a.StatusCode, text)
		}
	}
}

// A HEAD is told what it would get, and takes no place.
func TestHEADOfAStream(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, streaming(func(context.Context, *web.Writer) error { return errors.New("it is written") }))
	a := r.askBy("HEAD", "Accept", lines)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != lines || a.Header.Get("Link") != "</next>" {
		t.Error(a.StatusCode, a.Header)
	}
}
