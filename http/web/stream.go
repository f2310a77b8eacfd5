package web

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"gesta/commands"
	"gesta/domain/identity"
)

// Stream is a body that is written bit by bit.
type Stream struct {
	Header http.Header // beside the content type; nil for none
	// Write writes until all is said or ctx ends: when the client leaves, or the server ends.
	Write func(ctx context.Context, w *Writer) error

	contentType string
	caller      identity.Caller
	still       func(context.Context) error // refuses once the caller's session is over; nil where there are none
	ctx         context.Context             // of the request, for all but its end
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

// Context says who asks for the stream, and where.
func (s *Stream) Context() context.Context { return s.ctx }

// Caller is whom the stream is for.
func (s *Stream) Caller() identity.Caller { return s.caller }

// Send writes the stream until it ends or one of the contexts does. Each piece has as long as given to be taken.
func (s *Stream) Send(w http.ResponseWriter, each time.Duration, ends ...context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	defer cancel()
	for _, end := range ends {
		defer context.AfterFunc(end, cancel)()
	}
	out := &Writer{w: w, control: http.NewResponseController(w), each: each, ctx: ctx, still: s.still, asked: time.Now()}
	_ = out.control.SetReadDeadline(time.Time{}) // Else it is the request's, whose end would be taken for the client's.
	s.Begin(w)
	return s.Write(ctx, out)
}

// Begin writes the header.
func (s *Stream) Begin(w http.ResponseWriter) {
	maps.Copy(w.Header(), s.Header)
	w.Header().Set("Content-Type", s.contentType)
	w.WriteHeader(http.StatusOK)
}

const (
	// piece is how many bytes a client must take in time, at most.
	piece = 64 << 10
	// stillEvery is how often a stream asks whether its session goes on.
	stillEvery = 2 * time.Second
)

// Writer is what a stream is written to.
type Writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	each    time.Duration
	ctx     context.Context
	still   func(context.Context) error
	asked   time.Time
}

// Write fails when the client does not take each 64 KiB in time, and when its session is over.
func (w *Writer) Write(text []byte) (n int, err error) {
	for err == nil && n < len(text) {
		if err = w.StillIn(); err != nil {
			break
		}
		_ = w.control.SetWriteDeadline(time.Now().Add(w.each)) // A test's recorder knows of none.
		var taken int
		taken, err = w.w.Write(text[n:min(n+piece, len(text))])
		n += taken
	}
	return n, err
}

// Flush sends what was written.
func (w *Writer) Flush() error { return w.control.Flush() }

// StillIn refuses, as the surface does, once the session that the stream is for is over. It looks every two seconds at most:
// whoever writes nothing for long asks now and then.
func (w *Writer) StillIn() error {
	if w.still == nil || time.Since(w.asked) < stillEvery {
		return nil
	}
	w.asked = time.Now()
	return w.still(w.ctx)
}

// stillIn refuses where the proof that the request has brought is not good any more.
func (r *Request) stillIn(ctx context.Context) error {
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
