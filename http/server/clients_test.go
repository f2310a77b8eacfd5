package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gesta/eventstore/wait"
	"gesta/http/server"
	"gesta/http/web"
)

// running is a server that tests connect to.
type running struct {
	*server.Server
	t       *testing.T
	address string
	stop    func() error // lets it drain
}

func run(t *testing.T, change func(*server.Server), rows ...web.Route) *running {
	t.Helper()
	s := serverOf(io.Discard, rows...)
	change(s)
	listeners, err := server.Listen(t.Context(), []string{"127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listeners) }()
	stop := sync.OnceValue(func() error { end(); return <-served })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &running{Server: s, t: t, address: listeners[0].Addr().String(), stop: stop}
}

func asIs(*server.Server) {}

// line is a connection that a test writes to and reads from as it likes; it gives up after a while, and some time after it
// has begun to wait for the end.
type line struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func (r *running) dial() *line {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	l := &line{conn, r.t, bufio.NewReader(conn)}
	l.patience()
	return l
}

func (l *line) patience() {
	l.t.Helper()
	if err := l.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) say(text string) *line {
	l.t.Helper()
	if _, err := io.WriteString(l, text); err != nil {
		l.t.Fatal(err)
	}
	return l
}

// hear reads one answer.
func (l *line) hear(status int, says string) *http.Response {
	l.t.Helper()
	response, err := http.ReadResponse(l.in, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status || !strings.Contains(string(text), says) {
		l.t.Fatalf("%d %v %s", response.StatusCode, err, text)
	}
	return response
}

// ends wants the server to hang up.
func (l *line) ends() {
	l.t.Helper()
	l.patience()
	if _, err := io.Copy(io.Discard, l.in); isTimeout(err) {
		l.t.Fatalf("the connection does not end: %v", err)
	}
}

func isTimeout(err error) bool {
	t, ok := err.(net.Error)
	return ok && t.Timeout()
}

const hello = "GET /things HTTP/1.1\r\nHost: h\r\n\r\n"

func things(*web.Request) (any, error) { return "done", nil }

// metric reads one from the server's registry; -1 where it is not there.
func (r *running) metric(name string) float64 {
	families, err := r.Metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return -1
}

func post(row func(*web.Request) (any, error)) web.Route {
	return web.Post("/things", web.Anyone, does(row))
}

func readBody(r *web.Request) (any, error) {
	var in struct{}
	return "read", r.Body(&in)
}

func TestAHeaderThatDoesNotComeIsGivenUp(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) { s.Times.Header = 50 * time.Millisecond }, get("/things", things))
	r.dial().ends()
	r.dial().say("GET /things HT").ends()
	r.dial().say("GET /things HTTP/1.1\r\nHost: h\r\nX-A:").ends()
}

// Who sends a body byte by byte is refused in the end, and has not worked meanwhile.
func TestABodyThatTricklesIsRefused(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) { s.Limits.Requests, s.Times.Read = 1, 500*time.Millisecond }, get("/things", things), post(readBody))
	slow := r.dial().say("POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n{")
	for range 3 {
		r.dial().say(hello).hear(200, "done")
	}
	slow.hear(400, "thing: invalid request body")
	slow.ends()
}

// However many send bodies, what is held of them is bounded.
func TestBodiesAreBoundedInAll(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) { s.Limits.Bodies = 100 }, post(readBody))
	const post = "POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 60\r\n\r\n{"
	rest := strings.Repeat(" ", 58)
	holds := r.dial().say(post + rest)
	wait.Until(t, "it is held", func() bool { return r.metric("gesta_http_body_bytes") == 59 })
	answer, err := http.ReadResponse(r.dial().say(post+rest+"}").in, nil)
	if err != nil || answer.StatusCode != 503 {
		t.Errorf("another finds room: %v %v", answer, err)
	}
	holds.say("}").hear(201, "read")
	r.dial().say(post+rest+"}").hear(201, "read")
}

