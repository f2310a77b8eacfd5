package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"gesta/domain"
)

// refusable tells which kinds of refusal a row of a surface can have by its shape, beside those in its table.
var refusable = map[domain.Kind]func(Surface, Route) bool{
	domain.Internal:        func(Surface, Route) bool { return true },
	domain.Invalid:         func(Surface, Route) bool { return true },
	domain.Unauthenticated: func(s Surface, r Route) bool { return s.Authenticate != nil && !r.Access.Unasked }, // On public rows too.
	domain.Forbidden:       func(_ Surface, r Route) bool { return r.Access.IsRestricted() },
	domain.NotFound:        func(_ Surface, r Route) bool { return strings.ContainsAny(r.Path, ":*") },
	domain.Conflict:        func(_ Surface, r Route) bool { return r.Keyed() },
	domain.Unprocessable:   func(_ Surface, r Route) bool { return r.Keyed() },
	domain.Outdated:        func(_ Surface, r Route) bool { return r.Conditional() || r.Method != http.MethodGet },
	domain.TooLarge:        func(_ Surface, r Route) bool { return r.Handler.Body != nil || r.Keyed() },
	domain.Unsupported:     func(_ Surface, r Route) bool { return r.Handler.Body != nil },
	domain.TooMany:         func(Surface, Route) bool { return true },
	domain.Unavailable:     func(Surface, Route) bool { return true },
}

// Statuses are all that a row can answer with, from the least: what its table says, and what any row of its shape
// can be refused with.
func (s Surface) Statuses(r Route) []int {
	all := append([]int{r.Status}, r.Refusals...)
	for kind, can := range refusable {
		if can(s, r) {
			all = append(all, s.Dialect.status(exemplary(kind)))
		}
	}
	if r.Conditional() {
		all = append(all, http.StatusNotModified)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Conditional tells whether a row shows something that may still be what the client has.
func (r Route) Conditional() bool {
	return r.Method == http.MethodGet && r.Handler.Revised || r.Kept() && r.Handler.Shown != nil
}

// Changes tells whether a row changes something single, which may not be any more what the client believes it to be.
func (r Route) Changes() bool {
	return r.Method != http.MethodGet && r.Thing.IsNamed()
}

// exemplary is a fault of a kind that has something in every field.
func exemplary(k domain.Kind) *domain.Fault {
	return &domain.Fault{
		Kind: k, Code: "code", Text: "text", Retry: time.Second, Fields: []domain.Field{{Name: "field", Text: "text"}},
	}
}

// Refusal shows by an example how a refusal with a status looks.
func (d Dialect) Refusal(status int) Body {
	for kind := range domain.Unavailable + 1 {
		if d.status(exemplary(kind)) == status {
			return d.Fault(exemplary(kind))
		}
	}
	return d.Fault(exemplary(domain.Invalid))
}
