package openapitest

import (
	"net/http"
	"net/url"
	"strings"
)

// operation is one of a document, with the parameters that a path has for it.
type operation struct {
	at        pointer
	described map[string]any
	path      map[string]string
	says      int  // how many parts of the path are as the document has them
	head      bool // whether the answer is without its body
}

// operation finds the one that a request is for: of those whose path matches, the one that says most of it.
func (c *Checker) operation(r *http.Request) (best operation, found bool) {
	paths, _ := c.document["paths"].(map[string]any)
	method := strings.ToLower(r.Method)
	if r.Method == http.MethodHead {
		method = "get"
	}
	for template := range paths {
		params, matches := match(template, r.URL.EscapedPath())
		described, at, has := c.object(pointer{"paths", template}, method)
		if says := strings.Count(template, "/") - len(params); matches && has && (!found || says > best.says) {
			best, found = operation{at: at, described: described, path: params, says: says, head: r.Method == http.MethodHead}, true
		}
	}
	return best, found
}

// rest is the parameter for all that is left of a path, with its slashes: OpenAPI has no word for that.
const rest = "{rest}"

func match(template, path string) (params map[string]string, matches bool) {
	names, parts := strings.Split(template, "/"), strings.Split(strings.TrimRight(path, "/"), "/")
	if last := len(names) - 1; names[last] == rest && len(parts) > last {
		parts = append(parts[:last], strings.Join(parts[last:], "/"))
	}
	if len(names) != len(parts) {
		return nil, false
	}
	params = map[string]string{}
	for i, name := range names {
		switch param, isParam := strings.CutPrefix(name, "{"); {
		case isParam && parts[i] != "":
			params[strings.TrimSuffix(param, "}")], _ = url.PathUnescape(parts[i])
		case name != parts[i]:
			return nil, false
		}
	}
	return params, true
}
