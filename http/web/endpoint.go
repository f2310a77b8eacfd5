package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"gesta/commands"
	"gesta/domain"
)

// Host is what the rows of all surfaces share.
type Host struct {
	Limits   *Limiter
	Requests Requests
	// Reached waits until the read models have passed a position.
	Reached func(ctx context.Context, position int64) error
}

// The headers that carry positions.
const (
	eventPosition = "X-Event-Position"
	readModel     = "X-Read-Model"
	minPosition   = "X-Min-Position"
)

// Serve answers a row's requests.
func (h Host) Serve(s Surface, route Route) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !strings.Contains(route.Path, "*") && slices.ContainsFunc(c.ParamValues(), hasSlash) {
			return echo.ErrNotFound
		}
		ctx, receipt := commands.WithReceipt(c.Request().Context())
		r := &Request{ctx: ctx, echo: c, surface: s, route: route}
		answer, err := h.Limits.guard(r, h.answer)
		if receipt.Position > 0 {
			c.Response().Header().Set(eventPosition, strconv.FormatInt(receipt.Position, 10))
		}
		if receipt.Pending {
			c.Response().Header().Set(readModel, "pending")
		}
		if err != nil {
			return err
		}
		if len(route.Handler.Forms) > 0 {
			c.Response().Header().Add("Vary", "Accept")
		}
		switch {
		case answer.stream != nil:
			r.keep(c.Response().Header())
			answer.stream.leaveTo(c, r.ctx)
			return nil
		case answer.page != nil:
			r.keep(c.Response().Header())
			return write(c.Response(), route.Status, *answer.page)
		}
		tag, err := r.tagOf(answer, receipt)
		if err != nil {
			return err
		}
		fresh, err := r.isFresh(tag)
		if err != nil {
			return err
		}
		r.keep(c.Response().Header())
		if tag != "" {
			c.Response().Header().Set("ETag", tag)
		}
		if fresh {
			return c.NoContent(http.StatusNotModified)
		}
		if route.Handler.Type != "" {
			return write(c.Response(), route.Status, Body{Type: route.Handler.Type, Value: answer.Shown})
		}
		return s.Dialect.show(c.Response(), route.Status, answer.Shown)
	}
}

// hasSlash finds paths that are longer than their row: the router gives all that is left to the last
// parameter.
func hasSlash(param string) bool { return strings.Contains(param, "/") }

// answer says nothing, whatever the row had to say, before the caller's proof has come out good.
func (h Host) answer(r *Request) (Answer, error) {
	r.ctx = commands.Proving(r.ctx)
	answer, err := h.act(r)
	if unproven := commands.Proven(r.ctx); unproven != nil {
		return h.ended(r, unproven)
	}
	return answer, err
}

func (h Host) act(r *Request) (Answer, error) {
	if err := r.identify(); err != nil {
		return Answer{}, err
	}
	if err := h.awaitPosition(r); err != nil {
		return Answer{}, err
	}
	if err := errors.Join(r.single(), r.provide()); err != nil {
		return Answer{}, err
	}
	return h.Limits.try(r, h.once)
}

// errPosition refuses a position that is none.
var errPosition = &domain.Fault{Kind: domain.Invalid, Code: "invalid_position", Text: "invalid " + minPosition}

// awaitPosition lets a reader ask for what somebody else's write made true.
func (h Host) awaitPosition(r *Request) error {
	text := r.echo.Request().Header.Get(minPosition)
	if text == "" || r.route.Method != http.MethodGet {
		return nil
	}
	position, err := strconv.ParseInt(text, 10, 64)
	if err != nil || position < 0 {
		return errPosition
	}
	if err := commands.Proven(r.ctx); err != nil {
		return err // Only who is known may keep anybody waiting.
	}
	if r.surface.Reached != nil {
		return r.surface.Reached(r.ctx, position)
	}
	return h.Reached(r.ctx, position)
}

// ErrInternal is all that is said of an error that is no fault.
var ErrInternal = &domain.Fault{Kind: domain.Internal, Code: "internal", Text: "internal server error"}

// FaultOf answers the fault in err, ErrInternal where there is none.
func FaultOf(err error) *domain.Fault {
	var f *domain.Fault
	if errors.As(err, &f) {
		return f
	}
	return ErrInternal
}