func TestAnAnswerThatNobodyReadsIsGivenUp(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) { s.Times.Write = 300 * time.Millisecond },
		get("/things", func(*web.Request) (any, error) { return strings.Repeat("x", 32<<20), nil }))
	r.dial().say(hello)
	wait.Until(t, "it is at work", func() bool { return r.metric("gesta_http_working") == 1 })
	wait.Until(t, "it is given up", func() bool {
		return r.metric("gesta_http_working") == 0 && r.metric("gesta_http_connections") == 0
	})
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, get("/things", things), post(readBody))
	const mega = 1 << 20
	large := strings.Repeat("x", mega)
	r.dial().say(fmt.Sprintf("POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n{%s", mega+1, large)).hear(413, "thing: request body is too large")
	r.dial().say(fmt.Sprintf("POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n1\r\nx\r\n0\r\n\r\n", mega, large)).hear(413, "thing: request body is too large")
	r.dial().say(fmt.Sprintf("POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n{}%s", mega, strings.Repeat(" ", mega-2))).hear(201, "read")
	r.dial().say("GET /things HTTP/1.1\r\nHost: h\r\nX-A: "+large[:80<<10]+"\r\n\r\n").hear(431, "")
}

// A client that has said all it has to say may close its half of the connection.
func TestAHalfClosedConnectionGetsItsAnswer(t *testing.T) {
	t.Parallel()
	began, finish := make(chan struct{}), make(chan struct{})
	r := run(t, asIs, get("/things", func(r *web.Request) (any, error) {
		close(began)
		<-finish
		return "done", r.Context().Err()
	}))
	l := r.dial().say(hello)
	<-began
	if err := l.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r.hearOfTheEnd()
	close(finish)
	l.hear(200, "done")
}

// hearOfTheEnd gives the server the time to notice: it answers others meanwhile.
func (r *running) hearOfTheEnd() {
	for range 20 {
		r.dial().say("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").hear(200, "ok")
	}
}

// A client that has left stops nothing: what it asked for is done, or refused, as if it were there.
func TestWhoLeavesIsServedAllTheSame(t *testing.T) {
	t.Parallel()
	began, finish, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	r := run(t, asIs, post(func(r *web.Request) (any, error) {
		close(began)
		<-finish
		ended <- r.Context().Err()
		return "done", nil
	}))
	l := r.dial().say("POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
	<-began
	_ = l.Close()
	r.hearOfTheEnd()
	close(finish)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	wait.Until(t, "nothing is left", func() bool { return r.metric("gesta_http_working") == 0 })
}

func TestAFloodOfPipelinedRequestsIsAnsweredInOrder(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, get("/things/:n", func(r *web.Request) (any, error) { return "thing " + r.Param("n") + ".", nil }))
	var flood bytes.Buffer
	const many = 500
	for n := range many {
		fmt.Fprintf(&flood, "GET /things/%d HTTP/1.1\r\nHost: h\r\n\r\n", n)
	}
	l := r.dial()
	go func() { _, _ = l.Write(flood.Bytes()) }() // What does not arrive is not answered.
	for n := range many {
		l.hear(200, fmt.Sprintf("thing %d.", n))
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) { s.Times.Idle = 200 * time.Millisecond }, get("/things", things))
	var all []*line
	for range 1000 {
		l := r.dial().say(hello)
		l.hear(200, "done")
		all = append(all, l)
	}
	for _, l := range all {
		l.ends()
	}
	wait.Until(t, "none is left", func() bool { return r.metric("gesta_http_connections") == 0 })
}

