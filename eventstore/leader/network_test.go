package leader_test

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// network stands before a server, and can lose everything that is said without a word.
type network struct {
	url    string
	server string
	silent atomic.Bool
	mu     sync.Mutex
	conns  []net.Conn
	copies sync.WaitGroup
}

func between(t *testing.T, server string) *network {
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{server: u.Host}
	u.Host = l.Addr().String()
	n.url = u.String()
	n.copies.Go(func() { n.accept(l) })
	t.Cleanup(func() { l.Close(); n.hangUp(); n.copies.Wait() })
	return n
}

func (n *network) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", n.server)
		if err != nil {
			client.Close()
			continue
		}
		n.mu.Lock()
		n.conns = append(n.conns, client, server)
		n.mu.Unlock()
		n.copies.Go(func() { n.copy(client, server) })
		n.copies.Go(func() { n.copy(server, client) })
	}
}

func (n *network) copy(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 4096)
	for {
		size, err := from.Read(b)
		if err != nil {
			return
		}
		if n.silent.Load() {
			continue
		}
		if _, err := to.Write(b[:size]); err != nil {
			return
		}
	}
}

// hangUp ends all connections there are.
func (n *network) hangUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}
