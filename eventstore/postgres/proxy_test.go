package postgres

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between a store and its server and does to what flows what a network may.
type proxy struct {
	listener net.Listener
	server   string
	pumps    sync.WaitGroup

	mu      sync.Mutex
	tunnels []*tunnel
	stalled bool // new connections get no answer
	away    bool // new connections end at once
}

// tunnel is one connection, with a gate for each way.
type tunnel struct {
	client, server net.Conn
	up, down       *gate
}

// newProxy answers a proxy and the URL of the same database through it.
func newProxy(t *testing.T, databaseURL string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: u.Host}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.pumps.Go(p.accept)
	t.Cleanup(p.close)
	u.Host = p.listener.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.join(&tunnel{client: client, server: server, up: newGate(), down: newGate()})
	}
}

func (p *proxy) join(t *tunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		t.cut()
		return
	}
	if p.stalled {
		t.up.hold(0)
	}
	p.tunnels = append(p.tunnels, t)
	p.pumps.Go(func() { t.up.pump(t.server, t.client) })
	p.pumps.Go(func() { t.down.pump(t.client, t.server) })
}

// each does something to every connection there is.
func (p *proxy) each(do func(*tunnel)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tunnels {
		do(t)
	}
}

// stall holds whatever is sent to the server, on every connection there is or will be.
func (p *proxy) stall() {
	p.set(true, false)
	p.each(func(t *tunnel) { t.up.hold(0) })
}

// flow ends all hindrances.
func (p *proxy) flow() {
	p.set(false, false)
	p.each(func(t *tunnel) { t.up.open(); t.down.open() })
}

func (p *proxy) set(stalled, away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled, p.away = stalled, away
}

// cut ends every connection on both sides.
func (p *proxy) cut() { p.each((*tunnel).cut) }

// desert ends every connection on the client's side alone: the server doesn't hear of it as long as
// the gates hold.
func (p *proxy) desert() { p.each(func(t *tunnel) { _ = t.client.Close() }) }

// holds is how much stands before the gates to the server.
func (p *proxy) holds() (n int) {
	p.each(func(t *tunnel) { n += t.up.holds() })
	return n
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.flow()
	p.cut()
	p.pumps.Wait()
}

func (t *tunnel) cut() {
	_ = t.client.Close()
	_ = t.server.Close()
}

// gate lets bytes flow one way, holds them or swallows them.
type gate struct {
	mu      sync.Mutex
	change  *sync.Cond
	held    int
	holding bool
	pass    int // bytes that pass before the rest is held
	swallow bool
}

func newGate() *gate {
	g := &gate{}
	g.change = sync.NewCond(&g.mu)
	return g
}

func (g *gate) open()          { g.set(false, false, 0) }
func (g *gate) hold(after int) { g.set(true, false, after) }
func (g *gate) lose()          { g.set(false, true, 0) }

func (g *gate) set(holding, swallow bool, pass int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holding, g.swallow, g.pass = holding, swallow, pass
	g.change.Broadcast()
}

func (g *gate) holds() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// pump ends the other side when one side has ended and all it sent has passed.
func (g *gate) pump(to, from net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		for b := buf[:n]; len(b) > 0; {
			passing, lost := g.admit(len(b))
			if !lost {
				_, _ = to.Write(b[:passing])
			}
			b = b[passing:]
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// admit waits until some of n bytes may pass or are lost, and answers how many.
func (g *gate) admit(n int) (passing int, lost bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held += n
	defer func() { g.held -= n }()
	for g.holding && g.pass == 0 {
		g.change.Wait()
	}
	if !g.holding {
		return n, g.swallow
	}
	passing = min(n, g.pass)
	g.pass -= passing
	return passing, false
}
