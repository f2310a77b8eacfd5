package openapitest

import (
	"slices"
	"strconv"
	"strings"
)

// pointer is where something stands in the document.
type pointer []string

func (p pointer) to(keys ...string) pointer { return append(slices.Clone(p), keys...) }

var escaped = strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "{", "%7B", "}", "%7D")

func (p pointer) String() string {
	var out strings.Builder
	for _, key := range p {
		out.WriteString("/" + escaped.Replace(key))
	}
	return out.String()
}

// object follows keys from somewhere to an object, and the reference that stands in its place.
func (c *Checker) object(from pointer, keys ...string) (found map[string]any, at pointer, ok bool) {
	at = from.to(keys...)
	var v any = c.document
	for _, key := range at {
		switch in := v.(type) {
		case map[string]any:
			v = in[key]
		case []any:
			if i, err := strconv.Atoi(key); err == nil && i < len(in) {
				v = in[i]
			}
		}
	}
	found, ok = v.(map[string]any)
	if ref, refers := found["$ref"].(string); refers {
		return c.object(nil, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return found, at, ok
}
