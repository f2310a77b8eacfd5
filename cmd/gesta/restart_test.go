package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gesta/cmd/gesta/loadgen"
	"gesta/eventstore/wait"
)

// balancer hands each connection to the next backend that takes it. It knows nothing of HTTP.
type balancer struct {
	backends []string
	next     atomic.Int64
}

func (b *balancer) listen(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go b.carry(conn)
		}
	}()
	return l.Addr().String()
}

func (b *balancer) carry(client net.Conn) {
	defer client.Close()
	for range b.backends {
		backend, err := net.Dial("tcp", b.backends[int(b.next.Add(1))%len(b.backends)])
		if err != nil {
			continue
		}
		defer backend.Close()
		go func() {
			_, _ = io.Copy(backend, client) // Its end is the connection's.
			_ = backend.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(client, backend) // Its end is the connection's.
		return
	}
}

// customer keeps changing its own phone number, and looks at it after each change.
type customer struct {
	loadgen.Client
	email, id, token, phone string
	asked                   int
}

// live goes on until told to end, or something goes wrong. It takes breaks: an idle connection is what a
// server closes without a word.
func (c *customer) live(end context.Context) error {
	defer c.Close()
	for n := 0; end.Err() == nil; n++ {
		if err := c.step(n); err != nil {
			return fmt.Errorf("%s, after %d requests: %w", c.email, c.asked, err)
		}
		select {
		case <-end.Done():
		case <-time.After(rand.N(50 * time.Millisecond)):
		}
	}
	return nil
}

func (c *customer) step(n int) error {
	if n%20 == 0 { // A new self.
		c.email = fmt.Sprintf("%d.%s", n, strings.TrimLeft(c.email, "0123456789."))
		c.phone = registration("")["phone"]
		user, err := c.ask(201, loadgen.Message("POST", "/users", "", registration(c.email)))
		if err != nil {
			return err
		}
		c.id = user.field("id")
	}
	if n%10 == 0 {
		login, err := c.ask(200, loadgen.Message("POST", "/auth/login", "", credentials(c.email)))
		if err != nil {
			return err
		}
		c.token = login.field("access_token")
	}
	phone := fmt.Sprint(n)
	changed, err := c.ask(200, loadgen.Message("PUT", "/users/"+c.id, c.token, map[string]string{"phone": phone}))
	if err != nil {
		return err
	}
	c.phone = phone
	seen, err := c.ask(200, loadgen.Message("GET", "/users/"+c.id, c.token, nil, "X-Min-Position", changed.header.Get("X-Event-Position")))
	if err == nil && seen.field("phone") != phone {
		err = fmt.Errorf("reads %s instead of %s", seen.field("phone"), phone)
	}
	return err
}

func (c *customer) ask(status int, request []byte) (answer, error) {
	c.asked++
	got, err := c.Send(request)
	a := answer{status: got.Status, header: got.Header(), text: got.Text}
	if err == nil && a.status != status {
		err = fmt.Errorf("%d %s", a.status, a.text)
	}
	_ = json.Unmarshal([]byte(a.text), &a.fields) // Some answers are no objects.
	if err != nil {
		verb, _, _ := strings.Cut(string(request), " HTTP")
		err = fmt.Errorf("%s: %w", verb, err)
	}
	return a, err
}

// Three replicas behind a plain balancer are restarted in turn while clients go on: nobody notices.
func TestARollingRestartFailsNoRequest(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env = append(slices.Clone(i.env), "GESTA_DRAIN=500ms")
	const replicas, clients = 3, 24
	b := &balancer{}
	var running []*process
	for range replicas {
		p, c := i.serveAt(t, freeAddress(t), "api,relay,projector") // It comes back there.
		running, b.backends = append(running, p), append(b.backends, strings.TrimPrefix(c.base, "http://"))
	}
	address := b.listen(t)
	end, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	var asked atomic.Int64
	last := make([]*customer, clients)
	for n := range clients {
		c := &customer{Client: loadgen.Client{Address: address}, email: fmt.Sprintf("client%d@example.com", n)}
		last[n] = c
		all.Go(func() {
			if err := c.live(end); err != nil {
				t.Error(err)
				stop()
			}
			asked.Add(int64(c.asked))
		})
	}
	for n, p := range running {
		p.signal(syscall.SIGTERM)
		p.awaitExit(0)
		i.serveAt(t, b.backends[n], "api,relay,projector")
	}
	stop()
	all.Wait()
	if t.Failed() {
		return
	}
	for _, c := range last {
		for _, backend := range b.backends {
			api := client{t, "http://" + backend}
			wait.Until(t, "what was acknowledged is read", func() bool {
				return api.do("GET", "/users/"+c.id, c.token, nil).field("phone") == c.phone
			})
		}
	}
	t.Logf("%d requests", asked.Load())
}
