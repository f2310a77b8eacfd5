// Package server puts the surfaces on one router, each with the paths it owns, beside health and metrics.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/http/web"
)

// Server answers all surfaces.
type Server struct {
	Surfaces  []web.Surface
	Documents []Document
	Host      web.Host
	Ready     func(context.Context) Readiness
	Metrics   *prometheus.Registry
	Log       *slog.Logger
	Tracer    trace.Tracer // nil for no spans
	Limits    Limits
	Times     Times
	Proxies   Proxies

	gate        *gate
	held        atomic.Int64 // bytes of bodies
	connections *connections
	refusals    *prometheus.CounterVec
	draining    atomic.Bool
	places      *places         // of streams
	life        context.Context // ends when the server drains
	endStreams  context.CancelFunc
}

// Handler answers requests to every path.
func (s *Server) Handler() http.Handler {
	s.Limits, s.Times = s.Limits.orDefault(), s.Times.orDefault()
	s.gate = newGate(s.Limits.Requests, s.Times.Wait)
	s.places = &places{all: s.Limits.Streams, each: s.Limits.OwnStreams, own: map[identity.SessionID]int{}}
	s.life, s.endStreams = context.WithCancel(context.Background())
	s.observeGate()
	s.countRefusals()
	s.Host.Limits.Observe(s.Metrics)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = s.Proxies.client
	e.HTTPErrorHandler = s.refuse
	e.Pre(s.Proxies.disbelieve, trimSlash)
	e.Use(s.observe(), guard, s.identifyRequest, s.cors, refuseBadText, refuseLonger, s.recover())
	for _, surface := range s.Surfaces {
		s.mount(e, surface)
	}
	s.mountDocuments(e)
	s.mountOperations(e)
	return e
}

func (s *Server) mount(e *echo.Echo, surface web.Surface) {
	for _, route := range surface.Routes {
		h := s.admit(s.serve(surface, route))
		if route.Access.Public && route.Credential {
			h = s.admitStrangers(h)
		}
		h = s.readBody(h)
		if len(route.Handler.Forms) > 0 {
			h = s.streaming(h)
		}
		e.Add(route.Method, route.Path, h)
		if route.Method == http.MethodGet && !route.Unheaded {
			e.HEAD(route.Path, h) // The server leaves the body out.
		}
	}
}

// serve answers a row's requests, in gzip where no token is in the answer.
func (s *Server) serve(surface web.Surface, route web.Route) echo.HandlerFunc {
	h := s.Host.Serve(surface, route)
	if !route.Secret {
		h = compressed(h)
	}
	return h
}

// refuse says an error in the words of the surface that owns the path.
func (s *Server) refuse(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	fault := faultOf(err)
	s.countRefusal(fault)
	if fault.Kind == domain.Internal && !errors.Is(err, errPanic) {
		s.Log.ErrorContext(c.Request().Context(), "request failed", "error", err)
	}
	if err := s.dialect(c).Refuse(c.Response(), fault); err != nil {
		s.Log.DebugContext(c.Request().Context(), "answer not written", "error", err)
	}
}

// dialect is the owner's, or that of problems where there is no owner or the client asks for it.
func (s *Server) dialect(c echo.Context) web.Dialect {
	r := c.Request()
	owner, found := web.Owner(s.Surfaces, r.URL.Path)
	if h := c.Response().Header(); found && !slices.Contains(h["Vary"], "Accept") {
		h.Add("Vary", "Accept")
	}
	if found && !owner.Dialect.SaysProblems && !web.WantsProblem(r) {
		return owner.Dialect
	}
	return owner.Dialect.Problems(domain.MetaOf(r.Context()).Request)
}

// faults are the refusals of the router itself.
var faults = map[int]*domain.Fault{
	http.StatusNotFound:         {Kind: domain.NotFound, Code: "not_found", Text: "not found"},
	http.StatusMethodNotAllowed: {Kind: domain.NotAllowed, Code: "method_not_allowed", Text: "method not allowed"},
}

// errLeft is what nobody hears: the client has left, and nobody failed.
var errLeft = &domain.Fault{Kind: domain.Unavailable, Code: "client_left", Text: "the client has left"}

func faultOf(err error) *domain.Fault {
	var he *echo.HTTPError
	if errors.As(err, &he) && faults[he.Code] != nil {
		return faults[he.Code]
	}
	switch fault := web.FaultOf(err); {
	case fault != web.ErrInternal:
		return fault
	case errors.Is(err, context.Canceled):
		return errLeft
	case errors.Is(err, context.DeadlineExceeded):
		return domain.ErrUnavailable // The request's time has run out.
	}
	return web.ErrInternal
}

// errPanic stands for a panic that was logged.
var errPanic = errors.New("panic")

// recover turns a panic into an error with its stack, which is logged and not shown.
func (s *Server) recover() echo.MiddlewareFunc {
	return middleware.RecoverWithConfig(middleware.RecoverConfig{
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			s.Log.ErrorContext(c.Request().Context(), "panic", "error", err, "stack", string(stack))
			return errPanic
		},
		DisableStackAll: true, DisableErrorHandler: true,
	})
}

// trimSlash makes a path with a slash at its end the same as one without.
func trimSlash(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		said := u.EscapedPath() // A slash that is written %2F is none.
		if trimmed := strings.TrimRight(said, "/"); trimmed != "" {
			u.Path, u.RawPath = u.Path[:len(u.Path)-len(said)+len(trimmed)], strings.TrimRight(u.RawPath, "/")
		}
		return next(c)
	}
}
