package relaytest

import (
	"net"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// Proxy stands between a connection and the server, and can hold back what the server says.
type Proxy struct {
	Server *NATS
	mu     sync.Mutex
	held   chan struct{} // nil, or closed when the server may be heard again
}

// Connect answers a connection through the proxy.
func (p *Proxy) Connect(t testing.TB) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(p), nats.MaxReconnects(-1), nats.ErrorHandler(unheard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Release(); nc.Close() })
	return nc
}

// InProcessConn connects through the proxy.
func (p *Proxy) InProcessConn() (net.Conn, error) {
	c, err := p.Server.InProcessConn()
	return &held{Conn: c, proxy: p}, err
}

// Hold holds back what the server says from now on.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = make(chan struct{})
}

// Release passes on what was held back.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held)
		p.held = nil
	}
}

func (p *Proxy) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		open := make(chan struct{})
		close(open)
		return open
	}
	return p.held
}

type held struct {
	net.Conn
	proxy *Proxy
}

func (h *held) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	<-h.proxy.gate()
	return n, err
}
