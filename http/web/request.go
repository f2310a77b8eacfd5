package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"gesta/domain"
	"gesta/domain/identity"
	"gesta/domain/value"
)

// Request is what a row reads from.
type Request struct {
	Caller identity.Caller // nobody on a public row without a token

	ctx     context.Context
	echo    echo.Context
	surface Surface
	route   Route
	body    *sent // nil until it is read
	left    tally // of the tightest limit
}

// sent is a body with the error that ended it.
type sent struct {
	bytes []byte
	err   error
}

// Context says who asks and where, for whatever acts on the request.
func (r *Request) Context() context.Context { return r.ctx }

// MaxBody is the largest body that is read, in bytes.
const MaxBody = 1 << 20

// Refusals of what a request says.
var (
	ErrBody     = &domain.Fault{Kind: domain.Invalid, Code: "invalid_request", Text: "invalid request body"}
	ErrQuery    = &domain.Fault{Kind: domain.Invalid, Code: "invalid_query", Text: "invalid query"}
	ErrTooLarge = &domain.Fault{Kind: domain.TooLarge, Code: "too_large", Text: "request body is too large"}
	ErrPath     = &domain.Fault{Kind: domain.Invalid, Code: "invalid_path", Text: "invalid path"}
	ErrNotJSON  = &domain.Fault{Kind: domain.Unsupported, Code: "unsupported_type", Text: "content type must be application/json"}
)

// Body reads the JSON object of the body into a struct. Unknown fields are ignored.
func (r *Request) Body(into any) error {
	if !isJSON(r.echo.Request().Header.Get("Content-Type")) {
		return ErrNotJSON
	}
	body, err := r.text()
	if err != nil {
		return unread(err)
	}
	return Decode(body, into)
}

// unread says why a body could not be read.
func unread(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return ErrTooLarge
	}
	return ErrBody
}

// text reads the body, once for all who ask.
func (r *Request) text() ([]byte, error) {
	if r.body == nil {
		r.body = &sent{}
		r.body.bytes, r.body.err = io.ReadAll(http.MaxBytesReader(r.echo.Response(), r.echo.Request().Body, MaxBody))
	}
	return r.body.bytes, r.body.err
}

// isJSON takes a missing content type for JSON, which is always UTF-8.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, params, err := mime.ParseMediaType(contentType)
	return err == nil && t == JSON && (params["charset"] == "" || strings.EqualFold(params["charset"], "utf-8"))
}

// Decode reads one JSON object. It refuses, with ErrBody, anything else, as well as text that no store
// could keep: invalid UTF-8, halves of surrogate pairs and NUL characters.
func Decode(body []byte, into any) error {
	if !utf8.Valid(body) || !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) || saysNoText(body) {
		return ErrBody
	}
	err := json.Unmarshal(body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return ErrBody.In(mistyped(body, into, *wrong)...)
	case err != nil:
		return ErrBody
	}
	return nil
}

// manyFields are more than any body has that means well.
const manyFields = 100

// mistyped are the fields of an object that hold what they can't, each with the first thing that is wrong in it; the
// decoder tells of the first field alone.
func mistyped(body []byte, into any, first json.UnmarshalTypeError) (all []domain.Field) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || len(fields) > manyFields {
		return []domain.Field{wrongType(first)}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		alone, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err == nil {
			err = json.Unmarshal(alone, reflect.New(reflect.TypeOf(into).Elem()).Interface())
		}
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			if _, rest, found := strings.Cut("."+wrong.Field, "."+name); found {
				wrong.Field = name + rest // Without the embedded structs that lead there.
			}
			all = append(all, wrongType(*wrong))
		}
	}
	if len(all) == 0 { // It stands there twice.
		all = []domain.Field{wrongType(first)}
	}
	return all
}

func wrongType(wrong json.UnmarshalTypeError) domain.Field {
	return domain.Field{Name: wrong.Field, Text: "must not be " + kindOf(wrong)}
}

// kindOf says what a field was given instead, and not the number itself, which may be of any length.
func kindOf(wrong json.UnmarshalTypeError) string {
	if kind, _, said := strings.Cut(wrong.Value, " "); said {
		return "such a " + kind
	}
	if strings.ContainsAny(wrong.Value[:1], "ao") { // array, object
		return "an " + wrong.Value
	}
	return "a " + wrong.Value
}

// saysNoText looks for what only an escape can bring into a string of the body: a NUL character, or half
// of a surrogate pair, which the decoder would replace without a word. Backslashes stand in strings only.
func saysNoText(body []byte) bool {
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 || len(body) < i+2 {
			return false
		}
		unit := codeUnit(body[i:])
		body = body[i+2:]
		switch {
		case unit == 0:
			return true
		case utf16.IsSurrogate(unit):
			if len(body) < 4 || utf16.DecodeRune(unit, codeUnit(body[4:])) == utf8.RuneError {
				return true
			}
			body = body[6:] // Past the digits of the first half and the escape's head of the second.
		}
	}
}

// codeUnit is what an escape such as \u00e9 at the beginning of text stands for; -1 if there is none.
func codeUnit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}

// Param answers a part of the path, unescaped.
func (r *Request) Param(name string) string {
	s, err := url.PathUnescape(r.echo.Param(name))
	if err != nil || !value.IsText(s) {
		return ""
	}
	return s
}

// FromPath parses a part of the path, and refuses with ErrPath what is wrong.
func FromPath[T any](r *Request, name string, parse func(string) (T, error)) (T, error) {
	v, err := parse(r.Param(name))
	if err != nil {
		err = ErrPath.In(Wrong(name, err))
	}
	return v, err
}

// Query answers a parameter of the query; "" when it is not given.
func (r *Request) Query(name string) string {
	return strings.Join(r.echo.QueryParams()[name], ",") // There are several only of one that may be given so.
}

// Header answers a header; "" when it is not given.
func (r *Request) Header(name string) string { return r.echo.Request().Header.Get(name) }

// SaysNothing tells that the answer is without its body.
func (r *Request) SaysNothing() bool { return r.echo.Request().Method == http.MethodHead }

// Like is the path and query of the request with a parameter of another value.
func (r *Request) Like(param, value string) string {
	u := *r.echo.Request().URL
	query := u.Query()
	query.Set(param, value)
	u.RawQuery = query.Encode()
	return u.RequestURI()
}

func (r *Request) unknown(f *Fields) {
	for _, name := range slices.Sorted(maps.Keys(r.echo.QueryParams())) {
		if !slices.ContainsFunc(r.route.Handler.Query, func(p Param) bool { return p.Name == name }) {
			f.Refuse(name, "is not known here")
		}
	}
}

// single refuses a parameter that is given twice, of which only one could count; and where the surface says so, one that
// the row does not know.
func (r *Request) single() error {
	var f Fields
	if r.surface.Strict {
		r.unknown(&f)
	}
	for _, p := range r.route.Handler.Query {
		if !p.Many && len(r.echo.QueryParams()[p.Name]) > 1 {
			f.Refuse(p.Name, "must be given once")
		}
	}
	return f.InQuery()
}
