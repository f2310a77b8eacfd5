package web_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gesta/domain"
	"gesta/http/web"
)

func TestAProblemNamesEachField(t *testing.T) {
	own := web.Dialect{Fault: func(*domain.Fault) web.Body { return web.Body{Status: 422} }}
	for _, c := range []struct {
		dialect web.Dialect
		fault   *domain.Fault
		want    web.Problem
	}{
		{web.Dialect{}, web.ErrInternal, web.Problem{
			Type: "urn:gesta:problem:internal", Title: "Internal Server Error", Status: 500, Code: "internal", Detail: "internal server error",
		}},
		{own, web.ErrBody.In(field("a.b.0"), field("a/b~c"), field(""), field("é x")), web.Problem{
			Type: "urn:gesta:problem:invalid_request", Title: "Unprocessable Entity", Status: 422, Code: "invalid_request", Detail: "invalid request body",
			Errors: []web.ProblemError{
				{Detail: "is wrong", Pointer: "#/a/b/0"},
				{Detail: "is wrong", Pointer: "#/a~1b~0c"},
				{Detail: "is wrong", Pointer: "#"},
				{Detail: "is wrong", Pointer: "#/%C3%A9%20x"},
			},
		}},
		{web.Dialect{}, web.ErrQuery.In(field("page"), field("page_size")), web.Problem{
			Type: "urn:gesta:problem:invalid_query", Title: "Bad Request", Status: 400, Code: "invalid_query", Detail: "invalid query",
			Errors: []web.ProblemError{{Detail: "is wrong", Parameter: "page"}, {Detail: "is wrong", Parameter: "page_size"}},
		}},
	} {
		w := httptest.NewRecorder()
		if err := c.dialect.Problems("42").Refuse(w, c.fault); err != nil {
			t.Fatal(err)
		}
		var got web.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		c.want.RequestID = "42"
		if diff := cmp.Diff(c.want, got); diff != "" || w.Code != c.want.Status || w.Header().Get("Content-Type") != web.ProblemJSON {
			t.Errorf("%d %v %s", w.Code, w.Header(), diff)
		}
	}
}

func field(name string) domain.Field { return domain.Field{Name: name, Text: "is wrong"} }
