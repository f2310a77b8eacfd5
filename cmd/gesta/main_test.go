package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
	"gesta/http/openapi"
	"gesta/http/openapi/openapitest"
)

// asGesta makes this test binary run as gesta itself, so that stories can start, kill and restart
// real processes.
const asGesta = "GESTA_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asGesta) != "" {
		main()
		return
	}
	if os.Getenv(asNATS) != "" {
		serveNATS()
		return
	}
	pgtest.Main(m)
}

// patience is how long a story waits for anything.
const patience = 60 * time.Second

// process is a gesta that a story started.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
	end chan struct{}
}

// start runs gesta in the background; what the test leaves running is killed at its end.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), end: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), asGesta+"=1", "BCRYPT_COST=4", "GESTA_DRAIN=0s"), env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.end) }()
	t.Cleanup(func() {
		p.signal(syscall.SIGINT)
		select {
		case <-p.end:
		case <-time.After(patience):
			p.signal(syscall.SIGKILL)
			<-p.end
		}
		if t.Failed() {
			t.Logf("gesta %s said:\n%s", strings.Join(args, " "), p.said())
		}
	})
	return p
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// await waits until the process has said what matches, and answers the first group.
func (p *process) await(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var found string
	wait.Until(p.t, "gesta says "+pattern, func() bool {
		select {
		case <-p.end:
			p.t.Fatalf("gesta ended:\n%s", p.said())
		default:
		}
		m := re.FindStringSubmatch(p.said())
		if m == nil {
			return false
		}
		found = m[1]
		return true
	})
	return found
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process as a crash would.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.end
}

// stop ends the process as an operator would, and expects that it went well.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGINT)
	p.awaitExit(0)
}

// awaitExit waits until the process has ended; -1 stands for one that a signal has ended.
func (p *process) awaitExit(with int) {
	p.t.Helper()
	select {
	case <-p.end:
	case <-time.After(patience):
		p.t.Fatal("gesta does not stop")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != with {
		p.t.Errorf("gesta ended with %d:\n%s", code, p.said())
	}
}

// gesta runs a command to its end and answers what it printed.
func gesta(t *testing.T, env []string, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), asGesta+"=1", "BCRYPT_COST=4", "GESTA_DRAIN=0s"), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, errs.String())
	}
	return out.String(), err
}

func mustGesta(t *testing.T, env []string, args ...string) string {
	t.Helper()
	out, err := gesta(t, env, "", args...)
	if err != nil {
		t.Fatalf("gesta %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// says runs a command to its end, and wants to read something in what it prints.
func says(t *testing.T, env []string, text string, args ...string) {
	t.Helper()
	if out := mustGesta(t, env, args...); !strings.Contains(out, text) {
		t.Errorf("gesta %s does not say %q:\n%s", strings.Join(args, " "), text, out)
	}
}

// refuses runs a command that must fail, and wants to read something in its error.
func refuses(t *testing.T, env []string, text string, args ...string) {
	t.Helper()
	if out, err := gesta(t, env, "", args...); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("gesta %s does not refuse with %q: %v\n%s", strings.Join(args, " "), text, err, out)
	}
}

// client talks to one base URL.
type client struct {
	t    *testing.T
	base string
}

type answer struct {
	status int
	header http.Header
	text   string
	fields map[string]any
}

func (c client) do(method, path, token string, body any) answer {
	c.t.Helper()
	return c.send(c.request(method, path, token, body))
}

func (c client) request(method, path, token string, body any) *http.Request {
	c.t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, c.base+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func (c client) send(r *http.Request) answer {
	c.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.fields) // Some answers are no objects.
	c.checkDocumented(r, a)
	return a
}

// documented is what all that is said over HTTP is checked against.
var documented = sync.OnceValues(func() (*openapitest.Checker, error) {
	surfaces, err := (&Settings{}).described()
	if err != nil {
		return nil, err
	}
	document, err := openapi.Document("", "", surfaces...)
	if err != nil {
		return nil, err
	}
	return openapitest.New(document)
})

func (c client) checkDocumented(r *http.Request, a answer) {
	c.t.Helper()
	document, err := documented()
	if err != nil {
		c.t.Fatal(err)
	}
	said := openapitest.Exchange{Request: r, Status: a.status, Header: a.header, Body: a.text}
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			c.t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			c.t.Fatal(err)
		}
		said.RequestBody = string(text)
	}
	if err := document.Check(said); err != nil {
		c.t.Error(err)
	}
}

// servesNothing asks a process without the API for a path that the API has.
func (c client) servesNothing(path string) {
	c.t.Helper()
	response, err := http.Get(c.base + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		c.t.Errorf("%s: %d", path, response.StatusCode)
	}
}

// expect makes a call that must answer a status.
func (c client) expect(status int, method, path, token string, body any) answer {
	c.t.Helper()
	a := c.do(method, path, token, body)
	if a.status != status {
		c.t.Fatalf("%s %s: %d %s", method, path, a.status, a.text)
	}
	return a
}

// detail is what /readyz tells of a process.
func (c client) detail() map[string]any {
	c.t.Helper()
	detail, _ := c.expect(200, "GET", "/readyz", "", nil).fields["detail"].(map[string]any)
	return detail
}

// role is what it tells of a role.
func (c client) role(name string) map[string]any {
	c.t.Helper()
	of, _ := c.detail()[name].(map[string]any)
	return of
}

func (a answer) field(name string) string {
	s, _ := a.fields[name].(string)
	return s
}

func registration(email string) map[string]string {
	return map[string]string{"email": email, "password": "pass123", "phone": "+5511999999999", "role": "CU"}
}

func credentials(email string) map[string]string {
	return map[string]string{"email": email, "password": "pass123"}
}
