package mail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gesta/commands/gateway"
)

var message = gateway.Message{To: "ann@example.com", Subject: "Your code — für dich", Text: "ABCD-2345 is the code.\n", Key: "01KAGVXM3V5C0M6Z9D8Q7R0001"}

// check reads a message as its receiver would.
func check(t *testing.T, text, from string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	domain := from[strings.Index(from, "@"):]
	for name, want := range map[string]string{"To": "<ann@example.com>", "From": "<" + from + ">", "Message-Id": "<" + message.Key + domain + ">", "Auto-Submitted": "auto-generated"} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if !strings.Contains(text, "ABCD-2345 is the code.") || m.Header.Get("Date") == "" {
		t.Error(text)
	}
}

func TestTheOutboxKeepsAMessageOnce(t *testing.T) {
	t.Parallel()
	o := Outbox{Dir: filepath.Join(t.TempDir(), "outbox")}
	for range 2 {
		if err := o.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(o.Dir)
	if err != nil || len(files) != 1 || files[0].Name() != message.Key+".eml" {
		t.Fatalf("%v %v", files, err)
	}
	text, err := os.ReadFile(filepath.Join(o.Dir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	check(t, string(text), outboxFrom)
}

func TestWhatCantBeWrittenIsNotNamed(t *testing.T) {
	t.Parallel()
	bad := message
	bad.To = "ann\r\nBcc: bob@example.com"
	if err := (Outbox{Dir: t.TempDir()}).Send(t.Context(), bad); !errors.Is(err, errMessage) {
		t.Error(err)
	}
	under := Outbox{Dir: filepath.Join(os.DevNull, "outbox")}
	if err := under.Send(t.Context(), message); err == nil || strings.Contains(err.Error(), "ann@") {
		t.Error(err)
	}
}

// server is a mail server on this machine that answers some commands otherwise than well.
type server struct {
	address string
	odd     map[string]string // answers by the command's first word
	mu      sync.Mutex
	got     []string
}

func serve(t *testing.T, odd map[string]string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &server{address: l.Addr().String(), odd: odd}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(conn)
		}
	}()
	return s
}

func (s *server) talk(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 here")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		word := strings.ToUpper(strings.Fields(line + " -")[0])
		switch {
		case s.odd[word] == "-":
			return
		case s.odd[word] != "":
			say(s.odd[word])
		case word == "EHLO":
			say("250-here\r\n250 ENHANCEDSTATUSCODES")
		case word == "DATA":
			say("354 go on")
			s.keep(in)
			say("250 2.0.0 taken")
		case word == "QUIT":
			say("221 bye")
			return
		default:
			say("250 2.1.0 well")
		}
	}
}

// keep reads a message to its lone dot.
func (s *server) keep(in *bufio.Reader) {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, text.String())
}

func (s *server) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

func (s *server) send(t *testing.T, query string) error {
	t.Helper()
	to, err := NewSMTP("smtp://"+s.address+query, "Gesta <gesta@example.org>")
	if err != nil {
		t.Fatal(err)
	}
	return to.Send(t.Context(), message)
}

func TestAMailServerTakesAMessage(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]map[string]string{"well": nil, "and says no goodbye": {"QUIT": "-"}} {
		s := serve(t, odd)
		if err := s.send(t, "?tls=off"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := s.messages()
		if len(got) != 1 {
			t.Fatalf("%s: %q", name, got)
		}
		check(t, strings.Replace(got[0], `"Gesta" <`, "<", 1), "gesta@example.org")
	}
}

// What goes wrong is said without naming anybody: it is logged.
func TestAMailServerThatTakesNothing(t *testing.T) {
	t.Parallel()
	for says, odd := range map[string]map[string]string{
		"550 5.1.1":        {"RCPT": "550 5.1.1 <ann@example.com> is unknown here"},
		"451":              {"MAIL": "451 4.3.0 later, ann@example.com"},
		"did not take":     {"DATA": "-"},
		"can't be reached": {"EHLO": "-", "HELO": "-"},
	} {
		s := serve(t, odd)
		err := s.send(t, "?tls=off")
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "ann@") || strings.Contains(err.Error(), "ABCD") {
			t.Errorf("%s: %v", says, err)
		}
	}
	nobody, err := NewSMTP("smtp://127.0.0.1:1", "gesta@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Send(t.Context(), message); err == nil || !strings.Contains(err.Error(), "can't be reached") {
		t.Error(err)
	}
}

func TestNothingIsSaidInTheClear(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	if err := s.send(t, ""); err == nil || len(s.messages()) != 0 {
		t.Errorf("%v, and %q was sent", err, s.messages())
	}
}

func TestWhoHasNoTimeSendsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	to, err := NewSMTP("smtp://"+s.address+"?tls=off", "gesta@example.org")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := to.Send(ctx, message); err == nil || len(s.messages()) != 0 {
		t.Errorf("%v, and %q was sent", err, s.messages())
	}
}

func TestWhereTheMailServerIs(t *testing.T) {
	t.Parallel()
	for given, address := range map[string]string{
		"smtp://mail.example.com":                     "mail.example.com:587",
		"smtps://user:p%40ss@mail.example.com/":       "mail.example.com:465",
		"smtp://user:pass@mail.example.com:2525":      "mail.example.com:2525",
		"smtp://127.0.0.1:25?tls=off":                 "127.0.0.1:25",
		"smtp://[::1]:25?tls=off":                     "[::1]:25",
		"smtp://user%40example.com:x@mail.example.de": "mail.example.de:587",
	} {
		if s, err := NewSMTP(given, "Gesta <gesta@example.org>"); err != nil || s.server != address {
			t.Errorf("%s: %+v, %v", given, s, err)
		}
	}
	for _, given := range []string{
		"", "mail.example.com", "mail.example.com:587", "http://mail.example.com", "smtp://", "smtp://:25", "smtp://h:x", "smtp://h:0",
		"smtp://h:70000", "smtp://h/path", "smtp://h?tls=maybe", "smtps://h?tls=off", "smtp://user:hush@h:x#", "smtp://user:hush@\x00",
	} {
		if _, err := NewSMTP(given, "gesta@example.org"); !errors.Is(err, ErrURL) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", given, err)
		}
	}
	for _, from := range []string{"", "gesta", "a@b\r\nBcc: c@d"} {
		if _, err := NewSMTP("smtp://mail.example.com", from); !errors.Is(err, ErrFrom) {
			t.Errorf("%q: %v", from, err)
		}
	}
}
