package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// Document is something to read that does not change while the process runs.
type Document struct {
	Path, Type string                 // its content type
	Header     http.Header            // what else is said of it, such as a Content-Encoding of gzip
	Body       func() ([]byte, error) // always the same; asked for once
}

// documentAge is for how long a document may be shown without asking again; it is asked for by its tag then.
const documentAge = "public, max-age=300"

// mountDocuments serves documents to anyone. Each is made when it is first asked for.
func (s *Server) mountDocuments(e *echo.Echo) {
	for _, d := range s.Documents {
		e.Match([]string{http.MethodGet, http.MethodHead}, "/"+strings.Trim(d.Path, "/"), d.serve())
	}
}

// variants are the bytes of a document as it is and in gzip, each nil where it is not at hand, and its tag.
type variants struct {
	plain, zipped []byte
	tag           string
}

func (d Document) variants() (v variants, err error) {
	body, err := d.Body()
	v.tag = tagOf(body)
	switch {
	case d.Header.Get("Content-Encoding") == "gzip":
		v.zipped = body
	case len(body) >= worthwhile && isText(d.Type):
		v.plain, v.zipped = body, zip(body)
	default:
		v.plain = body
	}
	return v, err
}

func zip(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text) // A buffer takes everything.
	_ = w.Close()
	return out.Bytes()
}

func (d Document) serve() echo.HandlerFunc {
	made := sync.OnceValues(d.variants)
	return func(c echo.Context) error {
		v, err := made()
		if err != nil {
			return err
		}
		h := c.Response().Header()
		for name, values := range d.Header {
			h[name] = values
		}
		h.Set("Content-Type", d.Type)
		h.Set("Cache-Control", documentAge)
		h.Del("Content-Encoding")
		body, is := v.plain, v.tag
		if v.zipped != nil {
			h.Add("Vary", "Accept-Encoding")
			if least := leastInGzip(c.Request().Header.Values("Accept-Encoding")); least > 0 {
				h.Set("Content-Encoding", "gzip")
				body, is = v.zipped, v.tag[:len(v.tag)-1]+`-gzip"` // Each tag stands for its own bytes.
			}
		}
		if body == nil {
			return v.unzip(c)
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
func (v variants) unzip(c echo.Context) error {
	in, err := gzip.NewReader(bytes.NewReader(v.zipped))
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
