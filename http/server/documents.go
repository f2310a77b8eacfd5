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

// variants are the bytes of a document as it is and in gzip, each nil where it is not at hand.
func (d Document) variants() (plain, zipped []byte) {
	switch {
	case d.Header.Get("Content-Encoding") == "gzip":
		return nil, d.Body
	case len(d.Body) >= worthwhile && isText(d.Type):
		return d.Body, zip(d.Body)
	}
	return d.Body, nil
}

func zip(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text) // A buffer takes everything.
	_ = w.Close()
	return out.Bytes()
}

func (d Document) serve() echo.HandlerFunc {
	plain, zipped := d.variants()
	tag := tagOf(d.Body)
	return func(c echo.Context) error {
		h := c.Response().Header()
		for name, values := range d.Header {
			h[name] = values
		}
		h.Set("Content-Type", d.Type)
		h.Set("Cache-Control", documentAge)
		h.Del("Content-Encoding")
		body, is := plain, tag
		if zipped != nil {
			h.Add("Vary", "Accept-Encoding")
			if least := leastInGzip(c.Request().Header.Values("Accept-Encoding")); least > 0 {
				h.Set("Content-Encoding", "gzip")
				body, is = zipped, tag[:len(tag)-1]+`-gzip"` // Each tag stands for its own bytes.
			}
		}
		if body == nil {
			return d.unzip(c)
		}
		h.Set("ETag", is)
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(body))
		return nil
	}
}

func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// unzip is for the few clients that can't.
func (d Document) unzip(c echo.Context) error {
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
