package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gesta/domain"
	"gesta/http/web"
)

// Readiness says whether this process can do the work of its roles, and what is not as it should be.
type Readiness struct {
	Ready  bool           `json:"ready"`
	Detail map[string]any `json:"detail"`
}

func (s *Server) mountOperations(e *echo.Echo) {
	both := []string{http.MethodGet, http.MethodHead}
	e.Match(both, "/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	e.Match(both, "/readyz", s.readyz)
	e.Match(both, "/metrics", echo.WrapHandler(promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{})))
}

// readyTime is how long readiness may take to find out: a probe must not wait for a database that hangs.
const readyTime = 2 * time.Second

func (s *Server) readyz(c echo.Context) error {
	if s.draining.Load() {
		return c.JSON(http.StatusServiceUnavailable, Readiness{Detail: map[string]any{"draining": true}})
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyTime)
	defer cancel()
	r := s.Ready(ctx)
	if !r.Ready {
		return c.JSON(http.StatusServiceUnavailable, r)
	}
	return c.JSON(http.StatusOK, r)
}

// countRefusals counts what could not be answered at the moment, by why.
func (s *Server) countRefusals() {
	s.refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gesta_http_refused_total", Help: "Requests that could not be served at the moment, by the refusal's code.",
	}, []string{"reason"})
	s.Metrics.MustRegister(s.refusals)
}

func (s *Server) countRefusal(f *domain.Fault) {
	if f.Kind == domain.Unavailable {
		s.refusals.WithLabelValues(f.Code).Inc()
	}
}

// observe counts and times every request by the template of its route, never by its path: paths and
// queries hold what is personal.
func (s *Server) observe() echo.MiddlewareFunc {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gesta_http_request_seconds", Help: "Time to answer, by route template.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
	}, []string{"method", "route", "status"})
	replayed := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "gesta_http_replayed_total", Help: "Requests that were asked again under an Idempotency-Key.",
	})
	broken := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gesta_http_broken_off_total", Help: "Answers that were broken off, because they failed or their client left, by route template.",
	}, []string{"route"})
	s.Metrics.MustRegister(seconds, replayed, broken)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			began, whole := time.Now(), false
			defer func() { // Also for one that is broken off, by a panic which nobody but net/http recovers from.
				took := time.Since(began)
				if c.Response().Header().Get(web.Replayed) != "" {
					replayed.Inc()
				}
				if !whole {
					broken.WithLabelValues(routeOf(c)).Inc()
				}
				seconds.WithLabelValues(methodOf(c), routeOf(c), strconv.Itoa(c.Response().Status)).Observe(took.Seconds())
				s.logRequest(c, took, whole)
				endSpan(c, whole)
			}()
			if err := next(c); err != nil {
				c.Error(err) // The answer must be written before its status is known.
			}
			whole = true
			return nil
		}
	}
}

// endSpan says of a request's span what the metrics say of the request, and which one it was.
func endSpan(c echo.Context, whole bool) {
	ctx := c.Request().Context()
	span := trace.SpanFromContext(ctx)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	meta, status := domain.MetaOf(ctx), c.Response().Status
	method, name := spelled(methodOf(c))
	span.SetName(name)
	span.SetAttributes(
		attribute.String("http.request.method", method), attribute.Int("http.response.status_code", status),
		attribute.String("gesta.surface", meta.Surface), attribute.String("gesta.request_id", meta.Request))
	if route := routeOf(c); route != "" {
		span.SetName(name + " " + route)
		span.SetAttributes(attribute.String("http.route", route))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	if !whole {
		span.SetStatus(codes.Error, "broken off")
	}
}

func (s *Server) logRequest(c echo.Context, took time.Duration, whole bool) {
	attrs := []any{
		"surface", domain.MetaOf(c.Request().Context()).Surface, "method", methodOf(c), "route", routeOf(c),
		"status", c.Response().Status, "bytes", c.Response().Size, "ms", float64(took.Microseconds()) / 1000,
	}
	if !whole {
		attrs = append(attrs, "broken_off", true)
	}
	s.Log.InfoContext(c.Request().Context(), "request", attrs...)
}

// spelled answers a method as OpenTelemetry's conventions have it, in an attribute and in a span's name.
func spelled(method string) (attribute, name string) {
	if method == otherMethod {
		return "_OTHER", "HTTP"
	}
	return method, method
}

// routeOf is empty where no route was found: what a client made up is no label.
func routeOf(c echo.Context) string {
	if p := c.Path(); p != "" && p[0] == '/' && c.Response().Status != http.StatusMethodNotAllowed {
		return p
	}
	return ""
}

const otherMethod = "other"

// methodOf keeps the methods that clients make up out of the metrics.
func methodOf(c echo.Context) string {
	switch m := c.Request().Method; m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return otherMethod
}
