package server

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"gesta/domain"
)

// gate lets a bounded number of requests work at once, and as many again wait for their turn; whoever
// comes when the line is full is refused at once. First come, first served: the line is so short that
// whoever stands in it is served soon, and to serve the latest first would only make refusals slow.
type gate struct {
	present   chan struct{} // a token for each request that works or waits
	working   chan struct{} // and one for each that works
	strangers chan struct{} // and one for each present one that tries a credential
	wait      time.Duration
}

func newGate(requests int, wait time.Duration) *gate {
	return &gate{
		present: make(chan struct{}, 2*requests), working: make(chan struct{}, requests),
		strangers: make(chan struct{}, requests), wait: wait,
	}
}

// errOverloaded refuses what would have to wait for too long.
var errOverloaded = &domain.Fault{
	Kind: domain.Unavailable, Code: "overloaded", Text: "overloaded, try again shortly", Retry: time.Second,
}

// enter waits for a turn.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.present <- struct{}{}:
	default:
		return errOverloaded
	}
	select {
	case g.working <- struct{}{}:
		return nil
	default:
	}
	enough := time.NewTimer(g.wait)
	defer enough.Stop()
	select {
	case g.working <- struct{}{}:
		return nil
	case <-enough.C:
		<-g.present
		return errOverloaded
	case <-ctx.Done():
		<-g.present
		return ctx.Err()
	}
}

func (g *gate) leave() {
	<-g.working
	<-g.present
}

// observeGate makes the numbers of those who work and of those who wait metrics, and what they have sent.
func (s *Server) observeGate() {
	gauge := func(name, help string, value func() int) {
		s.Metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value()) }))
	}
	g := s.gate
	gauge("gesta_http_working", "Requests at work.", func() int { return len(g.working) })
	gauge("gesta_http_waiting", "Requests that wait for their turn.", func() int { return max(0, len(g.present)-len(g.working)) })
	gauge("gesta_http_streams", "Streams that are written.", s.places.open)
	gauge("gesta_http_body_bytes", "Bytes of requests' bodies that are held.", func() int { return int(s.held.Load()) })
}

// admitStrangers keeps those who only try to get in to half of the places: a flood of them must not leave
// those who are in without a place in line.
func (s *Server) admitStrangers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		select {
		case s.gate.strangers <- struct{}{}:
		default:
			return errOverloaded
		}
		defer func() { <-s.gate.strangers }()
		return next(c)
	}
}

// admit lets a request in when it is its turn, and gives it its time. A client that leaves while it
// waits loses its turn. One that leaves later stops nothing: it may only have closed its own half of the
// connection, and to break off a query costs the connection to the database.
func (s *Server) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if err := s.gate.enter(r.Context()); err != nil {
			return err
		}
		defer s.gate.leave()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.Times.Request)
		defer cancel()
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}
