package web

import (
	"context"
	"strings"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/identity"
)

// Requests has what is asked under a key happen once. *commands.Executor does.
type Requests interface {
	Repeat(ctx context.Context, r commands.Request, do func(context.Context) error) (made commands.Made, again bool, err error)
	Repeated(ctx context.Context, r commands.Request) (made commands.Made, again bool, err error)
	Settled(ctx context.Context, made commands.Made) error
}

// The headers of a request that is to happen once, and of the answer when it had happened.
const (
	idempotencyKey = "Idempotency-Key"
	Replayed       = "Idempotency-Replayed"
)

// errKey refuses a key that is none.
var errKey = &domain.Fault{Kind: domain.Invalid, Code: "invalid_idempotency_key", Text: "invalid " + idempotencyKey}

// maxKey is the longest key, in characters.
const maxKey = 255

// once acts, unless the request has a key under which that was done before: then it shows what came of it.
func (h Host) once(r *Request) (answer Answer, err error) {
	asked, keyed, err := r.keyed()
	switch {
	case err != nil:
		return answer, err
	case !keyed:
		return r.route.Handler.act(r)
	}
	made, again, err := h.Requests.Repeat(r.ctx, asked, func(ctx context.Context) (err error) {
		defer func(was context.Context) { r.ctx = was }(r.ctx)
		r.ctx = ctx
		answer, err = r.route.Handler.act(r)
		return err
	})
	if err != nil || !again {
		return answer, err
	}
	return h.again(r, made)
}

func (h Host) again(r *Request, made commands.Made) (Answer, error) {
	if err := h.Requests.Settled(r.ctx, made); err != nil {
		return Answer{}, err
	}
	answer, err := r.route.Handler.again(r, made)
	if err == nil {
		r.echo.Response().Header().Set(Replayed, "true")
	}
	return answer, err
}

// ended answers whose session has ended what it was: also who has ended it by this very request, and asks again.
func (h Host) ended(r *Request, unproven error) (Answer, error) {
	asked, keyed, err := r.keyed()
	if !r.route.Session || !keyed || err != nil {
		return Answer{}, unproven
	}
	r.ctx = commands.Unproven(r.ctx)
	made, again, err := h.Requests.Repeated(r.ctx, asked)
	if err != nil || !again {
		return Answer{}, unproven
	}
	return h.again(r, made)
}

// keyed answers what is asked once, if the request has a key and the row knows keys.
func (r *Request) keyed() (asked commands.Request, keyed bool, err error) {
	keys := r.echo.Request().Header.Values(idempotencyKey)
	if !r.route.Keyed() || len(keys) == 0 {
		return asked, false, nil
	}
	if len(keys) > 1 || !isKey(keys[0]) {
		return asked, false, errKey
	}
	body, err := r.text()
	if err != nil {
		return asked, false, unread(err)
	}
	u := r.echo.Request().URL
	return commands.Request{
		Scope: r.keeper(), Key: keys[0],
		Asks: strings.Join([]string{r.route.Method, u.EscapedPath(), u.RawQuery, string(body)}, "\n"),
	}, true, nil
}

// keeper is whose keys a request's are: its caller's, or those of the row's where nobody is known.
func (r *Request) keeper() string {
	switch {
	case r.Caller == identity.Caller{}:
		return r.surface.row(r.route)
	case r.route.Session:
		return r.Caller.Realm + " session " + r.Caller.Session.String()
	}
	return r.Caller.Realm + " user " + r.Caller.User.String()
}

func isKey(s string) bool {
	return s != "" && len(s) <= maxKey && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' })
}