// Whoever holds as many connections as there may be keeps nobody out.
func TestTheLongestIdleConnectionGivesWay(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) {
		s.Limits.Connections, s.Times.Idle, s.Times.Header = 10, time.Minute, time.Minute
	}, get("/things", things))
	used := r.dial().say(hello)
	used.hear(200, "done")
	var silent []*line
	for range 9 {
		silent = append(silent, r.dial())
	}
	wait.Until(t, "all are open", func() bool { return r.metric("gesta_http_connections") == 10 })
	used.say(hello).hear(200, "done")
	for range 3 {
		r.dial().say(hello).hear(200, "done")
	}
	for _, l := range silent[:3] {
		l.ends()
	}
	used.say(hello).hear(200, "done")
	if open := r.metric("gesta_http_connections"); open != 10 {
		t.Errorf("%v are open", open)
	}
}

// What is too much is refused at once in the surface's words, and what has waited for too long as well;
// health is always answered.
func TestTheGateRefusesWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	finish := make(chan struct{})
	r := run(t, func(s *server.Server) {
		s.Limits.Requests, s.Times = 1, server.Times{Wait: 3 * time.Second} // All that is asked while one waits takes its time.
	}, get("/things", func(*web.Request) (any, error) { <-finish; return "done", nil }))
	working := r.dial().say(hello)
	wait.Until(t, "one works", func() bool { return r.metric("gesta_http_working") == 1 })
	waiting := r.dial().say(hello)
	wait.Until(t, "one waits", func() bool { return r.metric("gesta_http_waiting") == 1 })
	if a := r.dial().say(hello).hear(503, "thing: overloaded"); a.Header.Get("Retry-After") != "1" {
		t.Errorf("%v", a.Header)
	}
	r.dial().say("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").hear(200, "ok")
	r.dial().say("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").hear(200, "gesta_http_waiting 1")
	waiting.hear(503, "thing: overloaded")
	if n := r.metric("gesta_http_refused_total"); n != 2 {
		t.Errorf("%v are counted", n)
	}
	left := r.dial().say(hello)
	wait.Until(t, "another waits", func() bool { return r.metric("gesta_http_waiting") == 1 })
	_ = left.Close()
	wait.Until(t, "it has lost its turn", func() bool { return r.metric("gesta_http_waiting") == 0 })
	patient := r.dial().say(hello)
	wait.Until(t, "the next one waits", func() bool { return r.metric("gesta_http_waiting") == 1 })
	close(finish)
	working.hear(200, "done")
	patient.hear(200, "done")
}

// Those who try to get in leave room for those who are in.
func TestStrangersLeaveRoom(t *testing.T) {
	t.Parallel()
	finish := make(chan struct{})
	hold := func(*web.Request) (any, error) { <-finish; return "done", nil }
	r := run(t, func(s *server.Server) { s.Limits.Requests, s.Times.Wait = 2, time.Minute },
		get("/things", things), post(hold).TakesCredential())
	const knock = "POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
	strangers := []*line{r.dial().say(knock), r.dial().say(knock)}
	wait.Until(t, "two work", func() bool { return r.metric("gesta_http_working") == 2 })
	r.dial().say(knock).hear(503, "thing: overloaded")
	known := []*line{r.dial().say(hello), r.dial().say(hello)}
	wait.Until(t, "two wait", func() bool { return r.metric("gesta_http_waiting") == 2 })
	close(finish)
	for _, l := range strangers {
		l.hear(201, "done")
	}
	for _, l := range known {
		l.hear(200, "done")
	}
}

// A request that does not end in its time is ended, and a panic gives its place back.
func TestPlacesAreGivenBack(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) { s.Limits.Requests, s.Times = 1, server.Times{Request: 50 * time.Millisecond} },
		get("/things", things),
		get("/things/panic", func(*web.Request) (any, error) { panic("a place") }),
		get("/things/slow", func(r *web.Request) (any, error) { <-r.Context().Done(); return nil, r.Context().Err() }))
	for range 3 {
		r.dial().say("GET /things/panic HTTP/1.1\r\nHost: h\r\n\r\n").hear(500, "thing: internal")
		r.dial().say("GET /things/slow HTTP/1.1\r\nHost: h\r\n\r\n").hear(503, "thing: temporarily unavailable")
		r.dial().say(hello).hear(200, "done")
	}
}

