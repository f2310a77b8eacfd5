package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Document is something to read that does not change while the process runs.
type Document struct {
	Path, Type string      // its content type
	Header     http.Header // what else is said of it, such as a Content-Encoding of gzip
	Body       []byte
}

// documentAge is for how long a document may be shown without asking again; it is asked for by its tag then.
const documentAge = "public, max-age=300"

// mountDocuments serves documents to anyone. They are at hand, so that they wait for nothing.
func (s *Server) mountDocuments(e *echo.Echo) {
	for _, d := range s.Documents {
		e.Match([]string{http.MethodGet, http.MethodHead}, "/"+strings.Trim(d.Path, "/"), d.serve())
	}
}

func (d Document) serve() echo.HandlerFunc {
	sum := sha256.Sum256(d.Body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	zipped := d.Header.Get("Content-Encoding") == "gzip"
	return func(c echo.Context) error {
		h := c.Response().Header()
		for name, values := range d.Header {
			h[name] = values
		}
		h.Set("Content-Type", d.Type)
		h.Set("Cache-Control", documentAge)
		h.Set("ETag", tag)
		if zipped {
			h.Add("Vary", "Accept-Encoding")
			if leastInGzip(c.Request().Header.Values("Accept-Encoding")) == 0 {
				return d.unzip(c)
			}
		}
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(d.Body))
		return nil
	}
}

// unzip is for the few clients that can't.
func (d Document) unzip(c echo.Context) error {
	c.Response().Header().Del("Content-Encoding")
	c.Response().Header().Del("ETag") // It stands for other bytes.
	in, err := gzip.NewReader(bytes.NewReader(d.Body))
	if err != nil {
		return err
	}
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, _ = io.Copy(c.Response(), in) // The client may leave.
	return nil
}
