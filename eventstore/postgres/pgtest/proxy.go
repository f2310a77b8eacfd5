package pgtest

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy stands between whoever connects and the server, and does to what flows what a network may.
type Proxy struct {
	listener net.Listener
	server   string
	pumps    sync.WaitGroup

	mu      sync.Mutex
	tunnels []*tunnel
	stalled bool // new connections get no answer
}

// tunnel is one connection, with a gate for each way.
type tunnel struct {
	client, server net.Conn
	up, down       *gate
}

// NewProxy answers a proxy and the URL of the same database through it.
func NewProxy(t testing.TB, databaseURL string) (p *Proxy, through string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &Proxy{listener: l}
	through = with(databaseURL, func(u *url.URL) { p.server, u.Host = u.Host, l.Addr().String() })
	p.pumps.Go(p.accept)
	t.Cleanup(p.close)
	return p, through
}

func (p *Proxy) accept() {
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

func (p *Proxy) join(t *tunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled {
		t.up.hold(0)
	}
	p.tunnels = append(p.tunnels, t)
	p.pumps.Go(func() { t.up.pump(t.server, t.client) })
	p.pumps.Go(func() { t.down.pump(t.client, t.server) })
}

// each does something to every connection there is.
func (p *Proxy) each(do func(*tunnel)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tunnels {
		do(t)
	}
}

// Stall holds whatever is sent to the server, on every connection there is or will be.
func (p *Proxy) Stall() {
	p.setStalled(true)
	p.HoldAfter(0)
}

// HoldAfter lets so many more bytes pass to the server on each connection there is, and holds the rest.
func (p *Proxy) HoldAfter(bytes int) { p.each(func(t *tunnel) { t.up.hold(bytes) }) }

// LoseAnswers swallows whatever the server says on the connections there are.
func (p *Proxy) LoseAnswers() { p.each(func(t *tunnel) { t.down.lose() }) }

// Flow ends all hindrances.
func (p *Proxy) Flow() {
	p.setStalled(false)
	p.each(func(t *tunnel) { t.up.open(); t.down.open() })
}

func (p *Proxy) setStalled(stalled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = stalled
}

// Cut ends every connection on both sides.
func (p *Proxy) Cut() { p.each((*tunnel).cut) }

// Desert ends every connection on the client's side alone: the server doesn't hear of it as long as
// the gates hold.
func (p *Proxy) Desert() { p.each(func(t *tunnel) { _ = t.client.Close() }) }

// Holds is how much stands before the gates to the server.
func (p *Proxy) Holds() (n int) {
	p.each(func(t *tunnel) { n += t.up.holds() })
	return n
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.Flow()
	p.Cut()
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
