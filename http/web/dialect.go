// Package web is the machinery that every surface is made of: a row of a route table reads a request,
// acts, and shows what came of it. A surface owns only its words for that.
package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"

	"gesta/domain"
	"gesta/projections"
)

// Dialect is how a surface says things.
type Dialect struct {
	// Envelope wraps what a row shows, which may be Listed; it may set headers. Nil shows it bare.
	Envelope func(h http.Header, shown any) any
	// Fault says a refusal.
	Fault func(f *domain.Fault) Body
	// SaysProblems tells that all refusals are problems.
	SaysProblems bool
}

// Body is a content type with what goes under it: a string or bytes as they are, or anything as JSON. A refusal may
// bring a status of its own.
type Body struct {
	Type   string
	Value  any
	Status int // 0 for that of the fault's kind
}

// The content types that are answered.
const (
	JSON        = "application/json"
	ProblemJSON = "application/problem+json"
)

// List is one page of a list with the number of items on all pages.
type List[T any] struct {
	Items []T
	Page  projections.Page
	Total int
}

// ListOf shows a page of a list, each item as show does.
func ListOf[From, To any](p projections.Paged[From], show func(From) To) List[To] {
	l := List[To]{Items: make([]To, len(p.Rows)), Page: p.Page, Total: p.Total}
	for i, row := range p.Rows {
		l.Items[i] = show(row)
	}
	return l
}

// Listed is a List of anything, for envelopes.
type Listed interface {
	Listing() (items any, p projections.Page, total int)
}

// Listing takes the list apart.
func (l List[T]) Listing() (items any, p projections.Page, total int) {
	return l.Items, l.Page, l.Total
}

// statuses are what the kinds of refusal are on HTTP.
var statuses = map[domain.Kind]int{
	domain.Internal:        http.StatusInternalServerError,
	domain.Invalid:         http.StatusBadRequest,
	domain.Unauthenticated: http.StatusUnauthorized,
	domain.Forbidden:       http.StatusForbidden,
	domain.NotFound:        http.StatusNotFound,
	domain.Conflict:        http.StatusConflict,
	domain.Outdated:        http.StatusPreconditionFailed,
	domain.Unprocessable:   http.StatusUnprocessableEntity,
	domain.TooLarge:        http.StatusRequestEntityTooLarge,
	domain.Unsupported:     http.StatusUnsupportedMediaType,
	domain.NotAllowed:      http.StatusMethodNotAllowed,
	domain.TooMany:         http.StatusTooManyRequests,
	domain.Unavailable:     http.StatusServiceUnavailable,
}

// Refuse writes a fault in the dialect.
func (d Dialect) Refuse(w http.ResponseWriter, f *domain.Fault) error {
	if f.Retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetrySeconds()))
	}
	if f.Kind == domain.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body := d.Fault(f)
	return write(w, cmp.Or(body.Status, statuses[f.Kind]), body)
}

func (d Dialect) show(w http.ResponseWriter, status int, shown any) error {
	if shown == nil {
		w.WriteHeader(status)
		return nil
	}
	if d.Envelope != nil {
		shown = d.Envelope(w.Header(), shown)
	}
	return write(w, status, Body{Type: JSON, Value: shown})
}

func write(w http.ResponseWriter, status int, b Body) error {
	out, err := b.bytes()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", b.Type)
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	w.WriteHeader(status)
	_, err = w.Write(out)
	return err
}

func (b Body) bytes() ([]byte, error) {
	if text, ok := b.Value.([]byte); ok {
		return text, nil
	}
	if text, ok := b.Value.(string); ok && b.Type != JSON && b.Type != ProblemJSON {
		return []byte(text), nil
	}
	out, err := json.Marshal(b.Value)
	return append(out, '\n'), err
}
