package server

import (
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"gesta/http/web"
)

// worthwhile is how many bytes an answer has for which to compress it pays.
const worthwhile = 2 << 10

// compressed lets a row's answers be in gzip. Only an answer whose length is known is: one that comes bit by
// bit must not wait. Secrets must not be in it beside what a client has said, whose length then tells of them.
func compressed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		a := c.Response()
		a.Header().Add("Vary", "Accept-Encoding")
		least := leastInGzip(c.Request().Header.Values("Accept-Encoding"))
		if least == 0 {
			return next(c)
		}
		w := &compressing{ResponseWriter: a.Writer, least: least}
		a.Writer = w
		defer func() {
			a.Writer = w.ResponseWriter // A refusal is short.
			w.end()
		}()
		return next(c)
	}
}

// leastInGzip is how long an answer must be for a client to get it in gzip; 0 for a client that wants none.
func leastInGzip(accepts []string) int {
	asIs, named := web.Quality(accepts, "identity")
	inGzip, known := web.Quality(accepts, "gzip")
	if others, all := web.Quality(accepts, "*"); all {
		if !known {
			inGzip = others
		}
		if !named {
			asIs, named = others, others == 0
		}
	}
	switch {
	case inGzip == 0 || inGzip < asIs && named:
		return 0
	case named && asIs == 0:
		return 1
	}
	return worthwhile
}

// compressing decides with the header whether the body is in gzip.
type compressing struct {
	http.ResponseWriter
	least int
	gzip  *gzip.Writer // nil for a body as it is
	left  int          // bytes that are still to come
}

func (w *compressing) WriteHeader(status int) {
	h := w.Header()
	length, err := strconv.Atoi(h.Get("Content-Length"))
	if err == nil && length >= w.least && isCompressible(status, h) {
		w.left = length
		h.Del("Content-Length")
		h.Set("Content-Encoding", "gzip")
		w.gzip = gzips.Get().(*gzip.Writer)
		w.gzip.Reset(w.ResponseWriter)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *compressing) Write(text []byte) (int, error) {
	if w.gzip == nil {
		return w.ResponseWriter.Write(text)
	}
	n, err := w.gzip.Write(text)
	w.left -= n
	return n, err
}

// FlushError sends what there is.
func (w *compressing) FlushError() error {
	if w.gzip != nil {
		if err := w.gzip.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *compressing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// end ends the body, unless it was broken off: then the client must see that.
func (w *compressing) end() {
	if w.gzip == nil {
		return
	}
	if w.left == 0 {
		_ = w.gzip.Close() // A client that has left hears nothing.
	}
	w.gzip.Reset(io.Discard)
	gzips.Put(w.gzip)
}

// gzips are fast ones: JSON gets little smaller by more work.
var gzips = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // There is such a level.
	return w
}}

var wholes = []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}

// isCompressible refuses what is encoded already or a part of something, and what a strong ETag names byte by
// byte.
func isCompressible(status int, h http.Header) bool {
	tag := h.Get("ETag")
	return slices.Contains(wholes, status) && h.Get("Content-Encoding") == "" &&
		(tag == "" || strings.HasPrefix(tag, "W/")) && isText(h.Get("Content-Type"))
}

func isText(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "json") || strings.HasSuffix(t, "javascript") || strings.HasSuffix(t, "xml")
}