// A server that ends says so first, and takes whoever has not heard it yet.
func TestAServerThatEndsSaysSoFirst(t *testing.T) {
	t.Parallel()
	began, finish := make(chan struct{}), make(chan struct{})
	r := run(t, func(s *server.Server) {
		s.Times = server.Times{Grace: 3 * time.Second} // Those who have not heard it yet come within that.
		s.Ready = func(context.Context) server.Readiness { return server.Readiness{Ready: true} }
	}, get("/things", things), get("/things/slow", func(*web.Request) (any, error) { close(began); <-finish; return "done", nil }))
	const ready = "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n"
	r.dial().say(ready).hear(200, "true")
	idle := r.dial().say(hello)
	if idle.hear(200, "done").Close {
		t.Error("connections end although nobody has asked for it")
	}
	slow := r.dial().say("GET /things/slow HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	wait.Until(t, "it drains", func() bool {
		l := r.dial().say(ready)
		a, err := http.ReadResponse(l.in, nil)
		return err == nil && a.StatusCode == 503 && a.Close
	})
	for _, l := range []*line{idle, r.dial()} {
		if !l.say(hello).hear(200, "done").Close {
			t.Error("a connection is kept")
		}
	}
	wait.Until(t, "nobody is taken", func() bool {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(finish)
	slow.hear(200, "done")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// Who does not read its answer does not keep a server from ending.
func TestAServerThatEndsCutsWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	r := run(t, func(s *server.Server) { s.Times = server.Times{Drain: 50 * time.Millisecond} },
		get("/things", func(*web.Request) (any, error) { return strings.Repeat("x", 32<<20), nil }))
	r.dial().say(hello)
	wait.Until(t, "it is at work", func() bool { return r.metric("gesta_http_working") == 1 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	wait.Until(t, "nothing is left", func() bool { return r.metric("gesta_http_working") == 0 })
}

// Whoever is let in gets an answer, to the last. What the system resets because it comes in the very
// moment in which it closes the listener was not let in.
func TestTheLastConnectionIsAnswered(t *testing.T) {
	t.Parallel()
	r := run(t, asIs, get("/things", things))
	var all sync.WaitGroup
	answered := make(chan struct{}, 100)
	for range 8 {
		all.Go(func() {
			for askOnce(t, r.address) {
				select {
				case answered <- struct{}{}:
				default:
				}
			}
		})
	}
	for range cap(answered) {
		<-answered
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// askOnce tells whether there is somebody to connect to.
func askOnce(t *testing.T, address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, hello); err != nil {
		return true
	}
	if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	return true
}

// deaf takes no connections, as a listener whose turn does not come.
type deaf struct {
	*net.TCPListener
	closed context.Context
	close  func()
}

func (d deaf) Accept() (net.Conn, error) {
	<-d.closed.Done()
	return nil, net.ErrClosed
}

func (d deaf) Close() error {
	d.close()
	return d.TCPListener.Close()
}

// The system makes connections before the server takes them; those are answered as well.
func TestConnectionsThatNobodyTookAreAnswered(t *testing.T) {
	t.Parallel()
	s := serverOf(io.Discard, get("/things", things))
	listeners, err := server.Listen(t.Context(), []string{"127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: s, t: t, address: listeners[0].Addr().String()}
	waiting := []*line{r.dial().say(hello), r.dial().say(hello), r.dial().say(hello)}
	ctx, end := context.WithCancel(t.Context())
	end()
	closed, close := context.WithCancel(context.Background())
	if err := s.Serve(ctx, []net.Listener{deaf{listeners[0].(*net.TCPListener), closed, close}}); err != nil {
		t.Fatal(err)
	}
	for _, l := range waiting {
		l.hear(200, "done")
	}
}
