package openapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"net/http"

	"gesta/http/web"
)

// File is something to serve.
type File struct {
	Path, Type string
	Header     http.Header
	Body       func() ([]byte, error) // always the same
}

//go:embed page
var page embed.FS

// The page may load from its own server alone. What draws it styles its elements one by one, which cannot be told
// from any other inline style; scripts are none but the page's own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Files are a document of all surfaces, one of each, and a page that shows them. Documents are made when they are asked
// for: that takes as long as many a start.
func Files(version string, surfaces ...web.Surface) []File {
	files := []File{described("/openapi.json", allTitle, version, surfaces...)}
	sources := []source{{Title: "All", Slug: "all", URL: "/openapi.json"}}
	for _, s := range surfaces {
		f := described("/openapi/"+s.Name+".json", s.Title, version, s)
		files, sources = append(files, f), append(sources, source{Title: s.Title, Slug: s.Name, URL: f.Path})
	}
	return append(files, pageFiles(sources)...)
}

func described(path, title, version string, surfaces ...web.Surface) File {
	return File{Path: path, Type: web.JSON, Body: func() ([]byte, error) { return Document(title, version, surfaces...) }}
}

const allTitle = "All APIs"

// source is a document to choose, as the page is told of it.
type source struct {
	Title string `json:"title"`
	Slug  string `json:"slug"`
	URL   string `json:"url"`
}

func pageFiles(sources []source) []File {
	list, _ := json.Marshal(sources) // Texts can be said.
	script := func() ([]byte, error) {
		text, err := pagePart("page.js")()
		return bytes.Replace(text, []byte("/* sources */ []"), list, 1), err
	}
	return []File{
		{Path: "/docs", Type: "text/html; charset=utf-8", Header: http.Header{"Content-Security-Policy": {policy}}, Body: pagePart("page.html")},
		{Path: "/docs/page.css", Type: "text/css; charset=utf-8", Body: pagePart("page.css")},
		{Path: "/docs/page.js", Type: "text/javascript; charset=utf-8", Body: script},
		{
			Path: "/docs/scalar.js", Type: "text/javascript; charset=utf-8",
			Header: http.Header{"Content-Encoding": {"gzip"}}, Body: pagePart("scalar.js.gz"),
		},
	}
}

func pagePart(name string) func() ([]byte, error) {
	return func() ([]byte, error) { return page.ReadFile("page/" + name) }
}
