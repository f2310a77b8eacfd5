package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Document is something to read that does not change while the process runs.
type Document struct {
	Path, Type string // its content type
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
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Type", d.Type)
		h.Set("Cache-Control", documentAge)
		h.Set("ETag", tag)
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(d.Body))
		return nil
	}
}
