package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"gesta/commands"
	"gesta/domain"
)

// Handler answers a request with what is to be shown; nil for no body.
type Handler func(r *Request) (shown any, err error)

// Handle makes a handler of its three words: read the request into what is asked, act on it, show what
// came of it.
func Handle[In, Out any](read func(*Request) (In, error), act func(context.Context, In) (Out, error), show func(Out) any) Handler {
	return func(r *Request) (any, error) {
		in, err := read(r)
		if err != nil {
			return nil, err
		}
		out, err := act(r.Context(), in)
		if err != nil {
			return nil, err
		}
		return show(out), nil
	}
}

// Do makes a handler of an act that leaves nothing to show.
func Do[In any](read func(*Request) (In, error), act func(context.Context, In) error) Handler {
	return func(r *Request) (any, error) {
		in, err := read(r)
		if err != nil {
			return nil, err
		}
		return nil, act(r.Context(), in)
	}
}

// Lookup finds a thing by its key: in the read model, or from the folded state.
type Lookup[K, T any] struct {
	Find      func(context.Context, K) (T, error)
	FromState func(context.Context, K) (T, error)
}

// Then follows an act with a look at the thing it was about, so that a POST answers what a GET would. It
// asks the read model only when that has just shown what the request wrote: who changed nothing was not
// waited for, and the model may lag, or be in building. What stands is shown even where the act has used up
// the time of the request.
func Then[In, K, T any](act func(context.Context, In) (K, error), l Lookup[K, T]) func(context.Context, In) (T, error) {
	return func(ctx context.Context, in In) (T, error) {
		key, err := act(ctx, in)
		if err != nil {
			var none T
			return none, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), showTime)
		defer cancel()
		if commands.IsSettled(ctx) {
			if found, err := l.Find(ctx, key); err == nil {
				return found, nil
			}
		}
		return l.FromState(ctx, key)
	}
}

// showTime is how long it may take to look at what was done.
const showTime = 2 * time.Second

// Host is what the rows of all surfaces share.
type Host struct {
	Limits *Limiter
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
		shown, err := h.answer(r)
		if receipt.Position > 0 {
			c.Response().Header().Set(eventPosition, strconv.FormatInt(receipt.Position, 10))
		}
		if receipt.Pending {
			c.Response().Header().Set(readModel, "pending")
		}
		if err != nil {
			return err
		}
		return s.Dialect.show(c.Response(), route.Status, shown)
	}
}

// hasSlash finds paths that are longer than their row: the router gives all that is left to the last
// parameter.
func hasSlash(param string) bool { return strings.Contains(param, "/") }

func (h Host) answer(r *Request) (any, error) {
	if err := h.Limits.allow(r); err != nil {
		return nil, err
	}
	if err := r.identify(); err != nil {
		return nil, err
	}
	if err := h.awaitPosition(r); err != nil {
		return nil, err
	}
	return r.route.Handler(r)
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
