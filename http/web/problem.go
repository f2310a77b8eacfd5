package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gesta/domain"
)

// Problem is a refusal as RFC 9457 says it, for whoever asks for that and on paths that no surface owns.
type Problem struct {
	// The kind of problem: urn:gesta:problem: and its code.
	Type string `json:"type"`
	// The status in words.
	Title  string `json:"title"`
	Status int    `json:"status"`
	// What is wrong, for people.
	Detail string `json:"detail"`
	// What is wrong, for programs.
	Code string `json:"code"`
	// The answer's X-Request-Id.
	RequestID string `json:"request_id,omitempty"`
	// All that is wrong with single fields and parameters.
	Errors []ProblemError `json:"errors,omitempty"`
}

// ProblemError is what is wrong with a field of the body or a parameter of the query.
type ProblemError struct {
	Detail string `json:"detail"`
	// The field: a JSON pointer as a URI fragment.
	Pointer string `json:"pointer,omitempty"`
	// The parameter of the query.
	Parameter string `json:"parameter,omitempty"`
}

// Types are names and no addresses: nothing more is to be read about a problem than its code and detail say.
const problemType = "urn:gesta:problem:"

// Problems says refusals as problems, for paths that no surface owns and for surfaces that have no other words.
var Problems = Dialect{}.Problems("")

// Problems is the dialect with its refusals said as problems, each with the status it has in the dialect, in
// the answer to a request.
func (d Dialect) Problems(request string) Dialect {
	return Dialect{SaysProblems: true, Envelope: d.Envelope, Fault: func(f *domain.Fault) Body {
		status := d.status(f)
		return Body{Type: ProblemJSON, Status: status, Value: Problem{
			Type: problemType + f.Code, Title: http.StatusText(status), Status: status,
			Detail: f.Text, Code: f.Code, RequestID: request, Errors: problemErrors(f),
		}}
	}}
}

// status is the fault's in the dialect.
func (d Dialect) status(f *domain.Fault) int {
	if d.Fault == nil {
		return statuses[f.Kind]
	}
	return cmp.Or(d.Fault(f).Status, statuses[f.Kind])
}

func problemErrors(f *domain.Fault) []ProblemError {
	var all []ProblemError
	for _, field := range f.Fields {
		e := ProblemError{Detail: field.Text, Pointer: pointer(field.Name)}
		if errors.Is(f, ErrQuery) || errors.Is(f, ErrPath) {
			e = ProblemError{Detail: field.Text, Parameter: field.Name}
		}
		all = append(all, e)
	}
	return all
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1", ".", "/")

// pointer points at a field such as items.0.name as RFC 6901 does in URIs; "" is the whole body.
func pointer(name string) string {
	if name == "" {
		return "#"
	}
	u := url.URL{Fragment: "/" + escapePointer.Replace(name)}
	return "#" + u.EscapedFragment()
}

// WantsProblem tells whether a client asks for problems by their name: */* asks for the surface's own words.
func WantsProblem(r *http.Request) bool {
	accepts := r.Header.Values("Accept")
	problem, _ := Quality(accepts, ProblemJSON)
	own, _ := Quality(accepts, JSON)
	return problem > 0 && problem >= own
}
