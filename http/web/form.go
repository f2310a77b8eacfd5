package web

import (
	"context"
	"maps"
	"net/http"
)

// Form is another content type that a row answers in, for clients that would rather have it than JSON.
type Form struct {
	Type string // content type, without parameters
	Text string // what it holds, for people
	act  func(*Request) (Answer, error)
}

// As makes a form from what reads a request and what begins to answer it by a stream. What is wrong must be known by then:
// once it is written, it can only be broken off.
func As[In any](contentType, text string, reading Reading[In], begin func(context.Context, In) (Stream, error)) Form {
	return Form{contentType, text, func(r *Request) (a Answer, err error) {
		in, err := reading.read(r)
		if err != nil {
			return a, err
		}
		s, err := begin(r.Context(), in)
		if err != nil {
			return a, err
		}
		s.contentType, s.caller = contentType, r.Caller
		if r.surface.Authenticate != nil {
			s.still = r.stillIn
		}
		return Answer{stream: &s}, nil
	}}
}

// Page is a body that is written at once.
type Page struct {
	Header http.Header // beside the content type; nil for none
	Text   []byte
}

// AsPage makes a form from what reads a request and what answers it.
func AsPage[In any](contentType, text string, reading Reading[In], answer func(context.Context, In) (Page, error)) Form {
	return Form{contentType, text, func(r *Request) (a Answer, err error) {
		in, err := reading.read(r)
		if err != nil {
			return a, err
		}
		p, err := answer(r.Context(), in)
		maps.Copy(r.echo.Response().Header(), p.Header)
		return Answer{page: &Body{Type: contentType, Value: p.Text}}, err
	}}
}

// Also lets a row answer in further content types.
func (r Route) Also(forms ...Form) Route {
	act := r.Handler.act
	r.Handler.Forms = forms
	r.Handler.act = func(q *Request) (Answer, error) {
		if form := q.preferred(forms); form != nil {
			return form.act(q)
		}
		return act(q)
	}
	return r
}

// preferred is the form that the client wants most, nil where that is JSON.
func (r *Request) preferred(forms []Form) (best *Form) {
	accepts := r.echo.Request().Header.Values("Accept")
	most, _ := Quality(accepts, JSON)
	for i, f := range forms {
		if q, _ := Quality(accepts, f.Type); q > most {
			best, most = &forms[i], q
		}
	}
	return best
}

// InText is the handler of a row that shows text of another content type than JSON, outside of any envelope.
func InText(contentType string, h Handler) Handler { h.Type = contentType; return h }
