package server

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// connections keeps the number of open connections bounded. When there are too many, the one that has
// been without a request for longest gives way, so that nobody can keep others out by holding connections.
// Those with a request end by themselves: each of its steps has a time.
type connections struct {
	most int
	mu   sync.Mutex
	idle map[net.Conn]time.Time // since when; zero for those with a request
}

func newConnections(most int, metrics *prometheus.Registry) *connections {
	c := &connections{most: most, idle: map[net.Conn]time.Time{}}
	metrics.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "gesta_http_connections", Help: "Open connections."},
		func() float64 { return float64(c.open()) }))
	return c
}

func (c *connections) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.idle)
}

// changed hears of every change of a connection.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.idle[conn] = time.Now()
		if len(c.idle) > c.most {
			c.makeRoom()
		}
	case http.StateIdle:
		c.idle[conn] = time.Now()
	case http.StateActive:
		c.idle[conn] = time.Time{}
	default:
		delete(c.idle, conn)
	}
}

// makeRoom finds at least the newest connection, which has said nothing yet.
func (c *connections) makeRoom() {
	var longest net.Conn
	for conn, since := range c.idle {
		if !since.IsZero() && (longest == nil || since.Before(c.idle[longest])) {
			longest = conn
		}
	}
	delete(c.idle, longest)
	_ = longest.Close() // Its reader finds out.
}

// A connection that has been silent for so long when the server ends has no request on its way.
const silence = 100 * time.Millisecond

// end waits until all connections have ended, and closes those that are silent. No new ones may come. It
// tells whether they ended in time.
func (c *connections) end(within time.Duration) bool {
	enough, tick := time.After(within), time.NewTicker(silence/10)
	defer tick.Stop()
	for c.open() > 0 {
		select {
		case <-enough:
			return false
		case <-tick.C:
			c.closeSilent()
		}
	}
	return true
}

func (c *connections) closeSilent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, since := range c.idle {
		if !since.IsZero() && time.Since(since) > silence {
			_ = conn.Close() // Its reader finds out.
		}
	}
}
