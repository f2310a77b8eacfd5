package openapi

import (
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gesta/http/web"
)

// exchange is a request and its answer, as a test has seen them.
type exchange struct {
	title, method, path string
	query               url.Values
	body                string
	status              int
	contentType         string
	answer              string
}

// exchangesOf reads those of a surface, file by file.
func exchangesOf(s web.Surface) (all []exchange, err error) {
	if s.Exchanges == nil {
		return nil, nil
	}
	err = fs.WalkDir(s.Exchanges, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(s.Exchanges, path)
		if err != nil {
			return err
		}
		some, err := readExchanges(string(text))
		all = append(all, some...)
		return err
	})
	return all, err
}

// readExchanges reads blocks such as
//
//	# sign in
//	POST /auth/login
//
//	{"email":"user@example.com"}
//
//	200 OK
//	Content-Type: application/json
//
//	{}
func readExchanges(text string) (all []exchange, err error) {
	for _, block := range strings.Split("\n"+text, "\n# ")[1:] {
		request, answer, found := cutAnswer(plausible(block))
		title, request, _ := strings.Cut(request, "\n")
		head, body, _ := strings.Cut(request, "\n\n")
		method, target, ok := strings.Cut(strings.SplitN(head, "\n", 2)[0], " ")
		if !found || !ok {
			return nil, fmt.Errorf("exchange %q can't be read", title)
		}
		path, query, _ := strings.Cut(target, "?")
		e := exchange{title: title, method: method, path: path, body: strings.TrimSpace(body)}
		e.query, _ = url.ParseQuery(query) // What can be read of it.
		e.readAnswer(answer)
		all = append(all, e)
	}
	return all, nil
}

var statusLine = regexp.MustCompile(`\n\n\d{3} [A-Z]`)

func cutAnswer(block string) (request, answer string, found bool) {
	at := statusLine.FindStringIndex(block)
	if at == nil {
		return block, "", false
	}
	return block[:at[0]], block[at[0]+2:], true
}

func (e *exchange) readAnswer(text string) {
	head, body, _ := strings.Cut(text, "\n\n")
	e.status, _ = strconv.Atoi(head[:3]) // It was found by its digits.
	e.answer = strings.TrimSpace(body)
	for _, line := range strings.Split(head, "\n") {
		if name, value, _ := strings.Cut(line, ": "); name == "Content-Type" {
			e.contentType, _, _ = strings.Cut(value, ";")
		}
	}
}

// placeholders stand in the files for what differs from run to run; each is filled with something of its form.
var placeholders = map[string]string{
	"id":      "01997b3c-5a00-7000-8000-%012d",
	"request": "01KAGVXM3V5C0M6Z9D8Q7R%04d",
	"token":   "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJ0b2tlbi0ifQ.signature-%d",
	"code":    "ABCD-234%d",
	"time":    "2026-01-02T15:04:05.678901Z",
	"sealed":  "sealed:1:655KJ-T3QFu6WhVhKtdv9jHAoU9ENuCK1OXeP_XlOAB7Kg",
	"trace":   "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}

var placeholder = regexp.MustCompile(`<(\w+)(?: (\d+))?>`)

func plausible(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		m := placeholder.FindStringSubmatch(found)
		with, known := placeholders[m[1]]
		if !known {
			return found
		}
		if n, err := strconv.Atoi(m[2]); err == nil {
			return fmt.Sprintf(with, n)
		}
		return with
	})
}

// of are the exchanges of a row.
func (s surface) of(r web.Route) []exchange { return s.exchanges[r.Method+" "+r.Path] }

// byRow sorts exchanges by the rows that they are with.
func byRow(s web.Surface) (map[string][]exchange, error) {
	all, err := exchangesOf(s)
	rows := map[string][]exchange{}
	for _, e := range all {
		row := e.method + " " + rowOf(s, e)
		rows[row] = append(rows[row], e)
	}
	return rows, err
}

// rowOf answers the path of the row that an exchange is with: of those that match, the one that says most of its path.
func rowOf(s web.Surface, e exchange) (path string) {
	least := len(e.path)
	for _, r := range s.Routes {
		if params := strings.Count(r.Path, ":"); r.Method == e.method && matches(r.Path, e.path) && params < least {
			path, least = r.Path, params
		}
	}
	return path
}

func matches(template, path string) bool {
	parts := strings.Split(strings.TrimRight(path, "/"), "/")
	return slices.EqualFunc(strings.Split(template, "/"), parts, func(t, p string) bool {
		return t == p || strings.HasPrefix(t, ":") && p != ""
	})
}
