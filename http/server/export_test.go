package server

import (
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v4"
)

// Compressed answers a request that accepts encodings by what f writes, compressed as a row's answer is.
func Compressed(accept string, f func(http.ResponseWriter) error) *httptest.ResponseRecorder {
	e := echo.New()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", accept)
	_ = compressed(func(c echo.Context) error { return f(c.Response()) })(e.NewContext(r, w)) // f's own error.
	return w
}
