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
	Body       []byte
}

//go:embed page
var page embed.FS

// The page may load from its own server alone. What draws it styles its elements one by one, which cannot be told
// from any other inline style; scripts are none but the page's own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Files are a document of all surfaces, one of each, and a page that shows them.
func Files(version string, surfaces ...web.Surface) ([]File, error) {
	all, err := Document(allTitle, version, surfaces...)
	if err != nil {
		return nil, err
	}
	files := []File{{Path: "/openapi.json", Type: web.JSON, Body: all}}
	sources := []source{{Title: "All", Slug: "all", URL: "/openapi.json"}}
	for _, s := range surfaces {
		one, err := Document(s.Title, version, s)
		if err != nil {
			return nil, err
		}
		f := File{Path: "/openapi/" + s.Name + ".json", Type: web.JSON, Body: one}
		files, sources = append(files, f), append(sources, source{Title: s.Title, Slug: s.Name, URL: f.Path})
	}
	return append(files, pageFiles(sources)...), nil
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
	script := bytes.Replace(pagePart("page.js"), []byte("/* sources */ []"), list, 1)
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

func pagePart(name string) []byte {
	text, err := page.ReadFile("page/" + name)
	if err != nil {
		panic(err) // It is part of the binary.
	}
	return text
}
