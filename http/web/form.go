package web

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"gesta/commands"
)

// Form is another content type that a row answers in, for clients that would rather have it than JSON.
type Form struct {
	Type string // content type, without parameters
	Text string // what it holds, for people
	act  func(*Request) (Answer, error)
}

// As makes a form from what reads a request and what begins to answer it. What is wrong must be known by then: once a
// stream is written, it can only be broken off.
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
		s.contentType = contentType
		return Answer{stream: &s}, nil
	}}
}

// Stream is a body that is written bit by bit.
type Stream struct {
	Header http.Header // beside the content type; nil for none
	// Write writes until all is said or ctx ends: when the client leaves, or the server ends.
	Write func(ctx context.Context, w *Writer) error

	contentType string
	ctx         context.Context // of the request, for all but its end
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

// StillIn refuses where the proof that the request has brought is not good any more: who listens for long asks now and
// then.
func (r *Request) StillIn(ctx context.Context) error {
	ctx = commands.Proving(ctx)
	now, err := r.surface.Authenticate(r.echo.Request().WithContext(ctx))
	if err == nil {
		err = commands.Proven(ctx)
	}
	if err == nil && now != r.Caller {
		err = commands.ErrToken
	}
	return err
}

const streamKey = "gesta stream"

func (s *Stream) leaveTo(c echo.Context, ctx context.Context) {
	s.ctx = ctx
	c.Set(streamKey, s)
}

// StreamOf is the stream that a row has left to be written once its request is no more at work; nil for none.
func StreamOf(c echo.Context) *Stream {
	s, _ := c.Get(streamKey).(*Stream)
	return s
}

// Send writes the stream until it ends or one of the contexts does. Each piece has as long as given to be taken.
func (s *Stream) Send(w http.ResponseWriter, each time.Duration, ends ...context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	defer cancel()
	for _, end := range ends {
		defer context.AfterFunc(end, cancel)()
	}
	maps.Copy(w.Header(), s.Header)
	w.Header().Set("Content-Type", s.contentType)
	out := &Writer{w: w, control: http.NewResponseController(w), each: each}
	_ = out.control.SetReadDeadline(time.Time{}) // Else it is the request's, whose end would be taken for the client's.
	w.WriteHeader(http.StatusOK)
	return s.Write(ctx, out)
}

// Context says who asks for the stream, and where.
func (s *Stream) Context() context.Context { return s.ctx }

// Writer is what a stream is written to.
type Writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	each    time.Duration
}

// Write fails when the client does not take it in time.
func (w *Writer) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.each)) // A test's recorder knows of none.
	return w.w.Write(p)
}

// Flush sends what was written.
func (w *Writer) Flush() error { return w.control.Flush() }
