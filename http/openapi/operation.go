package openapi

import (
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/swaggest/openapi-go/openapi31"

	"gesta/domain/identity"
	"gesta/http/web"
)

// headless tells of a GET that knows no HEAD.
func headless(r web.Route) string {
	if r.Unheaded {
		return " There is no HEAD."
	}
	return ""
}

// addOperation describes a row.
func (s surface) addOperation(r web.Route, a answer) error {
	o := openapi31.Operation{
		Tags: []string{s.Name}, Parameters: s.parameters(r), Security: s.security(r.Access),
		Responses: &openapi31.Responses{},
	}
	o.WithID(operationID(r)).WithSummary(r.Summary).WithDescription(whom(r.Access) + headless(r))
	if r.Handler.Body != nil {
		schema, err := s.read.of(zero(r.Handler.Body))
		if err != nil {
			return err
		}
		body := openapi31.RequestBody{Content: map[string]openapi31.MediaType{
			web.JSON: {Schema: schema, Examples: s.requests(r)},
		}}
		o.RequestBody = &openapi31.RequestBodyOrReference{RequestBody: body.WithRequired(!r.Handler.Spare)}
	}
	for _, status := range s.Statuses(r) {
		response, err := s.response(r, status, a)
		if err != nil {
			return err
		}
		o.Responses.WithMapOfResponseOrReferenceValuesItem(strconv.Itoa(status), response)
	}
	return (*openapi31.Spec)(s.document).AddOperation(r.Method, template(r.Path), o)
}

// operationID stays while the row does: "getUsersById".
func operationID(r web.Route) string {
	path := strings.NewReplacer("/:", "/by-", "*", "rest").Replace(r.Path)
	return strings.ToLower(r.Method) + camel(path)
}

var pathParam = regexp.MustCompile(`:(\w+)`)

// template writes a path as OpenAPI does.
func template(path string) string {
	return strings.ReplaceAll(pathParam.ReplaceAllString(path, "{$1}"), "*", "{rest}")
}

// security asks for a token as the row does: a public one also takes it.
func (s surface) security(a web.Access) []map[string][]string {
	nobody, bearer := map[string][]string{}, map[string][]string{s.Name: {}}
	switch {
	case s.Authenticate == nil, a.Unasked:
		return []map[string][]string{nobody}
	case a.Public:
		return []map[string][]string{nobody, bearer}
	}
	return []map[string][]string{bearer}
}

// whom says in words who may use a row.
func whom(a web.Access) string {
	switch {
	case a.Public:
		return "For anyone."
	case a.Permission != "":
		return "For holders of the permission `" + string(a.Permission) + "` only."
	case len(a.Roles) == 0:
		return "For anyone who is signed in."
	}
	return "For " + list(a.Roles) + " only."
}

func list(roles []identity.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = "`" + string(r) + "`"
	}
	return strings.Join(names, ", ")
}

// parameters are those of the path, of the query and of the header.
func (s surface) parameters(r web.Route) (all []openapi31.ParameterOrReference) {
	for _, m := range pathParam.FindAllStringSubmatch(r.Path, -1) {
		schema := map[string]any{"type": "string"}
		if isID(m[1]) && s.IDs.Format != "" {
			schema["format"] = s.IDs.Format
		}
		all = append(all, parameter(m[1], openapi31.ParameterInPath, "", true, schema))
	}
	if strings.Contains(r.Path, "*") {
		all = append(all, parameter("rest", openapi31.ParameterInPath, "", true, map[string]any{"type": "string"}))
	}
	for _, p := range r.Handler.Query {
		all = append(all, s.query(r, p))
	}
	for _, h := range requestHeaders {
		if h.on(r) {
			all = append(all, s.header(h))
		}
	}
	return all
}

func isID(param string) bool { return strings.HasSuffix(strings.ToLower(param), "id") }

func parameter(name string, in openapi31.ParameterIn, text string, required bool, schema map[string]any) openapi31.ParameterOrReference {
	p := openapi31.Parameter{Name: name, In: in, Schema: schema}
	if text != "" {
		p.WithDescription(text)
	}
	if required {
		p.WithRequired(true)
	}
	return openapi31.ParameterOrReference{Parameter: &p}
}

// query shows with a parameter the first value that the row has taken well, if it is text.
func (s surface) query(r web.Route, p web.Param) openapi31.ParameterOrReference {
	described := parameter(p.Name, openapi31.ParameterInQuery, p.Text, p.Required, querySchema(p))
	for _, e := range s.of(r) {
		if e.query.Has(p.Name) && e.status < http.StatusBadRequest && p.Most == 0 && !p.Boolean {
			described.Parameter.WithExample(e.query.Get(p.Name))
			break
		}
	}
	return described
}

func querySchema(p web.Param) map[string]any {
	schema := map[string]any{"type": "string"}
	if p.Format != "" {
		schema["format"] = p.Format
	}
	if p.Enum != nil {
		schema["enum"] = p.Enum
	}
	if p.Boolean {
		schema["type"] = "boolean"
	}
	if p.Most > 0 {
		maps.Copy(schema, map[string]any{"type": "integer", "minimum": p.Least, "maximum": p.Most})
		if !p.Required {
			schema["default"] = p.Default
		}
	}
	return schema
}

// zero is a nothing of a type; what its fields hold is of no matter.
func zero(t typed) any { return sample(t, nil).Interface() }
