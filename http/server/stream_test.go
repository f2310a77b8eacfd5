package server_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/domain/identity"
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
		s.Times = server.Times{Request: short, Read: short, Write: 20 * short}
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

// journal is a log that is looked at while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// request is the line of the first request; nil before it is there.
func (j *journal) request() (line map[string]any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for text := range strings.Lines(j.text.String()) {
		if err := json.Unmarshal([]byte(text), &line); err == nil && line["msg"] == "request" {
			return line
		}
	}
	return nil
}

// Metrics, log and span tell of what was broken off, whoever did so.
func TestWhatIsBrokenOffIsSeen(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*running, *http.Response){
		"by a failure":   func(_ *running, a *http.Response) { _, _ = io.Copy(io.Discard, a.Body) },
		"by its client":  func(_ *running, a *http.Response) { _ = a.Body.Close() },
		"by the server":  func(r *running, _ *http.Response) { _ = r.stop() },
		"by a slow hand": func(*running, *http.Response) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, spans := &journal{}, tracetest.NewSpanRecorder()
			r := run(t, func(s *server.Server) {
				s.Log = slog.New(server.LogHandler{Handler: slog.NewJSONHandler(log, nil)})
				s.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
				if name == "by a slow hand" {
					s.Times.Write = 50 * time.Millisecond
				}
			}, streaming(func(ctx context.Context, w *web.Writer) error {
				_, err := io.WriteString(w, "half\n")
				if err = errors.Join(err, w.Flush()); err != nil || name == "by a failure" {
					return errors.Join(err, errors.New("the store is away"))
				}
				for name == "by a slow hand" && err == nil {
					_, err = w.Write(make([]byte, 1<<20))
				}
				<-ctx.Done()
				return ctx.Err()
			}))
			end(r, r.ask(lines))
			wait.Until(t, "it is logged", func() bool { return log.request() != nil && len(spans.Ended()) == 1 })
			line, span := log.request(), spans.Ended()[0]
			if bytes, _ := line["bytes"].(float64); line["broken_off"] != true || bytes < 5 || line["status"] != 200.0 || line["route"] != "/things" {
				t.Error(line)
			}
			if span.Status().Code != codes.Error || attributes(span)["http.response.status_code"] != "200" {
				t.Error(span.Status(), attributes(span))
			}
			if n := r.metric("gesta_http_broken_off_total"); n != 1 || r.metric("gesta_http_request_seconds") < 0 {
				t.Error(n)
			}
		})
	}
}

func TestWhatIsWholeIsNotTakenForBrokenOff(t *testing.T) {
	t.Parallel()
	log := &journal{}
	r := run(t, func(s *server.Server) { s.Log = slog.New(slog.NewJSONHandler(log, nil)) }, streaming(func(_ context.Context, w *web.Writer) error {
		_, err := io.WriteString(w, "all\n")
		return err
	}))
	r.ask(lines)
	wait.Until(t, "it is logged", func() bool { return log.request() != nil })
	if line := log.request(); line["broken_off"] != nil || line["bytes"] != 4.0 || r.metric("gesta_http_broken_off_total") != -1 {
		t.Error(line)
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
		time.Sleep(5 * time.Millisecond) // It is slow.
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

// sessions has callers whose session their proof names, for as long as it is open.
func sessions(open *sync.Map) func(*server.Server) {
	return func(s *server.Server) {
		s.Surfaces[0].Authenticate = func(r *http.Request) (c identity.Caller, err error) {
			name := r.Header.Get("Authorization")
			if _, is := open.Load(name); !is {
				return c, &domain.Fault{Kind: domain.Unauthenticated, Code: "unauthenticated", Text: "who is it?"}
			}
			c.Session.ID = id.Named(name)
			return c, nil
		}
	}
}

// No session keeps others out, and its places are free when its streams end.
func TestASessionHasAFewStreams(t *testing.T) {
	t.Parallel()
	var open sync.Map
	open.Store("ann", true)
	open.Store("bob", true)
	r := run(t, sessions(&open), streaming(ticking))
	var anns []*http.Response
	for range 4 {
		anns = append(anns, r.ask(lines, "Authorization", "ann"))
	}
	a := r.ask(lines, "Authorization", "ann")
	text, _ := io.ReadAll(a.Body)
	if a.StatusCode != 429 || a.Header.Get("Retry-After") == "" || !strings.Contains(string(text), "a session has 4 streams at most") {
		t.Error(a.StatusCode, string(text))
	}
	if b := r.ask(lines, "Authorization", "bob"); b.StatusCode != 200 || r.metric("gesta_http_streams") != 5 {
		t.Error(b.StatusCode, r.metric("gesta_http_streams"))
	}
	_ = anns[0].Body.Close()
	wait.Until(t, "there is a place", func() bool { return r.ask(lines, "Authorization", "ann").StatusCode == 200 })
}

// A stream is broken off when its session is over.
func TestAStreamDoesNotOutliveItsSession(t *testing.T) {
	t.Parallel()
	var open sync.Map
	open.Store("ann", true)
	r := run(t, sessions(&open), streaming(ticking))
	a := r.ask(lines, "Authorization", "ann")
	open.Delete("ann")
	if text, err := io.ReadAll(a.Body); err == nil || !strings.HasPrefix(string(text), "tick\n") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
